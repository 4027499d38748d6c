"""Run a program in the sandbox until it is clear that it always does the same, and what.

The runs differ in what must not matter: where the kernel loads the program, the clock's second,
the program's own name. What is random once in a thousand runs, or changes from day to day, is
not found here; the judge runs the baseline anew before it judges anything.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from gccllm.commands.common import plain
from gccllm.errors import RecordingError
from gccllm.recordings import Expected
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox

__all__ = ["capture"]

# What the judge calls the two sides. A program that prints its own name would fail there.
NAMES = ("baseline", "candidate", "baseline")
SHOWN = 60


def capture(
    program: Path, args: tuple[str, ...], stdin: bytes, files: Path | None, sandbox: Sandbox
) -> Expected:
    """What ``program`` does with that input, under the limits that the judge will set.

    Raises RecordingError where it can't be run or recorded, or where its runs differ.
    """
    executable = _executable(program)
    limits = RunLimits()
    with tempfile.TemporaryDirectory(prefix="gccllm-record-") as folder:
        given = Path(folder, "stdin")
        given.write_bytes(stdin)
        case = RunInput(args=args, stdin=given, files=files)
        programs = dict.fromkeys(NAMES, executable)
        with sandbox.open(programs, [case], limits=limits) as session:
            second = int(time.time())
            first = session.run(NAMES[0], 0)
            _must_end(program, first, limits)
            for name in NAMES[1:]:
                other = session.run(name, 0)
                _must_agree(program, first, other)
                if int(time.time()) == second:  # srand(time(0)) gives itself away in the next one
                    time.sleep(second + 1.01 - time.time())
    status = first.code if first.ending is Ending.EXITED else -first.code
    return Expected(first.stdout, status, first.stderr or None, dict(first.files))


def _executable(program: Path) -> Path:
    found = shutil.which(str(program))
    if found is None:
        raise RecordingError(f"there is no program '{program}'; name it as in ./prog")
    try:
        with open(found, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise RecordingError(f"can't read {program}: {error.strerror}") from error
    if magic != b"\x7fELF":
        raise RecordingError(f"{program} is not a compiled program (no ELF file), but a script?")
    return Path(found)


def _must_end(program: Path, result: RunResult, limits: RunLimits) -> None:
    """By itself, that is: an exit, or a signal of its own making."""
    why = {
        Ending.TIMED_OUT: f"it runs longer than the {limits.wall_seconds:.0f} s that a test may",
        Ending.TOO_MUCH_OUTPUT: f"it writes more than {limits.output_bytes >> 20} MiB",
        Ending.FORBIDDEN: "it makes a system call that the sandbox forbids: starting processes, "
        "the network, timers and the like; tests must do without",
    }.get(result.ending)
    if why is not None:
        raise RecordingError(f"{program} can't be recorded: {why}")


def _must_agree(program: Path, first: RunResult, other: RunResult) -> None:
    for what, one, two in (
        ("how it ends", _ending(first), _ending(other)),
        ("stdout", first.stdout, other.stdout),
        ("stderr", first.stderr, other.stderr),
        ("the names of the files it writes", _names(first), _names(other)),
        *((plain(x), first.files[x], other.files.get(x, b"")) for x in sorted(first.files)),
    ):
        if one != two:
            raise RecordingError(
                f"two runs of {program} with the same input differ in {what}: "
                f"{_difference(one, two)}; only programs that always do the same can be tests "
                "(look for clocks, random seeds, addresses, uninitialised memory, argv[0])"
            )


def _ending(result: RunResult) -> bytes:
    return f"{result.ending.value} {result.code}".encode()


def _names(result: RunResult) -> bytes:
    return " ".join(sorted(result.files)).encode("utf-8", "surrogateescape")


def _difference(one: bytes, two: bytes) -> str:
    """Both from shortly before the place where they part."""
    at = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
    start = max(0, (min(len(one), len(two)) if at is None else at) - 10)
    before = "…" if start else ""
    shown = [x[start : start + SHOWN].decode("utf-8", "replace") for x in (one, two)]
    return " against ".join(f"'{before}{plain(x)}'" for x in shown)
