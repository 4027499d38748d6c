"""How much faster is it? The paper's way of saying, and an honest one; each with its own control.

*paper* (section 4, 'Performance Measurement', and the authors' code): for each test 3 warm-ups and
the mean of 10 runs of wall time, first of the one program, then of the other; the ratio of the
means, taken as 1 where it is less; the mean over the tests. By hyperfine where it is installed,
else by the same loop of ours. On identical programs this says "faster" in 37 to 52% of all cases
and 1.02 to 1.07 on average (measured on a noisy 2-core guest), so it is never shown alone.

*honest*: the product's rule of acceptance on fresh interleaved pairs of user and system time,
twice, with the code shifted too (:class:`gccllm.judge.clock.Clock`). Nothing is clipped before that
test; what it does not accept counts as 1, and so does what falls when it is examined
(:mod:`trainer.programs.examining`).

Both take any right candidate, so a copy of the baseline measures what their noise is worth.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Judge
from gccllm.judge.running import compare
from gccllm.program import Build
from trainer.programs.hyperfine import RUNS, WARMUPS, Hyperfine, find_hyperfine

__all__ = ["PROTOCOLS", "HonestProtocol", "Measured", "PaperProtocol", "TimingProtocol", "control"]


@dataclass(frozen=True)
class Measured:
    """What a protocol says of one right candidate.

    ``speedup`` is what counts in its figures, 1 at least. ``ratio`` is the measurement itself,
    baseline by candidate, with ``low`` and ``high`` where there is an interval; for the paper's it
    is the mean over tests before clipping. ``faster``: the protocol calls it faster.
    """

    speedup: float
    ratio: float
    low: float | None = None
    high: float | None = None
    faster: bool = False
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class TimingProtocol(Protocol):
    """A way of measuring. ``examines``: what it calls faster is to be examined as well."""

    name: str
    examines: bool

    def measure(self, judge: Judge, admitted: Admitted) -> Measured:
        """Raises SandboxError where nothing could be measured."""
        ...


class PaperProtocol:
    """``hyperfine`` None: by our own loop in the sandbox."""

    name = "paper"
    examines = False

    def __init__(self, hyperfine: Hyperfine | None = None) -> None:
        self._hyperfine = hyperfine

    def measure(self, judge: Judge, admitted: Admitted) -> Measured:
        """See the module; a run that goes wrong makes it 1, as in the authors' code."""
        programs = {
            "baseline": judge.baseline.build.executable,
            "candidate": admitted.build.executable,
        }
        ratios: list[float] = []
        with judge.arena.open(programs, judge.baseline.limits()) as session:
            for index, case in enumerate(judge.baseline.cases):
                if self._hyperfine is not None:
                    means = [
                        self._hyperfine.mean(programs[x], case.given, judge.arena.core)
                        for x in programs
                    ]
                else:
                    means = []
                    for name in programs:
                        runs = [session.run(name, index) for _ in range(WARMUPS + RUNS)]
                        wrong = any(compare(case, x) for x in runs)
                        means.append(None if wrong else fmean(x.wall for x in runs[WARMUPS:]))
                first, second = means
                if first is None or second is None:
                    return Measured(1.0, 1.0, detail=f"case {case.name}: a timed run failed")
                ratios.append(first / max(second, 1e-6))
        clipped = fmean(max(1.0, x) for x in ratios)
        how = "hyperfine" if self._hyperfine else "own loop"
        return Measured(clipped, fmean(ratios), faster=clipped > 1.0, detail=how)


class HonestProtocol:
    """The product's rule."""

    name = "honest"
    examines = True

    def measure(self, judge: Judge, admitted: Admitted) -> Measured:
        """See the module."""
        verdict, _ = judge.clock.confirm(admitted)
        seen = verdict.speedup
        ratio = seen.ratio if seen else 1.0
        return Measured(
            speedup=ratio if verdict.accepted else 1.0,
            ratio=ratio,
            low=seen.low if seen else None,
            high=seen.high if seen else None,
            faster=verdict.accepted,
            detail=f"{verdict.kind.value}: {verdict.detail}",
        )


def control(judge: Judge, protocol: TimingProtocol) -> Measured:
    """What ``protocol`` says of a copy of the baseline: all of it is noise."""
    copy = Path(judge.arena.scratch) / "control-copy"
    if not copy.exists():
        shutil.copy2(judge.baseline.build.executable, copy)
    build = Build(copy, judge.baseline.build.objects)
    return protocol.measure(judge, Admitted({}, build, len(judge.baseline.cases)))


PROTOCOLS: Mapping[str, Callable[[], TimingProtocol]] = {
    "paper": lambda: PaperProtocol(find_hyperfine()),
    "honest": HonestProtocol,
}
"""By name: makes one, with what this machine has."""
