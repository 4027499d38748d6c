"""What a search handles: combinations that are right, verdicts as they fall, and what it found."""

from __future__ import annotations

from dataclasses import dataclass

from gccllm.assurance.ladder import Climbed, Combination, Giver
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Donor
from gccllm.types import Candidate, Verdict

__all__ = ["Found", "Parts", "Seen", "Trial"]

Parts = tuple[tuple[Donor, tuple[str, ...]], ...]
"""who gives which functions"""


@dataclass(frozen=True)
class Trial:
    """A combination that is right: who gave which functions, and its speedup at a glance."""

    parts: Parts
    admitted: Admitted
    ratio: float

    @property
    def functions(self) -> tuple[tuple[str, str], ...]:
        """(unit, function) of everything replaced."""
        return tuple((d.candidate.unit, name) for d, names in self.parts for name in names)

    @property
    def label(self) -> str:
        return " + ".join(dict.fromkeys(d.candidate.label for d, _ in self.parts))

    @property
    def proposers(self) -> str:
        return "+".join(dict.fromkeys(d.candidate.proposer for d, _ in self.parts))

    def giver(self, unit: str, function: str) -> Donor:
        """Who gave it. Raises StopIteration for what is not replaced."""
        return next(d for d, names in self.parts if d.candidate.unit == unit and function in names)

    def combination(self, replaced: tuple[tuple[str, str], ...]) -> Combination:
        """As the ladder examines it. ``replaced``: more than ``functions``, where some of them are
        gcc's own after all."""
        givers = {
            (d.candidate.unit, name): Giver(d.candidate.text, d.candidate.foreign)
            for d, names in self.parts
            for name in names
        }
        return Combination(self.admitted.texts, self.admitted.build, givers, replaced)


@dataclass(frozen=True)
class Seen:
    """A verdict on a candidate, for the record."""

    candidate: Candidate
    functions: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Found:
    """The accepted combination, the measurement that it was accepted on, and how sure it is."""

    trial: Trial
    verdict: Verdict
    baseline_seconds: float
    optimized_seconds: float
    control_ratios: tuple[float, ...]
    climbed: Climbed
