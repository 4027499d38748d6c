"""Recordings: captured inputs and expected behaviour of a program.

A recording is a folder of cases. A case NAME is

    NAME.in        stdin (absent: empty)
    NAME.out       expected stdout, byte for byte
    NAME.args      arguments, one a line
    NAME.env       variables of the environment, NAME=VALUE, one a line
    NAME.exit      expected exit status; negative: killed by that signal (absent: 0)
    NAME.err       expected stderr (absent: not compared)
    NAME.files/    files that lie in the working folder at the start
    NAME.written/  files that the program must have written or changed
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gccllm.errors import RecordingError
from gccllm.sandbox.base import RunInput

__all__ = ["Case", "Expected", "Recording", "import_folder", "load", "save_case"]

MOST_CASES = 1000


@dataclass(frozen=True)
class Expected:
    """What a run has to do. ``stderr`` None: not compared. ``written``: relative path → bytes."""

    stdout: bytes
    exit_status: int = 0
    stderr: bytes | None = None
    written: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    name: str
    given: RunInput
    expected: Expected


@dataclass(frozen=True)
class Recording:
    """All cases of a program, in the order of their names (numbers by value)."""

    folder: Path
    cases: tuple[Case, ...]

    def digest(self) -> str:
        """sha256 over everything that is given and expected: other tests, other conclusions."""
        total = hashlib.sha256()
        for case in self.cases:
            parts: list[bytes] = [case.name.encode(), repr(case.given.args).encode()]
            if case.given.environment:
                parts.append(repr(case.given.environment).encode())
            parts.append(case.given.stdin.read_bytes() if case.given.stdin else b"")
            parts += [case.expected.stdout, str(case.expected.exit_status).encode()]
            parts.append(case.expected.stderr if case.expected.stderr is not None else b"-")
            parts += [b"".join([n.encode(), b]) for n, b in sorted(case.expected.written.items())]
            if case.given.files is not None:
                parts += [str(n).encode() + b for n, b in sorted(_tree(case.given.files).items())]
            for part in parts:
                total.update(len(part).to_bytes(8, "little") + part)
        return total.hexdigest()


def load(folder: Path) -> Recording:
    """Read a recording. Raises RecordingError, which says what is wrong and where."""
    if not folder.is_dir():
        raise RecordingError(f"no folder of recordings at {folder}")
    names = sorted({x.name[:-4] for x in folder.glob("*.out")}, key=_natural)
    if not names:
        raise RecordingError(f"{folder} holds no case (a case has at least a NAME.out)")
    if len(names) > MOST_CASES:
        raise RecordingError(f"{folder} holds {len(names)} cases; at most {MOST_CASES} are read")
    try:
        return Recording(folder, tuple(_load_case(folder, name) for name in names))
    except OSError as error:
        raise RecordingError(f"{folder}: {error}") from error


def _load_case(folder: Path, name: str) -> Case:
    def part(suffix: str) -> Path | None:
        path = folder / f"{name}.{suffix}"
        return path if path.exists() else None

    arguments, status, stderr = part("args"), part("exit"), part("err")
    written = part("written")
    try:
        exit_status = int(status.read_text()) if status else 0
    except ValueError as error:
        raise RecordingError(f"{status} must hold one number") from error
    given = RunInput(
        args=_lines(arguments) if arguments else (),
        stdin=part("in"),
        files=part("files"),
        environment=_variables(part("env")),
    )
    expected = Expected(
        stdout=(folder / f"{name}.out").read_bytes(),
        exit_status=exit_status,
        stderr=stderr.read_bytes() if stderr else None,
        written=_tree(written) if written else {},
    )
    return Case(name, given, expected)


def _variables(path: Path | None) -> tuple[tuple[str, str], ...]:
    pairs = [x.partition("=") for x in _lines(path)] if path else []
    if any(not name or not equals for name, equals, _ in pairs):
        raise RecordingError(f"{path} must hold NAME=VALUE, one a line")
    return tuple((name, value) for name, _, value in pairs)


def save_case(
    folder: Path,
    name: str,
    stdin: bytes,
    args: tuple[str, ...],
    expected: Expected,
    environment: tuple[tuple[str, str], ...] = (),
) -> Path:
    """Write one case; returns the path of its NAME.out. Raises RecordingError."""
    if not re.fullmatch(r"[\w.+-]+", name):
        raise RecordingError(f"'{name}' is no good name for a case: letters, digits, . _ + - only")
    if any("\n" in x for x in args):
        raise RecordingError("an argument with a line break in it can't be recorded")
    if any("\n" in value for _, value in environment):
        raise RecordingError("a variable with a line break in it can't be recorded")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.in").write_bytes(stdin)
        if args:
            _write_lines(folder / f"{name}.args", args)
        if environment:
            _write_lines(folder / f"{name}.env", [f"{x}={value}" for x, value in environment])
        if expected.exit_status:
            (folder / f"{name}.exit").write_text(f"{expected.exit_status}\n")
        if expected.stderr:
            (folder / f"{name}.err").write_bytes(expected.stderr)
        for path, content in expected.written.items():
            target = folder / f"{name}.written" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        out = folder / f"{name}.out"
        out.write_bytes(expected.stdout)
    except OSError as error:
        raise RecordingError(f"can't write the case {name}: {error}") from error
    return out


def import_folder(source: Path, folder: Path) -> list[str]:
    """Copy the cases of another layout: ``input.K.txt/output.K.txt`` and ``*.in/*.out`` (or .ans).

    Returns the names of the cases. Raises RecordingError when there is none.
    """
    pairs = list(_foreign_pairs(source))
    if not pairs:
        raise RecordingError(f"{source} holds neither input.K.txt/output.K.txt nor *.in/*.out")
    folder.mkdir(parents=True, exist_ok=True)
    for name, given, expected in pairs:
        shutil.copyfile(given, folder / f"{name}.in")
        shutil.copyfile(expected, folder / f"{name}.out")
    return [name for name, _, _ in pairs]


def _foreign_pairs(source: Path) -> Iterator[tuple[str, Path, Path]]:
    for given in sorted(source.glob("input.*.txt"), key=lambda x: _natural(x.name)):
        expected = source / given.name.replace("input.", "output.", 1)
        if expected.is_file():
            yield given.name.split(".")[1], given, expected
    for given in sorted(source.glob("*.in"), key=lambda x: _natural(x.name)):
        for suffix in (".out", ".ans"):
            expected = given.with_suffix(suffix)
            if expected.is_file():
                yield given.stem, given, expected
                break


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    text = "".join(f"{x}\n" for x in lines)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def _lines(path: Path) -> tuple[str, ...]:
    """One a line; only a line feed ends one (an argument may hold any other break)."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    pieces = re.findall(r"\d+|\D+", name)
    return tuple((0, int(x)) if x.isdigit() else (1, x) for x in pieces)


def _tree(folder: Path) -> dict[str, bytes]:
    files = (x for x in sorted(folder.rglob("*")) if x.is_file() and not x.is_symlink())
    return {str(x.relative_to(folder)): x.read_bytes() for x in files}
