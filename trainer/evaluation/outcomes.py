"""What became of one answer, and the judging that says so.

An answer climbs a ladder: well-formed, assembles, links, passes every recording; apart from that
it is tried on random and edge states beside gcc's own lines. It is *correct* when it passes and is
equal on at least :data:`LEAST_STATES` states, and *faster* when it is correct and quick timing says
so. Answers that leave the region as it is climb no ladder: they are counted as kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from gccllm.harness.comparison import Comparison, ComparisonKind
from gccllm.types import Verdict, VerdictKind
from trainer.differential import Differential, JudgedRegion
from trainer.judging import RegionJudge, is_faster

__all__ = ["LEAST_STATES", "HarnessCourt", "Outcome", "ProgramCourt"]

LEAST_STATES = 1000
FIRST_STATES = 2000
MORE_STATES = 40_000
"""for regions that finish on few states only"""

_BEFORE_LINK = frozenset(
    {VerdictKind.MALFORMED, VerdictKind.SCREENED, VerdictKind.NOT_ASSEMBLED, VerdictKind.NOT_LINKED}
)
_RIGHT = frozenset({VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER, VerdictKind.SUSPICIOUS})


@dataclass(frozen=True)
class Outcome:
    """``kind`` is the verdict, or what the harness found where there is no program to run.

    ``states`` is on how many the region finished and agreed. ``speedup`` is that of an answer that
    passes, 0 where it was not timed. ``programmed`` tells whether there was a program, so that
    ``links``, ``passes`` and ``faster`` mean something.
    """

    kind: str
    kept: bool = False
    well_formed: bool = False
    assembles: bool = False
    links: bool = False
    passes: bool = False
    equal: bool = False
    states: int = 0
    faster: bool = False
    speedup: float = 0.0
    programmed: bool = True
    detail: str = ""

    @property
    def correct(self) -> bool:
        """Passes every recording, where there is a program, and is equal on enough states."""
        return self.equal and (self.passes or not self.programmed)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class ProgramCourt:
    """Judges answers to the regions of one program; each different answer once."""

    def __init__(self, judge: RegionJudge, seed: int = 0) -> None:
        self._judge = judge
        self._seed = seed
        self._known: dict[tuple[int, str, str], Outcome] = {}

    def outcome(self, region: JudgedRegion, answer: str, level: str) -> Outcome:
        """What became of ``answer``, which may use the instructions of ``level``."""
        key = (region.number, answer, level)
        if key not in self._known:
            self._known[key] = self._judged(region, answer, level)
        return self._known[key]

    def _judged(self, region: JudgedRegion, answer: str, level: str) -> Outcome:
        if region.leaves(answer):
            return Outcome(VerdictKind.UNCHANGED.value, kept=True)
        verdict = self._judge.judge(region, answer, level)
        kind = verdict.kind
        found = Outcome(kind.value, detail=verdict.detail)
        if kind is VerdictKind.MALFORMED or _refused_text(verdict):
            return found
        compared = _compared(
            lambda states: self._judge.differential(region, [answer], states, self._seed)[0]
        )
        assembles = kind not in _BEFORE_LINK or self._judge.assembles(region, answer)
        passes = kind in _RIGHT
        equal = _enough(compared)
        return replace(
            found,
            well_formed=True,
            assembles=assembles,
            links=kind not in _BEFORE_LINK,
            passes=passes,
            equal=equal,
            states=compared.run,
            faster=passes and equal and is_faster(verdict),
            speedup=verdict.speedup.ratio if passes and verdict.speedup else 0.0,
            detail=verdict.detail if not passes else f"{compared.kind.value}: {compared.detail}",
        )


class HarnessCourt:
    """Judges answers to regions of a unit of which there is no program: by the harness alone."""

    def __init__(self, differential: Differential, seed: int = 0) -> None:
        self._differential = differential
        self._seed = seed

    def outcome(self, region: JudgedRegion, answer: str, level: str) -> Outcome:
        """As :meth:`ProgramCourt.outcome`; nothing is linked or timed."""
        del level
        if region.leaves(answer):
            return Outcome(VerdictKind.UNCHANGED.value, kept=True, programmed=False)
        try:
            region.rewritten(answer)
        except ValueError as error:
            return Outcome(VerdictKind.MALFORMED.value, programmed=False, detail=str(error))
        compared = _compared(
            lambda states: self._differential.compare(region, [answer], states, self._seed)[0]
        )
        refused = compared.kind in (ComparisonKind.NOT_ASSEMBLED, ComparisonKind.REFUSED)
        return Outcome(
            compared.kind.value,
            well_formed=True,
            assembles=not refused,
            equal=_enough(compared),
            states=compared.run,
            programmed=False,
            detail=compared.detail,
        )


def _compared(compare: Callable[[int], Comparison]) -> Comparison:
    """Few states first; more where the region finishes on too few of them."""
    found = compare(FIRST_STATES)
    if found.kind is ComparisonKind.EQUAL and found.run < LEAST_STATES:
        found = compare(MORE_STATES)
    return found


def _enough(compared: Comparison) -> bool:
    return compared.equal and compared.run >= LEAST_STATES


def _refused_text(verdict: Verdict) -> bool:
    """The text gate's refusal: what it refuses is no assembly that a compiler writes."""
    return verdict.kind is VerdictKind.SCREENED and verdict.evidence.get("gate") == "text"
