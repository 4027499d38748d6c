"""From a verdict to a reward that noise can't move: bands, bounds, and always the same keys.

The reward itself is one of :data:`trainer.reward.REWARDS`. Before it, the measured speedup is made
robust (:class:`Shaping`): what can't be told from 1 is one and the same, so that a copy of the
baseline earns neither more nor less than leaving it; what is far out is bounded, so that one lucky
program does not drown all others; and on request it is counted in doublings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gccllm.errors import UsageError
from gccllm.types import Json, Speedup, Verdict, VerdictKind
from trainer.reward import REWARDS

__all__ = ["SCORE_KEYS", "Shaping", "load_verdict", "saved_verdict", "scored", "unjudged"]

SCORE_KEYS = ("score", "verdict", "well_formed", "assembled", "correct", "speedup", "cached")
"""of every reward: the reward; the verdict's id; four figures, 0 or 1 but for the speedup (0 for
what is not right, as measured else); whether it was known before"""

_RIGHT = frozenset({VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER, VerdictKind.UNCHANGED})
_NOT_BUILT = frozenset({VerdictKind.SCREENED, VerdictKind.NOT_ASSEMBLED, VerdictKind.NOT_LINKED})


@dataclass(frozen=True)
class Shaping:
    """``kind`` is a key of ``REWARDS``. Speedups are held in [``low``, ``high``]; those whose
    interval holds 1, or that are within ``band`` of it, are ``even``, and so is what was left as it
    is: 1 as in the paper, less so that looking for something better pays although most finds are
    wrong. ``doublings`` counts 1 + log2 of a speedup instead, never below 0: twice as fast is 2,
    four times 3, half as fast 0.
    """

    kind: str = "so"
    low: float = 0.0
    high: float = 4.0
    band: float = 0.03
    doublings: bool = False
    even: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in REWARDS:
            raise UsageError(f"no reward {self.kind}; there are {', '.join(REWARDS)}")
        if not (0 <= self.low < 1 < self.high and 0 <= self.band < 1 and 0 <= self.even <= 1):
            raise UsageError("rewards need 0 <= low < 1 < high, 0 <= band < 1 and 0 <= even <= 1")

    def speedup(self, measured: Speedup) -> float:
        """The speedup that counts."""
        ratio = measured.ratio
        if measured.low <= 1.0 <= measured.high or abs(ratio - 1.0) <= self.band:
            return self.even
        if self.doublings:
            ratio = 1.0 + math.log2(ratio) if ratio > 0 else 0.0
        return min(max(ratio, self.low), self.high)

    def reward(self, verdict: Verdict, tests: int) -> float:
        """The reward for a verdict on a program with ``tests`` recorded cases."""
        measured = verdict.speedup or Speedup(1.0, 1.0, 1.0, 0)
        ratio = self.speedup(measured)
        verdict = replace(verdict, speedup=Speedup(ratio, ratio, ratio, measured.pairs))
        return self.earned(verdict, tests)

    def earned(self, verdict: Verdict, tests: int) -> float:
        """The reward for a verdict whose speedup is shaped already."""
        return REWARDS[self.kind](verdict, tests)


def scored(verdict: Verdict, tests: int, shaping: Shaping, cached: bool) -> dict[str, Json]:
    """What compute_score returns: all of :data:`SCORE_KEYS`."""
    kind = verdict.kind
    unknown = kind is VerdictKind.UNJUDGED
    right = kind in _RIGHT
    ratio = verdict.speedup.ratio if verdict.speedup else 1.0
    well_formed = not unknown and kind is not VerdictKind.MALFORMED
    return {
        "score": float(shaping.reward(verdict, tests)),
        "verdict": kind.value,
        "well_formed": float(well_formed),
        "assembled": float(well_formed and kind not in _NOT_BUILT),
        "correct": float(right),
        "speedup": float(ratio) if right else 0.0,
        "cached": float(cached),
    }


def unjudged(detail: str) -> dict[str, Json]:
    """The same keys where no verdict could be had."""
    return scored(Verdict(VerdictKind.UNJUDGED, detail), 0, Shaping(), False)


def saved_verdict(verdict: Verdict) -> dict[str, Json]:
    """A verdict as JSON, as far as a reward needs it."""
    measured = verdict.speedup
    return {
        "kind": verdict.kind.value,
        "detail": verdict.detail,
        "tests_run": verdict.tests_run,
        "speedup": None
        if measured is None
        else [measured.ratio, measured.low, measured.high, measured.pairs],
    }


def load_verdict(content: Mapping[str, Json]) -> Verdict:
    """What :func:`saved_verdict` made. Raises ValueError, LookupError or TypeError."""
    numbers, tests = content["speedup"], content["tests_run"]
    measured = None
    if isinstance(numbers, list):
        ratio, low, high, pairs = numbers
        if not (
            isinstance(ratio, float)
            and isinstance(low, float)
            and isinstance(high, float)
            and isinstance(pairs, int)
        ):
            raise TypeError("a speedup is three numbers and a count")
        measured = Speedup(ratio, low, high, pairs)
    if not isinstance(tests, int):
        raise TypeError("tests_run is a number")
    kind = VerdictKind(str(content["kind"]))
    return Verdict(kind, str(content["detail"]), {}, measured, tests)
