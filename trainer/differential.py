"""Regions of a unit, the prompts that ask for them, and answers tried out beside gcc's own lines.

Needs no program: what is compared is the region alone, by the harness.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from gccllm.asm.lending import lent
from gccllm.asm.ordering import ordered
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render, replace
from gccllm.asm.unit import Unit
from gccllm.errors import GccllmError
from gccllm.families.layouts import Layout, layouts
from gccllm.harness.compare import Harness
from gccllm.harness.comparison import Comparison, ComparisonKind
from gccllm.proposers.idioms import Wirer
from gccllm.region_prompt import RegionPrompt, region_prompt
from gccllm.toolchain import Toolchain
from trainer.pairs import KEEP_ANSWER

__all__ = ["Differential", "JudgedRegion", "regions_of"]


@dataclass(frozen=True)
class JudgedRegion:
    """A region of a unit; ``number`` is its place among all regions asked for together, the same
    each time."""

    number: int
    function: str
    layout: Layout
    region: Region

    @property
    def lines(self) -> tuple[str, ...]:
        """gcc's own, in canonical form."""
        return tuple(render(self.layout.unit, self.region).splitlines())

    def prompt(self, level: str) -> RegionPrompt:
        """What a model is asked; ``level`` is the instruction set that the answer may use."""
        constants = self.layout.constants(self.region)
        return region_prompt(self.layout.unit, self.region, level, constants)

    @cached_property
    def _prompt(self) -> RegionPrompt:
        return self.prompt("x86-64")  # which level it is makes no difference to the names

    def leaves(self, answer: str) -> bool:
        """Whether ``answer`` is ``keep`` or gcc's own lines again."""
        if answer.strip() == KEEP_ANSWER:
            return True
        return _plain(ordered(answer.splitlines())) == _plain(self._prompt.region)

    def rewritten(self, answer: str) -> str:
        """The unit with ``answer`` in the region's place. Raises ValueError for lines that are not
        in canonical form."""
        return replace(self.layout.unit, self.region, self._lines(answer))

    def _lines(self, answer: str) -> list[str]:
        return lent(self._prompt.lines(answer), self.region)

    def versions(self, answers: Iterable[str]) -> list[list[str]]:
        """The lines of answers in the region's own registers. What uses registers unnamed where
        that can't be is no line at all."""
        found = []
        for answer in answers:
            try:
                found.append(self._lines(answer))
            except ValueError as error:
                found.append([f"# {error}"])
        return found


def regions_of(
    tools: Toolchain, unit: Unit, names: Iterable[str], scratch: Path
) -> tuple[JudgedRegion, ...]:
    """The regions of the functions ``names`` in all their layouts; a function that can't be
    replaced has none. ``scratch`` is a path for objects."""
    found: list[JudgedRegion] = []
    for name in names:
        known = unit.functions.get(name)
        if known is None or not known.replaceable:
            continue
        for layout in layouts(tools, unit, name, scratch):
            for region in layout.regions:
                found.append(JudgedRegion(len(found), name, layout, region))
    return tuple(found)


class Differential:
    """Tries out answers. A context manager, unless it is given a harness that is open already;
    then that one is used and stays open."""

    def __init__(self, tools: Toolchain, harness: Harness | None = None) -> None:
        self._tools = tools
        self._harness = harness
        self._stack = ExitStack()

    def __enter__(self) -> Differential:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def compare(
        self, region: JudgedRegion, answers: Sequence[str], states: int = 2000, seed: int = 0
    ) -> list[Comparison]:
        """Each answer beside gcc's own lines of the region on ``states`` random and edge states.

        What leaves the region is equal without being run. A sandbox that breaks gives refused.
        """
        equal = Comparison(ComparisonKind.EQUAL, states, detail=KEEP_ANSWER)
        new = [x for x in answers if not region.leaves(x)]
        try:
            results = iter(self._run(region, new, states, seed) if new else [])
        except (GccllmError, OSError) as error:
            refused = Comparison(ComparisonKind.REFUSED, detail=f"not tried out: {error}")
            results = iter([refused] * len(new))
        return [equal if region.leaves(x) else next(results) for x in answers]

    def assembles(self, region: JudgedRegion, answer: str, scratch: Path) -> bool:
        """Whether as takes the unit with ``answer`` in the region's place. For answers whose text
        passed the text gate. Raises ValueError as :meth:`JudgedRegion.rewritten` does."""
        return self._tools.assemble(region.rewritten(answer), scratch).ok

    def _run(
        self, region: JudgedRegion, answers: Sequence[str], states: int, seed: int
    ) -> list[Comparison]:
        if self._harness is None:
            self._harness = self._stack.enter_context(Harness(toolchain=self._tools))
        wirer = Wirer(self._harness, frozenset())
        versions = region.versions(answers)
        return wirer.compare(region.layout, region.region, versions, states=states, seed=seed)


def _plain(lines: Sequence[str]) -> list[str]:
    """Lines without what does not matter between words."""
    return [" ".join(x.split()) for x in lines if x.strip()]
