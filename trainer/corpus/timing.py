"""How fast versions of a region are, on the harness's states: enough to tell better from not.

A hundred random states in rows, each row timed as a whole, the cost of entering and leaving taken
off; the baseline's time by that of a candidate. It says nothing about a whole program, whose trip
counts and branches are its own: there its recording decides.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol

from gccllm.asm.region_model import Region
from gccllm.asm.region_text import parse_lines, render
from gccllm.errors import ToolchainError
from gccllm.families.constants import with_constants
from gccllm.families.layouts import Layout
from gccllm.harness.compare import RUNTIME, widest_vectors
from gccllm.harness.program import Options, Unrunnable, build_program
from gccllm.process import run
from gccllm.sandbox import choose
from gccllm.sandbox.base import Ending, RunInput, RunLimits, Session
from gccllm.sandbox.build import usable_cache
from gccllm.toolchain import Toolchain

__all__ = ["MOST_TIMED", "Assumed", "Stopwatch", "Timer", "ratios"]

SOURCE = Path(__file__).with_name("timing.c")
MOST_TIMED = 24
SECONDS = 10.0
COMPILE_SECONDS = 60.0
FEWEST_STATES = 24
CONTROLS = 3
"""copies of the baseline; the quickest counts, so where code lies and noise win nothing"""
FEWEST_TICKS = 12
"""of the baseline in a state; what takes less can't be told apart"""
_SEED = 77
_COUNTDOWN = re.compile(r"\tmovq\t%rcx, gl_spill\(%rip\)\n(?:.*\n){7}\tjmp\tgl_hang\n772:\n")


class Stopwatch(Protocol):
    def speedups(
        self, layout: Layout, region: Region, candidates: Sequence[Sequence[str]]
    ) -> list[float]:
        """How many times as fast as the region each candidate is; 0 where it can't be told.

        At most :data:`MOST_TIMED` candidates, each equal to the region. Raises SandboxError and
        ToolchainError as the harness does.
        """
        ...


class Assumed:
    """The fake: every candidate has the same speedup."""

    def __init__(self, speedup: float) -> None:
        self._speedup = speedup

    def speedups(
        self, layout: Layout, region: Region, candidates: Sequence[Sequence[str]]
    ) -> list[float]:
        return [self._speedup] * len(candidates)


class Timer:
    """The real stopwatch: one open sandbox session for many measurements. A context manager.

    Raises SandboxUnavailable and ToolchainError when it is entered where it can't work.
    """

    def __init__(self, toolchain: Toolchain) -> None:
        self._tools = toolchain
        self._stack = ExitStack()
        self._session: Session | None = None
        self._count = 0

    def __enter__(self) -> Timer:
        with ExitStack() as stack:
            self._runtime = _runtime(self._tools.cc, usable_cache())
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gccllm-")))
            limits = RunLimits(wall_seconds=SECONDS, cpu_seconds=int(SECONDS))
            self._session = stack.enter_context(choose().open({}, [RunInput()], limits=limits))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session = None
        self._stack.close()

    def speedups(
        self, layout: Layout, region: Region, candidates: Sequence[Sequence[str]]
    ) -> list[float]:
        """Of the two halves of the rounds the lower speedup counts."""
        if self._session is None:
            raise RuntimeError("a Timer is used inside its with block")
        constants = layout.constants(region)
        baseline = render(layout.unit, region).splitlines()
        versions = [*[baseline] * (1 + CONTROLS), *candidates, ["\tjmp\tX0"]]
        options = Options(widest_vectors(), 0, _SEED, overlap=True)
        try:
            parsed = [
                (n, parse_lines(region, with_constants(lines, constants)))
                for n, lines in enumerate(versions)
            ]
            program = build_program(region, layout.unit, parsed, options)
        except (Unrunnable, ValueError):
            return [0.0] * len(candidates)
        target = self._folder / f"t{self._count}"
        self._count += 1
        probe, found, timed = program.text.partition("gl_v1:\n")
        text = probe + found + _COUNTDOWN.sub("", timed)
        if not self._tools.assemble(text, target.with_suffix(".o")).ok:
            return [0.0] * len(candidates)
        symbols = [f"-Wl,--defsym={name}={address:#x}" for name, address in program.symbols.items()]
        objects = [str(self._runtime), str(target.with_suffix(".o"))]
        argv = [self._tools.cc, "-static", "-no-pie", "-o", str(target), *objects, *symbols]
        done = run(argv, timeout=COMPILE_SECONDS)
        if not done.ok:
            raise ToolchainError(f"the timer can't be linked: {done.error_line()}")
        self._session.add_program(target.name, target)
        target.unlink()
        target.with_suffix(".o").unlink()
        ran = self._session.run(target.name, 0, collect_files=False)
        if ran.ending is not Ending.EXITED or ran.code != 0:
            return [0.0] * len(candidates)
        return ratios(ran.stdout.decode("ascii", "replace"), len(candidates))


def ratios(output: str, count: int) -> list[float]:
    """The speedups of ``count`` candidates from what the timing program printed."""
    unknown = [0.0] * count
    lines = [x.split() for x in output.splitlines()]
    if len(lines) != 1 + CONTROLS + count + 1:
        return unknown
    states = int(lines[0][1])
    sums = [(int(x[1]), int(x[2])) for x in lines[1:]]
    empty = sums[-1]
    base = [min(x[half] for x in sums[:CONTROLS]) - empty[half] for half in range(2)]
    if states < FEWEST_STATES or min(base) < FEWEST_TICKS * states:
        return unknown
    found = []
    for halves in sums[CONTROLS:-1]:
        # What is no slower than doing nothing took no time that could be told.
        net = [max(halves[half] - empty[half], base[half] / 50) for half in range(2)]
        found.append(min(base[half] / net[half] for half in range(2)) if all(halves) else 0.0)
    return found


def _runtime(cc: str, folder: Path) -> Path:
    """The C part as an object, compiled once. Raises ToolchainError."""
    digest = hashlib.sha256(SOURCE.read_bytes() + RUNTIME.read_bytes() + cc.encode()).hexdigest()
    target = folder / f"timing-{digest[:16]}.o"
    if not target.exists():
        fresh = folder / f".timing-{digest[:16]}-{os.getpid()}.o"
        flags = ["-O2", "-std=gnu11", "-fno-pie", f'-DHARNESS="{RUNTIME}"']
        done = run([cc, *flags, "-c", "-o", str(fresh), str(SOURCE)], timeout=COMPILE_SECONDS)
        if not done.ok:
            raise ToolchainError(f"{cc} can't compile {SOURCE.name}: {done.error_line()}")
        fresh.replace(target)
    return target
