"""Is B faster than A? Interleaved pairs in random order on one core, and one rule of acceptance.

The statistic is the median of per-pair user+sys ratios. Accepted is a median of at least 1.05
with a Wilcoxon signed-rank z above 2.33, and wall time not slower. On identical binaries, 20
pairs of a 22 ms program stay under 1.01 in 99 of 100 trials; a mean of 10 runs each, one after
the other, needs 2.02 (measured on a noisy 2-core machine). Below 1.05 a speedup can be real and
mean nothing: shifting code by 16 bytes does as much.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import median

from gccllm.judge.statistics import wilcoxon_z
from gccllm.sandbox.base import RunResult, Session

__all__ = ["Decision", "Pairs", "Rule", "RunFailed", "TimedCase", "decide", "measure"]

Check = Callable[[int, RunResult], str]
"""(case, result) → "" when the result is the recorded behaviour, else what is wrong with it."""


@dataclass(frozen=True)
class Rule:
    """The rule of acceptance. Ratios are baseline / candidate, times seconds."""

    least_ratio: float = 1.05
    least_z: float = 2.33
    least_wall_ratio: float = 0.98
    pairs: int = 20
    slow_pairs: int = 10
    slow_seconds: float = 0.3
    warmups: int = 2
    early_reject: int = 5
    early_accept: int = 8

    def most_pairs(self, baseline_seconds: float) -> int:
        return self.slow_pairs if baseline_seconds >= self.slow_seconds else self.pairs


class Decision(str, Enum):
    FASTER = "faster"
    NOT_FASTER = "not-faster"
    OPEN = "open"


@dataclass(frozen=True)
class TimedCase:
    """A case that is timed, and how often in a row (small programs are run several times)."""

    index: int
    repeats: int = 1


@dataclass
class Pairs:
    """What was measured: one entry a pair, seconds of user+sys and of wall time."""

    baseline_cpu: list[float] = field(default_factory=list)
    candidate_cpu: list[float] = field(default_factory=list)
    baseline_wall: list[float] = field(default_factory=list)
    candidate_wall: list[float] = field(default_factory=list)
    control_cpu: list[float] = field(default_factory=list)
    """a second copy of the baseline, when a control was asked for"""

    @property
    def ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.baseline_cpu, self.candidate_cpu, strict=True)]

    @property
    def wall_ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.baseline_wall, self.candidate_wall, strict=True)]

    @property
    def control_ratios(self) -> list[float]:
        """Baseline against itself: what the noise alone is worth."""
        return [a / b for a, b in zip(self.baseline_cpu, self.control_cpu, strict=False)]


class RunFailed(Exception):
    """A timed run did not behave as recorded; carries the case and what was wrong."""

    def __init__(self, program: str, case: int, result: RunResult, wrong: str) -> None:
        super().__init__(wrong)
        self.program = program
        self.case = case
        self.result = result
        self.wrong = wrong


def decide(pairs: Pairs, rule: Rule, *, final: bool) -> Decision:
    """The rule over what was measured so far; ``final``: no more pairs will come.

    Before the end it only says what can hardly change any more: hopeless (the median of at least
    ``early_reject`` pairs is below 1.02 or no pair reaches the least ratio), or clear (all of at
    least ``early_accept`` pairs reach it). Early acceptance needs the same z.
    """
    ratios = pairs.ratios
    if not ratios:
        return Decision.NOT_FASTER if final else Decision.OPEN
    middle = median(ratios)
    passes = (
        middle >= rule.least_ratio
        and wilcoxon_z(ratios) > rule.least_z
        and median(pairs.wall_ratios) >= rule.least_wall_ratio
    )
    if final:
        return Decision.FASTER if passes else Decision.NOT_FASTER
    if len(ratios) >= rule.early_reject and middle < 1.02:
        return Decision.NOT_FASTER
    if len(ratios) >= rule.early_accept and min(ratios) >= rule.least_ratio and passes:
        return Decision.FASTER
    return Decision.OPEN


def measure(
    session: Session,
    baseline: str,
    candidate: str,
    cases: Sequence[TimedCase],
    check: Check,
    rule: Rule,
    rng: random.Random,
    *,
    most_pairs: int | None = None,
    early_stop: bool = True,
    control: str | None = None,
    deadline: Callable[[], bool] = lambda: False,
) -> tuple[Pairs, Decision]:
    """Time two programs of a session against each other.

    Every run's output is checked; raises RunFailed at the first that is wrong. ``control`` names a
    copy of the baseline to be measured along. ``deadline()`` true ends it: with OPEN, unless there
    are as many pairs as a slow program gets.
    """
    pairs = Pairs()
    names = [baseline, candidate] + ([control] if control else [])

    def total(program: str) -> tuple[float, float]:
        cpu = wall = 0.0
        for case in cases:
            for _ in range(case.repeats):
                result = session.run(program, case.index)
                wrong = check(case.index, result)
                if wrong:
                    raise RunFailed(program, case.index, result, wrong)
                cpu += result.cpu
                wall += result.wall
        return max(cpu, 1e-6), max(wall, 1e-6)

    for _ in range(rule.warmups):
        for name in names:
            total(name)
    limit = most_pairs
    while True:
        order = list(names)
        rng.shuffle(order)
        times = {name: total(name) for name in order}
        pairs.baseline_cpu.append(times[baseline][0])
        pairs.baseline_wall.append(times[baseline][1])
        pairs.candidate_cpu.append(times[candidate][0])
        pairs.candidate_wall.append(times[candidate][1])
        if control:
            pairs.control_cpu.append(times[control][0])
        if limit is None:
            limit = rule.most_pairs(pairs.baseline_cpu[0])
        if len(pairs.ratios) >= limit:
            return pairs, decide(pairs, rule, final=True)
        if deadline():
            enough = len(pairs.ratios) >= rule.slow_pairs
            return pairs, decide(pairs, rule, final=True) if enough else Decision.OPEN
        if early_stop:
            decision = decide(pairs, rule, final=False)
            if decision is not Decision.OPEN:
                return pairs, decision
