"""How long each rung may take: a share of what the link may take, and never more than a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gccllm.assurance.levels import Assurance

__all__ = ["LEAST_SECONDS", "Shares"]

LEAST_SECONDS = 1.0
"""with less left, a rung is not begun"""
_SHARES: Mapping[str, tuple[float, float]] = {
    "fuzz": (0.07, 20.0),
    "coverage": (0.05, 15.0),
    "region": (0.02, 6.0),
    "differential": (0.10, 30.0),
    "proof": (0.08, 20.0),
}
"""rung → (share of the link's budget, most seconds). The limits are for long searches, whose
combinations have many functions, which share this time."""
_NEEDED: Mapping[Assurance, tuple[str, ...]] = {
    Assurance.TESTS: (),
    Assurance.FUZZED: ("fuzz", "coverage", "region", "differential"),
    Assurance.DIFFERENTIAL: ("fuzz", "coverage", "region", "differential"),
    Assurance.PROVED: ("fuzz", "coverage", "region", "differential", "proof"),
}


@dataclass(frozen=True)
class Shares:
    """``budget``: seconds that the whole link may take."""

    budget: float

    def seconds(self, rung: str) -> float:
        """What a rung may take for all functions of a combination together."""
        share, most = _SHARES[rung]
        return min(share * self.budget, most)

    def reserved(self, wanted: Assurance) -> float:
        """What has to be left, so that a combination can reach what is wanted. Other rungs get
        what happens to be left over."""
        return sum(self.seconds(x) for x in _NEEDED[wanted])
