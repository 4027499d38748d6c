"""The folder of one session: copies of its programs and inputs with modes that any uid can read.

Copies, not links: what the user changes meanwhile must not change a run, and what a run attempts
must not reach the user's files.

    FOLDER/programs/NAME     FOLDER/inputs/N.in     FOLDER/inputs/N.files/     FOLDER/work/
    FOLDER/inputs/N.env                     FOLDER/inputs/tN.in (made-up inputs)

A made-up input with files of its own has them, and its case's variables, behind the number of a
case that there is not.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from gccllm.errors import SandboxError, SandboxUnavailable
from gccllm.sandbox.base import RunInput

__all__ = ["Stage", "altered_folder", "staged"]

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
MAX_DEPTH = 24  # as in folder.h
MOST_VARIABLES, MOST_VARIABLE_BYTES = 1024, 1 << 18  # as in child.h


class Stage:
    """The paths of a session's folder, and the one way to put something into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "programs"
        self.inputs = root / "inputs"
        self.work = root / "work"
        self.largest_files = 0
        """bytes of the largest ``files`` folder"""
        self._trials: dict[int, int] = {}
        self._put: dict[int, tuple[int, dict[str, bytes | None]]] = {}
        for folder in (self.programs, self.inputs, self.work):
            folder.mkdir()
            folder.chmod(0o755)

    def add_program(self, name: str, path: Path) -> None:
        """Raises SandboxError for a name that is no plain file name, or an unreadable program."""
        if not NAME.fullmatch(name):
            raise SandboxError(f"not a name for a program: {name!r}")
        fresh = self.programs / f".{name}"
        try:
            shutil.copyfile(path, fresh)
            fresh.chmod(0o555)
            fresh.replace(self.programs / name)
        except OSError as error:
            raise SandboxError(f"can't take the program {path} into the sandbox: {error}") from None

    def add_case(self, number: int, case: RunInput) -> None:
        """Raises SandboxError for an unreadable input, a link, a device or too deep a folder."""
        try:
            if case.stdin is not None:
                self._copy(case.stdin, self.inputs / f"{number}.in", follow=True)
            if case.files is not None:
                before = self.largest_files
                copied = self._copy_folder(case.files, self.inputs / f"{number}.files", 0)
                self.largest_files = max(before, copied)
            if case.environment:
                (self.inputs / f"{number}.env").write_bytes(_variables(case.environment))
        except OSError as error:
            raise SandboxError(f"can't take the inputs of case {number}: {error}") from None

    def put_trial(self, number: int, stdin: bytes) -> None:
        """Write the stdin of a made-up input, in place of the last one of that number; only while
        nothing runs. Raises SandboxError."""
        try:
            if number not in self._trials:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._trials[number] = os.open(self.inputs / f"t{number}.in", flags, 0o444)
                os.fchmod(self._trials[number], 0o444)
            descriptor = self._trials[number]
            os.ftruncate(descriptor, 0)
            at = 0
            while at < len(stdin):
                at += os.pwrite(descriptor, stdin[at:], at)
        except OSError as error:
            raise SandboxError(f"can't put an input into the sandbox: {error}") from None

    def put_files(self, number: int, case: int, changes: Mapping[str, bytes | None]) -> None:
        """Make the files and variables of ``case``, with ``changes``, those of ``number``, in place
        of the last ones; only while nothing runs. Raises SandboxError, also for a file that the
        case does not have."""
        if self._put.get(number) == (case, changes):
            return
        self._put.pop(number, None)
        folder, variables = self.inputs / f"{number}.files", self.inputs / f"{number}.env"
        try:
            if folder.exists():
                shutil.rmtree(folder)
            variables.unlink(missing_ok=True)
            altered_folder(self.inputs / f"{case}.files", folder, changes)
            if (self.inputs / f"{case}.env").exists():
                _link(self.inputs / f"{case}.env", variables)
        except OSError as error:
            raise SandboxError(f"can't put files into the sandbox: {error}") from None
        self._put[number] = (case, dict(changes))

    def close(self) -> None:
        """Close the made-up inputs, which stay open to be written again: half the cost."""
        for descriptor in self._trials.values():
            os.close(descriptor)
        self._trials.clear()

    def _copy(self, source: Path, target: Path, *, follow: bool) -> int:
        """Copy one regular file; its size. Opened before it is looked at: no race for a link."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
        with open(os.open(source, flags), "rb") as from_file:
            status = os.fstat(from_file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SandboxError(f"an input must be a regular file: {source}")
            with target.open("xb") as to_file:
                shutil.copyfileobj(from_file, to_file, 1 << 20)
        target.chmod(0o444)
        return status.st_size

    def _copy_folder(self, source: Path, target: Path, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise SandboxError(f"folders nested too deeply: {source}")
        target.mkdir()
        copied = 0
        with os.scandir(source) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                place = target / entry.name
                if entry.is_symlink():
                    raise SandboxError(f"a case's files may not hold links: {entry.path}")
                if entry.is_dir(follow_symlinks=False):
                    copied += self._copy_folder(Path(entry.path), place, depth + 1)
                else:
                    copied += self._copy(Path(entry.path), place, follow=False)
        target.chmod(0o755)
        return copied


def altered_folder(source: Path, target: Path, changes: Mapping[str, bytes | None]) -> None:
    """Make ``target`` hold what ``source`` does, with other contents where ``changes`` has them by
    relative path (None: left out). The rest are links to the same files, which nobody may write.

    Raises SandboxError for a path that is no file of the source, OSError.
    """
    unknown = set(changes)
    for folder, _, files in os.walk(source):
        inside = target / Path(folder).relative_to(source)
        inside.mkdir()
        inside.chmod(0o755)
        for name in files:
            from_file, to_file = Path(folder, name), inside / name
            path = str(to_file.relative_to(target))
            if path not in changes:
                _link(from_file, to_file)
                continue
            unknown.remove(path)
            content = changes[path]
            if content is not None:
                to_file.write_bytes(content)
                to_file.chmod(0o444)
    if unknown:
        raise SandboxError(f"the case has no such file: {min(unknown)!r}")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links, or too many of them
        shutil.copyfile(source, target)
        target.chmod(0o444)


def _variables(environment: Sequence[tuple[str, str]]) -> bytes:
    """As execve has them. Raises SandboxError for one that can't be."""
    coded = [os.fsencode(f"{name}={value}") for name, value in environment]
    if any(b"\0" in x or not n or "=" in n for x, (n, _) in zip(coded, environment, strict=True)):
        raise SandboxError("a variable that no environment can hold")
    if len(coded) > MOST_VARIABLES or sum(map(len, coded)) + len(coded) > MOST_VARIABLE_BYTES:
        raise SandboxError("more variables than a run can be given")
    return b"".join(x + b"\0" for x in coded)


@contextmanager
def staged(
    programs: Mapping[str, Path], cases: Sequence[RunInput], scratch: Path
) -> Iterator[Stage]:
    """A session's folder, filled; deleted at the end.

    It lies in the temporary folder, or in ``scratch`` where that one forbids to run programs.
    """
    root = _make_root(scratch)
    try:
        with closing(Stage(root)) as stage:
            for name, path in programs.items():
                stage.add_program(name, path)
            for number, case in enumerate(cases):
                stage.add_case(number, case)
            yield stage
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _make_root(scratch: Path) -> Path:
    for place in (Path(tempfile.gettempdir()), scratch):
        try:
            if not os.statvfs(place).f_flag & os.ST_NOEXEC:
                return Path(tempfile.mkdtemp(prefix="gccllm-session-", dir=place))
        except OSError:
            continue
    raise SandboxUnavailable(
        "no temporary folder from which programs may be run: set TMPDIR to one without noexec"
    )
