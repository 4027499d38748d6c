"""The words of the ladder: how sure one can be, and what one examination found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from gccllm.types import Json

__all__ = ["Assurance", "Examination", "Standing", "sure_enough", "weakest"]


class Assurance(str, Enum):
    """What stands behind a rewrite, weakest first; the value is the stable id."""

    TESTS = "tests"
    """the recordings, and nothing else"""
    FUZZED = "fuzzed"
    """whole runs of the program on mutated inputs, too"""
    DIFFERENTIAL = "differential"
    """the function itself beside gcc's on captured, mutated and mined arguments, too"""
    PROVED = "proved"
    """equal for all inputs, or for all up to a bound that is stated"""

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return list(Assurance).index(self)

    def covers(self, wanted: Assurance) -> bool:
        """Whether this is as sure as ``wanted`` at least."""
        return self.rank >= wanted.rank


def weakest(levels: Iterable[Assurance]) -> Assurance:
    """As sure as all of them are; 'tests' for none."""
    return min(levels, key=lambda x: x.rank, default=Assurance.TESTS)


def sure_enough(stored: str, wanted: Assurance) -> bool:
    """Whether a level as it is stored covers ``wanted``; a word of another version does not."""
    known = [x for x in Assurance if x.value == stored]
    return any(x.covers(wanted) for x in known)


class Standing(str, Enum):
    """What came of one examination."""

    PASSED = "passed"
    REFUTED = "refuted"
    """an input was found on which candidate and baseline differ, or a rule is broken"""
    UNKNOWN = "unknown"
    """not supported, or not decided in the time that there was; never a pass"""


@dataclass(frozen=True)
class Examination:
    """What one level found of one function. ``detail`` is one line for a person (what was covered,
    the counterexample, or why it is unknown), ``evidence`` data for reports: inputs tried,
    coverage, bounds, seconds."""

    level: Assurance
    standing: Standing
    detail: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)
    seconds: float = 0.0
