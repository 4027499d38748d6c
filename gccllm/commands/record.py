"""``gccllm record``: capture what a program does, or bring in tests that exist."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gccllm.commands.capture import capture
from gccllm.commands.cases import PARTS, check_arguments, next_number, put_case, remove_part
from gccllm.commands.common import plain
from gccllm.commands.workload import record_workload
from gccllm.errors import RecordingError, UsageError
from gccllm.recordings import import_folder, load
from gccllm.sandbox.base import RunInput
from gccllm.sandbox.choice import choose

__all__ = ["record"]


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
    environment: Annotated[
        list[str] | None,
        typer.Option(
            "--env", metavar="NAME[=VALUE]", help="a variable that the program gets; repeatable"
        ),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="CMD", help="a shell command; each run of PROGRAM in it becomes a case"
        ),
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

    With --workload a command runs the program as often as it likes, by itself or by scripts: what
    it is given each time is recorded, with its arguments, stdin, files that it reads and variables
    that the command sets. Files outside of its working folder are found where arguments name them.

    \b
    Examples:
      gccllm record -- ./prog 10 20 < input
      gccllm record --name big --files data/ -- ./prog data.txt
      gccllm record --workload 'make bench' ./prog
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
    variables = _variables(environment or [])
    if workload is not None:
        if args or name or files is not None:
            raise UsageError("--workload takes --to, --env, --force and a program, nothing else")
        _workload(workload, program, folder, tuple(x for x, _ in variables), force)
        return
    case = name or next_number(folder)
    if (folder / f"{case}.out").exists() and not force:
        raise RecordingError(f"{folder} has a case '{case}'; choose another --name, or --force")
    check_arguments(args)
    if files is not None and not files.is_dir():
        raise RecordingError(f"--files takes a folder, and '{files}' is none")
    with tempfile.TemporaryDirectory(prefix="gccllm-record-") as temporary:
        stdin = Path(temporary, "stdin")
        stdin.write_bytes(_stdin())
        given = RunInput(args, stdin, files, variables)
        expected = capture(program, given, choose())
        put_case(folder, case, given, expected)
    shown = f"exit status {expected.exit_status}, {len(expected.stdout)} bytes of output"
    if expected.written:
        shown += f", writes {', '.join(map(plain, sorted(expected.written)))}"
    typer.echo(f"recorded {folder / case}: {shown}")
    if expected.exit_status and expected.stderr:
        first = plain(expected.stderr.decode("utf-8", "replace").split("\n", 1)[0])
        typer.echo(f"note: it says '{first}'; files that it reads go with --files", err=True)


def _variables(named: list[str]) -> tuple[tuple[str, str], ...]:
    """NAME=VALUE, or NAME for what our own environment has. Raises UsageError."""
    found = []
    for text in named:
        name, equals, value = text.partition("=")
        if not name or (not equals and name not in os.environ):
            raise UsageError(f"--env takes NAME=VALUE or the name of a variable, not {plain(text)}")
        found.append((name, value if equals else os.environ[name]))
    return tuple(found)


def _workload(
    command: str, program: str, folder: Path, variables: tuple[str, ...], force: bool
) -> None:
    if any(folder.glob("*.out")) and not force:
        raise RecordingError(f"{folder} has cases already; choose another --to, or --force")
    done = record_workload(command, Path(program), folder, variables, choose())
    for line in done.notes:
        typer.echo(f"note: {plain(line)}", err=True)
    typer.echo(f"{len(done.names)} cases in {folder}; use them with -fllm-tests={folder}")


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
                    remove_part(folder / f"{name}.{part}")
                for part in ("in", "out"):
                    shutil.copyfile(Path(temporary, f"{name}.{part}"), folder / f"{name}.{part}")
        except OSError as error:
            raise RecordingError(f"can't import {source}: {error}") from error
    load(folder)
    return names
