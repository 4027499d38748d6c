"""Programs side by side: every variant once in each round, in random order, on one core."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.projects.catalogue import Project

__all__ = ["interleaved", "outputs"]

MOST_SECONDS = 120
"""CPU seconds of one run: a program that was built wrongly may never end"""
EMULATED = 20
"""times as long a run may take under an emulator"""


def outputs(
    project: Project, program: Path, inputs: Path, emulator: Sequence[str] = ()
) -> list[tuple[int, bytes]]:
    """Exit status and stdout of each timed run; ``emulator``: what runs the program, its path
    first."""
    found = []
    for timed in project.timed:
        reading, writing = os.pipe()
        child = _start(program, timed.args, inputs / timed.stdin, writing, emulator)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            text = stream.read()
        _, status, _ = os.wait4(child, 0)
        found.append((os.waitstatus_to_exitcode(status), text))
    return found


def interleaved(
    project: Project, programs: Mapping[str, Path], inputs: Path, rounds: int, seed: int
) -> dict[str, list[float]]:
    """user+sys seconds of all timed runs together, by variant, one a round. Two rounds before
    the first are not counted."""
    rng = random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in programs}
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in range(-2, rounds):
            order = list(programs)
            rng.shuffle(order)
            for name in order:
                seconds = 0.0
                for timed in project.timed:
                    child = _start(programs[name], timed.args, inputs / timed.stdin, sink)
                    _, _, used = os.wait4(child, 0)
                    seconds += used.ru_utime + used.ru_stime
                if number >= 0:
                    times[name].append(seconds)
    finally:
        os.close(sink)
    return times


def _start(
    program: Path,
    args: tuple[str, ...],
    stdin: Path,
    stdout: int,
    emulator: Sequence[str] = (),
) -> int:
    argv = [*emulator, str(program), *args] if emulator else [program.name, *args]
    seconds = MOST_SECONDS * (EMULATED if emulator else 1)
    given = os.open(stdin, os.O_RDONLY)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        child = os.posix_spawn(
            emulator[0] if emulator else str(program),
            argv,
            {"LC_ALL": "C", "PATH": os.defpath},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, given, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, null, 2),
            ],
        )
        with suppress(ProcessLookupError):
            resource.prlimit(child, resource.RLIMIT_CPU, (seconds, seconds))
        return child
    finally:
        os.close(given)
        os.close(null)
