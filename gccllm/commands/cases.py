"""A case of a recording on disk: put there whole, or taken away."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from gccllm.errors import RecordingError
from gccllm.recordings import Expected, load, save_case
from gccllm.sandbox.base import RunInput

__all__ = ["PARTS", "check_arguments", "next_number", "put_case", "remove_part"]

PARTS = ("in", "out", "args", "env", "exit", "err", "files", "written")


def check_arguments(args: tuple[str, ...]) -> None:
    """A case keeps its arguments as lines of UTF-8. Raises RecordingError for others."""
    for arg in args:
        try:
            arg.encode()
        except UnicodeEncodeError:
            raise RecordingError(f"the argument {arg!a} is not UTF-8") from None
        if f"{arg}\n".splitlines() != [arg]:
            raise RecordingError(f"the argument {arg!a} holds a line break of some kind")


def put_case(folder: Path, case: str, given: RunInput, expected: Expected) -> None:
    """Write the case; NAME.out, without which it is none, comes last. Raises RecordingError."""
    stdin = given.stdin.read_bytes() if given.stdin is not None else b""
    try:
        for part in PARTS:
            remove_part(folder / f"{case}.{part}")
        if given.files is not None:
            shutil.copytree(given.files, folder / f"{case}.files")
        save_case(folder, case, stdin, given.args, expected, given.environment)
    except OSError as error:
        raise RecordingError(f"can't write the case {case}: {error}") from error
    load(folder)


def remove_part(path: Path) -> None:
    """A file or a whole folder, if it is there. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def next_number(folder: Path) -> str:
    """The first number above those that name cases."""
    taken = [int(x.stem) for x in folder.glob("*.out") if re.fullmatch("[0-9]+", x.stem)]
    return str(max(taken, default=0) + 1)
