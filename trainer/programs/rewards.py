"""What a whole program's answer earns: the paper's rewards, with alpha as a choice."""

from __future__ import annotations

from dataclasses import dataclass

from gccllm.errors import UsageError
from gccllm.types import Verdict
from trainer.ppo.reward import Shaping
from trainer.reward import ALPHA, correctness_guided

__all__ = ["ProgramShaping"]


@dataclass(frozen=True)
class ProgramShaping(Shaping):
    """As :class:`Shaping`; ``alpha`` weighs the speedup in cgs (the paper tried 5 and 10)."""

    alpha: float = ALPHA

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha < 0:
            raise UsageError("alpha is 0 at least")

    def earned(self, verdict: Verdict, tests: int) -> float:
        """The reward for a verdict whose speedup is shaped already."""
        if self.kind.startswith("cgs"):
            published = self.kind.endswith("published")
            return correctness_guided(verdict, tests, alpha=self.alpha, published=published)
        return super().earned(verdict, tests)
