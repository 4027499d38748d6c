"""What the harness finds out about a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Comparison", "ComparisonKind"]


class ComparisonKind(str, Enum):
    """How a candidate compares with the baseline on the states tried."""

    EQUAL = "equal"
    DIFFERS = "differs"
    FAULTED = "faulted"
    HUNG = "hung"
    NOT_ASSEMBLED = "not-assembled"
    REFUSED = "refused"
    """it can't be tried out: lines not in canonical form, a call, an instruction that this machine
    lacks, a symbol that the region does not name"""


@dataclass(frozen=True)
class Comparison:
    """``run`` is the number of states on which the baseline finished and the candidate agreed;
    ``skipped`` those on which the baseline faulted or did not end. EQUAL with few states run says
    little: look at ``run``. ``detail`` is one line. ``state`` describes the state on which it went
    wrong (its index, so that the same seed replays it, registers, memory behind each pointer); it
    starts with "overlapping" in ``overlapping`` where two pointers were made to overlap, which
    a caller's contract may exclude.
    """

    kind: ComparisonKind
    run: int = 0
    skipped: int = 0
    detail: str = ""
    state: str = ""
    overlapping: bool = False

    @property
    def equal(self) -> bool:
        return self.kind is ComparisonKind.EQUAL and self.run > 0
