"""Is a rewrite faster on inputs that nobody recorded, too?

One that knows the recorded answers by heart, and does honest work for the rest, is right on every
input and as slow as before. So the slowest recorded case is changed, one number at a time, and
where the baseline is about as busy as on the recorded case the candidate has to keep part of its
gain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from gccllm.assurance.fuzz.behaviour import same
from gccllm.assurance.fuzz.inputs import Seedling
from gccllm.assurance.fuzz.text import Text, number_of
from gccllm.sandbox.base import Ending, RunResult, Session, Trial
from gccllm.types import Json

__all__ = ["Elsewhere", "speed_elsewhere"]

WORTH_ASKING = 1.1
"""of the recorded case's speedup; less is the clock's to judge"""
KEPT = 0.25
"""of the gain, on an input of its own"""
FEWEST, MOST = 2, 8
MOST_TRIED, MOST_PLACES, MOST_FILES = 24, 6, 4
STEPS = (1, -1, 3, 17)
TIMES, AGAIN = 2, 6
"""runs of each; of those that say otherwise, for a few milliseconds are easily disturbed"""
LEAST_SECONDS = 0.002
"""of CPU time; quicker runs say nothing"""
ALIKE = (0.4, 3.0)


@dataclass(frozen=True)
class Elsewhere:
    """``recorded``: baseline time / candidate time on the slowest recorded case; ``others`` on
    changed ones, none where nothing can be said."""

    recorded: float
    others: tuple[float, ...] = ()

    @property
    def holds(self) -> bool:
        """False where a third of the others, and two at least, lose most of the gain."""
        lost = sum(self.is_lost(x) for x in self.others)
        return len(self.others) < FEWEST or lost < 2 or 3 * lost < len(self.others)

    def is_lost(self, ratio: float) -> bool:
        """Whether most of the gain is."""
        return ratio < 1.0 + KEPT * (self.recorded - 1.0)

    def evidence(self) -> dict[str, Json]:
        others: list[Json] = [round(x, 3) for x in self.others]
        return {"speed": {"recorded": round(self.recorded, 3), "elsewhere": others}}

    def __str__(self) -> str:
        others = ", ".join(f"{x:.2f}" for x in self.others)
        return f"{self.recorded:.2f}× on the slowest recorded case, elsewhere {others}"


def speed_elsewhere(
    session: Session,
    programs: tuple[str, str],
    from_cases: Sequence[Seedling],
    known: Mapping[int, RunResult],
    *,
    until: float,
) -> Elsewhere | None:
    """``programs``: baseline and candidate as the session knows them; ``known``: what the baseline
    did on recorded cases, by number. ``until`` is of time.monotonic(). None where the recorded
    cases are too quick, or there is no time. Raises SandboxError."""
    baseline = programs[0]
    candidates = [x for x in from_cases if x.number in known]
    slowest = max(candidates, key=lambda x: known[x.number].cpu, default=None)
    if slowest is None or time.monotonic() > until:
        return None
    if known[slowest.number].cpu < LEAST_SECONDS:
        return None
    recorded = _ratio(session, programs, _trial(slowest))
    if recorded is None or recorded < WORTH_ASKING:
        return None if recorded is None else Elsewhere(recorded)
    others: list[tuple[Trial, float]] = []
    for trial in islice(_neighbours(slowest), MOST_TRIED):
        if len(others) == MOST or time.monotonic() > until:
            break
        if _as_busy(session.run_many(baseline, [trial])[0], known[slowest.number]):
            ratio = _ratio(session, programs, trial)
            others += [] if ratio is None else [(trial, ratio)]
    found = Elsewhere(recorded, tuple(ratio for _, ratio in others))
    if found.holds:
        return found
    recorded = _ratio(session, programs, _trial(slowest), AGAIN) or recorded
    if recorded < WORTH_ASKING:
        return Elsewhere(recorded)
    again = [
        (_ratio(session, programs, trial, AGAIN) or ratio) if found.is_lost(ratio) else ratio
        for trial, ratio in others
    ]
    return Elsewhere(recorded, tuple(again))


def _trial(case: Seedling) -> Trial:
    return Trial(case.stdin, case.args, case.number)


def _neighbours(case: Seedling) -> Iterator[Trial]:
    """The case with one number a little different."""
    files = {path: Text.of(case.files[path]) for path in case.named[:MOST_FILES]}
    for by in STEPS:
        for data in _stepped(Text.of(case.stdin), by):
            yield Trial(data, case.args, case.number)
        for path, text in files.items():
            for data in _stepped(text, by):
                yield Trial(case.stdin, case.args, case.number, {path: data})
        for place, argument in enumerate(case.args):
            value = number_of(argument.encode("utf-8", "surrogateescape"))
            if value is not None:
                args = (*case.args[:place], str(value + by), *case.args[place + 1 :])
                yield Trial(case.stdin, args, case.number)


def _stepped(text: Text, by: int) -> Iterator[bytes]:
    """With one of the first numbers changed ``by`` so much."""
    for place in text.numbers()[:MOST_PLACES]:
        value = number_of(text.tokens[place])
        if value is not None:
            yield text.with_token(place, b"%d" % (value + by)).data


def _as_busy(result: RunResult, recorded: RunResult) -> bool:
    low, high = (x * recorded.cpu for x in ALIKE)
    other = not same(result, recorded)
    return other and result.ending is Ending.EXITED and low <= result.cpu <= high


def _ratio(
    session: Session, programs: tuple[str, str], trial: Trial, times: int = TIMES
) -> float | None:
    """The best of a few runs of each, in turn; None where one does not end by itself."""
    best = [float("inf"), float("inf")]
    for _ in range(times):
        for side, name in enumerate(programs):
            (result,) = session.run_many(name, [trial])
            if result.ending is not Ending.EXITED:
                return None
            best[side] = min(best[side], max(result.cpu, 1e-6))
    return best[0] / best[1]
