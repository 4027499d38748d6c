"""``gccllm record``: capture what a program does, or bring in tests that exist."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gccllm.commands.capture import capture
from gccllm.commands.common import plain
from gccllm.errors import RecordingError, UsageError
from gccllm.recordings import Expected, import_folder, load, save_case
from gccllm.sandbox.choice import choose

__all__ = ["record"]

PARTS = ("in", "out", "args", "exit", "err", "files", "written")


def record(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROGRAM", help="after --: the program, then its arguments"),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="folder of the recording (default: PROGRAM.tests)"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="name of the case (default: next number)")
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="folder whose files the program finds where it runs"),
    ] = None,
    import_from: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="DIR",
            help="take input.K.txt/output.K.txt or *.in/*.out (*.ans) files as cases",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="replace cases that have the same name")
    ] = False,
) -> None:
    """Record a run of a program as a test, or import tests.

    The program runs in the sandbox, several times, as candidates will. One that behaves
    differently from run to run (clocks, random numbers, addresses) or that needs what the
    sandbox forbids (other processes, the network) is refused with the reason.

    \b
    Examples:
      gccllm record -- ./prog 10 20 < input
      gccllm record --name big --files data/ -- ./prog data.txt
      gccllm record --import contest/ --to prog.tests
    """
    if import_from is not None:
        if command or name or files is not None or to is None:
            raise UsageError("--import takes --to DIR (and --force), and no program to run")
        names = _import(import_from, to, force)
        typer.echo(f"{len(names)} cases in {to}; use them with -fllm-tests={to}")
        return
    if not command:
        raise UsageError("name a program: gccllm record -- ./prog ARGUMENT... < input")
    program, args = command[0], tuple(command[1:])  # a Path would lose the "./" of ./prog
    folder = to or Path(program).parent / f"{Path(program).stem}.tests"
    case = name or _next_number(folder)
    if (folder / f"{case}.out").exists() and not force:
        raise RecordingError(f"{folder} has a case '{case}'; choose another --name, or --force")
    _check_arguments(args)
    if files is not None and not files.is_dir():
        raise RecordingError(f"--files takes a folder, and '{files}' is none")
    stdin = _stdin()
    expected = capture(program, args, stdin, files, choose())
    _save(folder, case, stdin, args, files, expected)
    shown = f"exit status {expected.exit_status}, {len(expected.stdout)} bytes of output"
    if expected.written:
        shown += f", writes {', '.join(map(plain, sorted(expected.written)))}"
    typer.echo(f"recorded {folder / case}: {shown}")
    if expected.exit_status and expected.stderr:
        first = plain(expected.stderr.decode("utf-8", "replace").split("\n", 1)[0])
        typer.echo(f"note: it says '{first}'; files that it reads go with --files", err=True)


def _stdin() -> bytes:
    """All of stdin; nothing where it is closed, or a terminal (which is said)."""
    # typing says that sys.stdin is never None, and Python that it is where it was closed
    stream = getattr(sys, "stdin", None)
    if stream is None:
        return b""
    if stream.isatty():
        typer.echo("note: stdin is a terminal; the program gets an empty one", err=True)
        return b""
    try:
        content: bytes = stream.buffer.read()
    except OSError as error:
        raise RecordingError(f"can't read stdin: {error.strerror}") from error
    return content


def _check_arguments(args: tuple[str, ...]) -> None:
    """A case keeps its arguments as lines of UTF-8. Raises RecordingError for others."""
    for arg in args:
        try:
            arg.encode()
        except UnicodeEncodeError:
            raise RecordingError(f"the argument {arg!a} is not UTF-8") from None
        if f"{arg}\n".splitlines() != [arg]:
            raise RecordingError(f"the argument {arg!a} holds a line break of some kind")


def _save(
    folder: Path,
    case: str,
    stdin: bytes,
    args: tuple[str, ...],
    files: Path | None,
    expected: Expected,
) -> None:
    """Write the case; NAME.out, without which it is none, comes last. Raises RecordingError."""
    try:
        for part in PARTS:
            _remove(folder / f"{case}.{part}")
        if files is not None:
            shutil.copytree(files, folder / f"{case}.files")
        save_case(folder, case, stdin, args, expected)
    except OSError as error:
        raise RecordingError(f"can't write the case {case}: {error}") from error
    load(folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _import(source: Path, folder: Path, force: bool) -> list[str]:
    """By way of a temporary folder, so that nothing is replaced before all is known."""
    with tempfile.TemporaryDirectory(prefix="gccllm-import-") as temporary:
        try:
            names = import_folder(source, Path(temporary))
            taken = [x for x in names if (folder / f"{x}.out").exists()]
            if taken and not force:
                raise RecordingError(
                    f"{folder} has {len(taken)} of these cases already ({taken[0]}, …): --force"
                )
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                for part in PARTS:
                    _remove(folder / f"{name}.{part}")
                for part in ("in", "out"):
                    shutil.copyfile(Path(temporary, f"{name}.{part}"), folder / f"{name}.{part}")
        except OSError as error:
            raise RecordingError(f"can't import {source}: {error}") from error
    load(folder)
    return names


def _next_number(folder: Path) -> str:
    taken = [int(x.stem) for x in folder.glob("*.out") if re.fullmatch("[0-9]+", x.stem)]
    return str(max(taken, default=0) + 1)
