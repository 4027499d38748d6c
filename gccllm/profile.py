"""Where a program spends its time: a sampling profile of the baseline under its recordings.

No hardware counters are needed: a small object linked into a copy of the program notes the
program counter at every tick of ITIMER_PROF. Shares are of user+sys time; what is inlined counts
for the function it is in, as it has to here.
"""

from __future__ import annotations

import bisect
import copy
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gccllm import process
from gccllm.asm.elf import ElfError, read_elf
from gccllm.asm.elf_format import PT_LOAD, STT_FUNC
from gccllm.program import BuildStep, Program
from gccllm.types import HotFunction

__all__ = ["FunctionMap", "hot_functions", "profiled_build", "samples_of"]

SAMPLER = Path(__file__).with_name("profile_sampler.c")
LEAST_SHARE = 0.02
ENOUGH_SAMPLES = 200
MOST_ROUNDS = 60
MOST_SECONDS = 3.0

RunProfiled = Callable[[int], bytes]
"""Run one case of the profiled program; what it left on descriptor 3."""


class FunctionMap:
    """Addresses relative to the executable's start → function names; none of a file that can't be
    read."""

    def __init__(self, executable: Path) -> None:
        self._spans = _function_spans(executable)
        self._starts = sorted(self._spans)

    def name(self, address: int) -> str:
        """The function at that address; "" outside of all (libraries, the kernel's pages)."""
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0:
            return ""
        size, name = self._spans[self._starts[at]]
        inside = address < self._starts[at] + size
        return name.removesuffix(".cold") if inside else ""


def _function_spans(executable: Path) -> dict[int, tuple[int, str]]:
    """Where each function starts → (its size, its name); of two names at one place the last."""
    try:
        elf = read_elf(executable)
        symbols = (*elf.dynamic_symbols, *elf.symbols)
        loaded = [x.address for x in elf.segments if x.kind == PT_LOAD]
    except (ElfError, OSError):
        return {}
    start = min(loaded, default=0)
    return {x.value - start: (x.size, x.name) for x in symbols if x.kind == STT_FUNC and x.size}


def profiled_build(
    program: Program, out: Path, replaced: Mapping[str, str] | None = None
) -> Path | BuildStep:
    """The baseline, or the program with other texts of some units, with the sampler linked in."""
    sampler = out.with_suffix(".sampler.o")
    argv = [program.toolchain.cc, "-O2", "-fPIC", "-c", str(SAMPLER), "-o", str(sampler)]
    done = process.run(argv, timeout=30.0)
    if not done.ok:
        return BuildStep("assemble", done.error_line())
    named = copy.copy(program)
    # A stripped program has no names to sample by; -g is what ld ignores.
    named.argv = ["-g" if x in ("-s", "--strip-all", "-S") else x for x in program.argv]
    built = named.build(replaced or {}, out, extra=[str(sampler)])
    return built if isinstance(built, BuildStep) else built.executable


def samples_of(data: bytes) -> tuple[int, ...]:
    """The addresses that the sampler left on descriptor 3."""
    count = len(data) // 8
    return struct.unpack(f"<{count}Q", data[: count * 8])


def hot_functions(
    executable: Path, run: RunProfiled, cases: Sequence[int]
) -> tuple[list[HotFunction], int]:
    """Functions with at least 2% of the samples, hottest first, and how many samples there were.

    ``cases`` are run in turn until there are enough samples, or rounds, or seconds.
    """
    names = FunctionMap(executable)
    seen: Counter[str] = Counter()
    until = time.monotonic() + MOST_SECONDS
    for _ in range(MOST_ROUNDS):
        for case in cases:
            seen.update(names.name(x) for x in samples_of(run(case)))
        if seen.total() >= ENOUGH_SAMPLES or time.monotonic() > until:
            break
    total = seen.total()
    hot = [
        HotFunction(n, c / total) for n, c in seen.most_common() if n and c >= LEAST_SHARE * total
    ]
    return hot, total
