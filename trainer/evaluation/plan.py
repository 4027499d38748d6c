"""What an evaluation is to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gccllm.errors import UsageError
from gccllm.proposers.answers import Sampling
from gccllm.types import Json
from trainer.corpus.programs import JudgedProgram, example_programs
from trainer.evaluation.product import Build

__all__ = ["EXAMPLES", "FAMILY_SPLITS", "PACKAGES", "SETS", "Plan"]

FAMILY_SPLITS = ("valid", "heldout-family")
PACKAGES = "heldout-package"
EXAMPLES = "examples"
SETS = (*FAMILY_SPLITS, PACKAGES, EXAMPLES)
"""the sets of questions"""


@dataclass(frozen=True)
class Plan:
    """What to evaluate.

    ``models``: name for tables → model folder. ``data``: pairs of :mod:`trainer.pairs`. ``limit``:
    programs of each set; ``most_questions`` of a program; ``budget``: seconds, after which what is
    not begun is left for the next call. ``unmasked``: also ask without holding to the grammar.
    ``build`` None: no runs of gcc-llm; ``product_limit``: family programs that it builds.
    """

    out: Path
    models: Mapping[str, Path]
    data: Path | None = None
    examples: Path | None = None
    sets: tuple[str, ...] = SETS
    limit: int = 60
    most_questions: int = 6
    sampling: Sampling = field(default_factory=lambda: Sampling(8, temperature=0.8))
    unmasked: bool = True
    build: Build | None = None
    product_limit: int = 12
    budget: float = float("inf")

    def settings(self) -> dict[str, Json]:
        """All that figures depend on, but for how many there are."""
        settings: dict[str, Json] = {
            "models": {name: str(path.resolve()) for name, path in sorted(self.models.items())},
            "data": str(self.data.resolve()) if self.data else "",
            "most_questions": self.most_questions,
            "samples": self.sampling.samples,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "least": self.sampling.least,
            "unmasked": self.unmasked,
        }
        if self.build is not None:
            settings["product"] = f"{self.build.model} {self.build.isa} {self.build.budget:g} s"
        return settings

    def pairs(self) -> Path:
        """Raises UsageError where no folder was given."""
        if self.data is None:
            raise UsageError("which folder holds the pairs?")
        return self.data

    def example_programs(self) -> list[JudgedProgram]:
        """Raises UsageError where no folder was given, or one without programs."""
        if self.examples is None:
            raise UsageError("which folder holds the examples?")
        return list(example_programs(self.examples))
