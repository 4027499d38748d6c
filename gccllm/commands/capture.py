"""Run a program in the sandbox until it is clear that it always does the same, and what.

The runs differ in what must not matter: where the kernel loads the program, and the clock's
second. What is random once in a thousand runs, or changes from day to day, is
not found here; the judge runs the baseline anew before it judges anything.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from gccllm.commands.common import plain
from gccllm.errors import RecordingError
from gccllm.recordings import Expected
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox

__all__ = ["capture"]

RUNS = 3
SHOWN = 60


def capture(program: str, given: RunInput, sandbox: Sandbox) -> Expected:
    """What ``program`` (a path, or a name on PATH) does, under the limits that the judge sets.

    Raises RecordingError where it can't be run or recorded, or where its runs differ.
    """
    executable = _executable(program)
    clock = _may_read_clock(executable)
    limits = RunLimits()
    with sandbox.open({"program": executable}, [given], limits=limits) as session:
        second = int(time.time())
        first = session.run("program", 0)
        _must_end(program, first, limits)
        for more in range(1, RUNS):
            if more == RUNS - 1 and clock and int(time.time()) == second:
                time.sleep(second + 1.01 - time.time())  # else srand(time(0)) looks the same
            _must_agree(program, first, session.run("program", 0))
    status = first.code if first.ending is Ending.EXITED else -first.code
    return Expected(first.stdout, status, first.stderr or None, dict(first.files))


def _executable(program: str) -> Path:
    found = shutil.which(program)
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


def _may_read_clock(executable: Path) -> bool:
    """By the names of functions that it imports, or holds where it is linked statically."""
    content = executable.read_bytes()
    return any(word in content for word in (b"time", b"clock", b"syscall"))


def _must_end(program: str, result: RunResult, limits: RunLimits) -> None:
    """By itself, that is: an exit, or a signal of its own making."""
    why = {
        Ending.TIMED_OUT: f"it runs longer than the {limits.wall_seconds:.0f} s that a test may",
        Ending.TOO_MUCH_OUTPUT: f"it writes more than {limits.output_bytes >> 20} MiB",
        Ending.FORBIDDEN: "it makes a system call that the sandbox forbids: starting processes, "
        "the network, timers and the like; tests must do without",
    }.get(result.ending)
    if why is not None:
        raise RecordingError(f"{program} can't be recorded: {why}")


def _must_agree(program: str, first: RunResult, other: RunResult) -> None:
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
                "(look for clocks, random seeds, addresses, uninitialised memory)"
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
