"""``gccllm record``: capture what a program does, or bring in tests that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gccllm.errors import RecordingError
from gccllm.recordings import Case, Expected, import_folder, load, save_case
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox
from gccllm.sandbox.choice import choose

__all__ = ["capture", "record"]

TIMEOUT_SECONDS = 60.0


def record(
    command: Annotated[
        list[str] | None, typer.Argument(help="after --: the program and its arguments")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="folder of the recording [default: PROGRAM.tests]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="name of the case [default: a number]")] = None,
    files: Annotated[
        Path | None, typer.Option(help="folder whose files the program finds where it runs")
    ] = None,
    import_from: Annotated[
        Path | None,
        typer.Option("--import", help="folder of input.K.txt/output.K.txt or *.in/*.out files"),
    ] = None,
) -> None:
    """Record a run of a program as a test, or import tests.

    gccllm record -- ./prog 10 20 < input

    gccllm record --import tests/ --to prog.tests

    The program runs twice in the sandbox, as candidates will; one whose two runs differ (clocks,
    random numbers, addresses) can't be recorded, and the difference is shown.
    """
    if import_from is not None:
        folder = to or import_from.with_suffix(".tests")
        names = import_folder(import_from, folder)
        typer.echo(f"{len(names)} cases in {folder}; use them with -fllm-tests={folder}")
        return
    if not command:
        raise RecordingError("name a program: gccllm record -- ./prog arguments < input")
    program = Path(command[0])
    folder = to or program.with_name(f"{program.stem}.tests")
    stdin = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    case = name or _next_number(folder)
    expected = capture(program, tuple(command[1:]), stdin, files, choose())
    out = save_case(folder, case, stdin, tuple(command[1:]), expected)
    if files is not None:
        shutil.copytree(files, folder / f"{case}.files", dirs_exist_ok=True)
    _checked_load(folder)
    shown = f"exit status {expected.exit_status}, {len(expected.stdout)} bytes of output"
    typer.echo(f"recorded {out.with_suffix('')}: {shown}")


def capture(
    program: Path, args: tuple[str, ...], stdin: bytes, files: Path | None, sandbox: Sandbox
) -> Expected:
    """Run twice in the sandbox; raises RecordingError if that shows different things."""
    found = shutil.which(str(program))
    if found is None:
        raise RecordingError(f"'{program}' is not a program; name it as in ./prog")
    with tempfile.TemporaryDirectory(prefix="gccllm-record-") as folder:
        given = Path(folder, "stdin")
        given.write_bytes(stdin)
        case = RunInput(args=args, stdin=given, files=files)
        limits = RunLimits(wall_seconds=TIMEOUT_SECONDS, cpu_seconds=int(TIMEOUT_SECONDS))
        with sandbox.open({"program": Path(found)}, [case], limits=limits) as session:
            first, second = session.run("program", 0), session.run("program", 0)
    _must_end(first, Path(found), args, stdin)
    for what, one, other in (
        ("its exit status", first.code, second.code),
        ("stdout", first.stdout, second.stdout),
        ("stderr", first.stderr, second.stderr),
        ("the files it writes", dict(first.files), dict(second.files)),
    ):
        if one != other:
            raise RecordingError(
                f"two runs of {program} with the same input differ in {what}: "
                f"{_shown(one)} against {_shown(other)}; only deterministic programs can be "
                "recorded (look for clocks, random seeds, addresses, uninitialised memory)"
            )
    status = first.code if first.ending is Ending.EXITED else -first.code
    return Expected(first.stdout, status, first.stderr or None, dict(first.files))


def _must_end(result: RunResult, program: Path, args: tuple[str, ...], stdin: bytes) -> None:
    if result.ending in (Ending.EXITED, Ending.SIGNALLED):
        return
    hint = {
        Ending.TIMED_OUT: f"it runs longer than {TIMEOUT_SECONDS:.0f} s",
        Ending.TOO_MUCH_OUTPUT: "it writes too much",
        Ending.FORBIDDEN: "it needs something that the sandbox forbids (network, processes, …)",
    }[result.ending]
    try:
        outside = subprocess.run(
            [str(program), *args], input=stdin, capture_output=True, timeout=10, check=False
        ).returncode
        note = f"outside the sandbox it ends with status {outside}"
    except (OSError, subprocess.SubprocessError):
        note = "outside the sandbox it does not end within 10 s either"
    raise RecordingError(f"{program} can't be recorded: {hint}; {note}")


def _checked_load(folder: Path) -> tuple[Case, ...]:
    return load(folder).cases


def _next_number(folder: Path) -> str:
    taken = [int(x.stem) for x in folder.glob("*.out") if re.fullmatch(r"\d+", x.stem)]
    return str(max(taken, default=0) + 1)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "…"
