"""Which of a model's answers are worth the judge's time: those that do what the region does.

Answers run beside gcc's own lines on random and edge states, in the sandbox. What differs, faults
or hangs there is dropped; what can't be tried out is let through, for the judge to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gccllm.asm.region_model import Region
from gccllm.errors import GccllmError
from gccllm.events import count_event
from gccllm.families.layouts import Layout
from gccllm.harness.compare import Harness
from gccllm.harness.comparison import ComparisonKind
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain

__all__ = ["Screen"]

STATES = 2000
SEED = 20_261_122


class Screen:
    """A context manager around one sandbox session. ``counts`` gets what is dropped, by the
    harness's word for it; each is an event ``model-dropped:…`` of the store too."""

    def __init__(self, tools: Toolchain, counts: Counter[str]) -> None:
        self._counts = counts
        self._harness = Harness(toolchain=tools)
        self._wirer: Wirer | None = None

    def __enter__(self) -> Screen:
        try:
            self._wirer = Wirer(self._harness.__enter__(), frozenset())
        except GccllmError:
            count_event("model-unscreened")
        return self

    def __exit__(self, *_: object) -> None:
        if self._wirer is not None:
            self._harness.__exit__(None, None, None)
            self._wirer = None

    def passed(
        self, layout: Layout, region: Region, answers: Sequence[Sequence[str]]
    ) -> list[bool]:
        """For each of ``answers`` (lines in canonical form) whether it may go to the judge; all of
        them where there is no sandbox to try them in."""
        if self._wirer is None or not answers:
            return [True] * len(answers)
        try:
            found = self._wirer.compare(layout, region, answers, states=STATES, seed=SEED)
        except GccllmError:
            count_event("model-unscreened")
            return [True] * len(answers)
        verdicts = []
        for one in found:
            untried = one.kind is ComparisonKind.REFUSED
            untried |= one.kind is ComparisonKind.EQUAL and one.run == 0
            verdicts.append(untried or one.equal)
            if not verdicts[-1]:
                self._counts[one.kind.value] += 1
                count_event(f"model-dropped:{one.kind.value}")
        return verdicts
