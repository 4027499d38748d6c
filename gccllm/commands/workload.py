"""Record what a command makes of a program: each run becomes a case of a recording.

While the command runs, a recorder (``recorder.c``) stands where the program was. It notes
arguments, variables, stdin and the files that are read, and lets the program do its work; then the
program is put back. What was noted is run again in the sandbox, as candidates will be.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gccllm import process
from gccllm.commands.capture import capture
from gccllm.commands.cases import check_arguments, put_case, remove_part
from gccllm.errors import RecordingError
from gccllm.sandbox.base import RunInput, Sandbox
from gccllm.sandbox.build import build_tool, usable_cache

__all__ = ["Recorded", "record_workload"]

RECORDER = Path(__file__).with_name("recorder.c")
WORKLOAD_SECONDS = 3600.0
MOST_CASES = 40
OUTSIDE = "outside"
"""where a case has the files that lie outside of its working folder"""
_NOT_FOR_PROGRAMS = frozenset("_ OLDPWD PWD SHLVL MAKEFLAGS MAKELEVEL MFLAGS MAKE_TERMERR".split())


@dataclass
class Recorded:
    """The cases that were written, by name, and what was left out and why, a line each."""

    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Run:
    """One run as the recorder left it in ``folder``."""

    folder: Path
    args: tuple[str, ...]
    environment: dict[str, str]
    cwd: Path
    status: int


def record_workload(
    command: str,
    program: Path,
    folder: Path,
    variables: Sequence[str],
    sandbox: Sandbox,
    image: Path | None = None,
) -> Recorded:
    """Run ``command`` (for sh) and keep the runs of ``program`` as the cases of ``folder``.

    ``image`` is run in the sandbox in its place: one that holds the libraries that it needs.

    Variables that the command sets are kept, and of our own those that ``variables`` names. Cases
    that were there before go. Raises RecordingError where the command fails, never runs the
    program, or leaves nothing that can be recorded.
    """
    if not program.is_file():
        raise RecordingError(f"there is no program {program}")
    cc = os.environ.get("GCCLLM_CC") or "gcc"
    recorder = build_tool([RECORDER], usable_cache(), cc=cc)
    with tempfile.TemporaryDirectory(prefix="gccllm-workload-") as name:
        noted = Path(name)
        with _standing_in(program, recorder, noted):
            done = process.run(["sh", "-c", command], timeout=WORKLOAD_SECONDS)
        if not done.ok:
            raise RecordingError(f"the workload fails: {command}: {done.error_line()}")
        runs = [x for x in map(_read, sorted(noted.glob("run-*"), key=_age)) if x is not None]
        if not runs:
            raise RecordingError(f"the workload never ran {program}: {command}")
        _empty(folder)
        return _record(runs, program, image or program, folder, variables, sandbox)


@contextmanager
def _standing_in(program: Path, recorder: Path, noted: Path) -> Iterator[None]:
    """The recorder in the program's place; back whatever happens, a kill in the middle excepted."""
    path = program.resolve()
    real = path.with_name(f".{path.name}.gccllm-real")
    if real.exists():
        # an earlier one was killed
        real.replace(path)
    script = path.with_name(f".{path.name}.gccllm-recorder")
    words = " ".join(_quoted(str(x)) for x in (recorder, noted, real))
    script.write_text(f'#!/bin/sh\nexec {words} "$0" "$@"\n')
    script.chmod(0o755)

    def ended(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, ended)
    try:
        os.link(path, real)
        script.replace(path)
        yield
    finally:
        if real.exists():
            real.replace(path)
        script.unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, before)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _age(folder: Path) -> float:
    return (folder / "args").stat().st_mtime_ns if (folder / "args").exists() else 0.0


def _empty(folder: Path) -> None:
    for out in folder.glob("*.out"):
        for part in sorted(folder.glob(f"{out.stem}.*")):
            remove_part(part)


def _read(folder: Path) -> _Run | None:
    """None for a run that did not come to its end."""
    try:
        words = [
            tuple(x.decode("utf-8", "surrogateescape") for x in text.split(b"\0")[:-1])
            for text in ((folder / x).read_bytes() for x in ("args", "env", "cwd", "status"))
        ]
    except OSError:
        return None
    how, number, _ = words[3][0].split(" ")
    variables = {x.partition("=")[0]: x.partition("=")[2] for x in words[1]}
    status = int(number) if how == "exit" else -int(number)
    return _Run(folder, words[0], variables, Path(words[2][0]), status)


def _record(
    runs: Sequence[_Run],
    program: Path,
    image: Path,
    folder: Path,
    variables: Sequence[str],
    sandbox: Sandbox,
) -> Recorded:
    recorded = Recorded()
    seen: set[str] = set()
    for run in runs:
        if len(recorded.names) == MOST_CASES:
            recorded.notes.append(f"{len(runs)} runs; the first {MOST_CASES} that differ are kept")
            break
        given = _given(run, program.resolve(), variables)
        digest = _digest(given)
        if digest in seen:
            continue
        seen.add(digest)
        name = str(len(recorded.names) + 1)
        shown = " ".join([program.name, *run.args])[:100]
        try:
            check_arguments(given.args)
            expected = capture(str(image.absolute()), given, sandbox)
            if expected.exit_status != run.status:
                told = expected.stderr.decode("utf-8", "replace") if expected.stderr else ""
                raise RecordingError(
                    f"in the sandbox its exit status is {expected.exit_status}, in the workload "
                    f"{run.status}: {told.strip()[:200]}"
                )
            put_case(folder, name, given, expected)
        except RecordingError as error:
            recorded.notes.append(f"left out: {shown}: {error}")
            continue
        recorded.names.append(name)
    if not recorded.names:
        raise RecordingError(f"no run can be recorded; {recorded.notes[0]}")
    return recorded


def _given(run: _Run, program: Path, variables: Sequence[str]) -> RunInput:
    """The run as the sandbox can repeat it, its files moved to where they are found there."""
    files, renamed = _moved(run, program)
    stdin = run.folder / "stdin"
    return RunInput(
        args=tuple(_renamed(x, run.cwd, renamed) for x in run.args),
        stdin=stdin if stdin.exists() else None,
        files=files,
        environment=_environment(run.environment, variables),
    )


def _moved(run: _Run, program: Path) -> tuple[Path | None, dict[Path, str]]:
    """The case's folder of files, and for each absolute path what it is called there."""
    root, target = run.folder / "root", run.folder / "files"
    renamed: dict[Path, str] = {}
    for kept in sorted(x for x in root.rglob("*") if x.is_file()):
        path = Path("/") / kept.relative_to(root)
        if path == program or path.name == f".{program.name}.gccllm-real":
            continue
        if path.is_relative_to(run.cwd):
            name = str(path.relative_to(run.cwd))
        elif any(_names(x, run.cwd) == path for x in run.args):
            name = f"{OUTSIDE}/{path.name}"
            while name in renamed.values():
                name += "_"
        else:
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept, target / name)
        renamed[path] = name
    return (target if renamed else None), renamed


def _names(argument: str, cwd: Path) -> Path:
    """The file that an argument names: itself, or what stands behind its "="."""
    text = argument.partition("=")[2] if argument.startswith("-") else argument
    return Path(os.path.normpath(cwd / text))


def _renamed(argument: str, cwd: Path, renamed: dict[Path, str]) -> str:
    """Paths that the sandbox does not have, by the name that it has for them."""
    name = renamed.get(_names(argument, cwd))
    if name is None:
        return argument
    head, equals, text = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    outside = text.startswith("/") or name.startswith(f"{OUTSIDE}/")
    return f"{head}{equals}{name}" if outside else argument


def _environment(found: dict[str, str], variables: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """What the workload set itself, and what is asked for of ours."""
    own = {
        name: value
        for name, value in found.items()
        if name in variables or (os.environ.get(name) != value and name not in _NOT_FOR_PROGRAMS)
    }
    return tuple(sorted((x, value) for x, value in own.items() if "\n" not in value))


def _digest(given: RunInput) -> str:
    total = hashlib.sha256(repr((given.args, given.environment)).encode("utf-8", "replace"))
    if given.stdin is not None:
        total.update(given.stdin.read_bytes())
    if given.files is not None:
        for path in sorted(x for x in given.files.rglob("*") if x.is_file()):
            total.update(str(path.relative_to(given.files)).encode("utf-8", "replace"))
            total.update(path.read_bytes())
    return total.hexdigest()
