"""What the ladder of :mod:`gccllm.assurance` says of an answer that is right and faster.

Recordings and clock alone are had cheaply: an answer that knows the recorded inputs by heart
prints the recorded outputs, and is faster than any program. So what would earn more than gcc's own
code is examined as the product does before it ships: whole runs on inputs made from the recorded
ones, its speed there, blocks that nothing entered, its functions alone.

=======================================  ===========================  =====================
the ladder                               verdict                      earns
=======================================  ===========================  =====================
stands by ``fuzzed`` at least            the clock's                  its speedup
refutes it                               differs, screened            as what is wrong
doubts it (fast where recorded, say)     suspicious                   as what is wrong
can't be that sure, and never will be    not-faster, no speedup       as leaving gcc's code
had no time, or failed                   unjudged                     as what is unjudged
=======================================  ===========================  =====================
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.assurance.ladder import Climbed, Known, Ladder, Shares
from gccllm.assurance.ladder.rungs import Place, ProgramRungs
from gccllm.assurance.ladder.unchanged import unchanged
from gccllm.assurance.levels import Assurance
from gccllm.judge.judge import Donor, Judge
from gccllm.proposers.base import CompileSpec
from gccllm.search.trial import Trial
from gccllm.types import Json, Verdict, VerdictKind

__all__ = ["Examiner", "worth_examining"]

WANTED = Assurance.FUZZED
"""as gcc-llm wants it by itself"""
_RIGHT = (VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER)


def worth_examining(verdict: Verdict) -> bool:
    """Whether a right answer may earn more than leaving gcc's code; no reward pays for what can't
    be told from 1."""
    measured = verdict.speedup
    return verdict.kind in _RIGHT and measured is not None and measured.low > 1.0


@dataclass(frozen=True)
class Examiner:
    """Of one program. ``seconds``: as long as a link with so much time would examine, which is a
    fourth of it."""

    judge: Judge
    rungs: ProgramRungs
    seconds: float

    @staticmethod
    def over(
        judge: Judge, specs: dict[str, CompileSpec], scratch: Path, seconds: float
    ) -> Examiner:
        """Of a judge's program. ``specs``: how to compile its units again, where that is known;
        ``scratch``: an existing folder of its own."""
        arena = judge.arena
        place = Place(
            judge.program,
            judge.baseline.build,
            arena.recording,
            arena.sandbox,
            scratch,
            specs,
            arena.core,
        )
        return Examiner(judge, ProgramRungs(place), seconds)

    def examined(self, trial: Trial, verdict: Verdict) -> Verdict:
        """``verdict``, the clock's on ``trial``, or what the ladder says instead."""
        shares = Shares(self.seconds)
        # No time beyond what is reserved: proofs are not waited for.
        ladder = Ladder(self.rungs, WANTED, shares, time.monotonic())
        climbed = ladder.examine(self._changed(trial).combination(trial.functions))
        return _said(climbed, verdict)

    def _changed(self, trial: Trial) -> Trial:
        """Without functions that are gcc's own after all: nothing is to be said about them."""

        def kept(donor: Donor, names: tuple[str, ...]) -> tuple[str, ...]:
            base = self.judge.base(donor.candidate.unit)
            return tuple(x for x in names if not unchanged(base, donor.unit, x))

        parts = tuple((donor, kept(donor, names)) for donor, names in trial.parts)
        parts = tuple((donor, names) for donor, names in parts if names)
        return replace(trial, parts=parts) if parts else trial


def _said(climbed: Climbed, verdict: Verdict) -> Verdict:
    """See the table above. All functions of an answer stand or fall together."""
    seconds: dict[str, Json] = {"ladder_seconds": round(climbed.seconds, 3)}
    if not climbed.fallen:
        known: dict[str, Json] = {"assurance": climbed.level.value}
        return replace(verdict, evidence={**verdict.evidence, **known, **seconds})
    worst = min(climbed.fallen, key=_place)
    fallen = worst.verdict(WANTED)
    kind = _KINDS[_place(worst)] or fallen.kind
    evidence = {**fallen.evidence, **seconds}
    return replace(fallen, kind=kind, evidence=evidence, tests_run=verdict.tests_run)


_REFUTED, _DOUBTED, _SHORT, _UNFINISHED = range(4)
_KINDS = {
    _REFUTED: None,
    _DOUBTED: VerdictKind.SUSPICIOUS,
    _SHORT: VerdictKind.NOT_FASTER,
    _UNFINISHED: VerdictKind.UNJUDGED,
}
"""what an answer's worst function makes of it; None: what the ladder calls it"""


def _place(known: Known) -> int:
    """Of a function that does not stand; the worst first."""
    # Proofs are not wanted here, and one that had no time is no reason to ask again.
    rungs = [x.evidence for name, x in known.rungs.items() if name != "proof"]
    if known.refuted:
        return _REFUTED
    if any(x.get("doubt") and not x.get("again") for x in rungs):
        return _DOUBTED
    return _UNFINISHED if any(x.get("again") for x in rungs) else _SHORT
