"""What can be had for the regions of one function: templates that equal them, and other builds.

A candidate counts that does what the region does on thousands of states and is faster in the timing
program, twice. What nothing improves is to be kept as it is, which is most of real code.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.normalise import function_text
from gccllm.asm.region_model import Region, Shape
from gccllm.asm.region_text import render, replace
from gccllm.asm.unit import Unit
from gccllm.families.base import Hints
from gccllm.families.layouts import Layout, layouts
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain
from trainer.corpus.alignment import alignments, unlikeness
from trainer.corpus.builds import Build, alone
from trainer.corpus.levels import LEVELS, features_of, level_of
from trainer.corpus.registers import anonymous
from trainer.corpus.timing import MOST_TIMED, Stopwatch

__all__ = ["Answer", "Finding", "Miner"]

FIRST_STATES, MORE_STATES = 4_000, 20_000
FEWEST_RUN = 2_000
"""states that the baseline has to get through for two versions to be called equal"""
SPEEDUP = 1.05
NEARLY = 0.95
"""of the best speedup: what has that is as good, and the plainest of it is taken"""
FIRST_RUN = 150
"""the same of the first states"""
MOST_INSTRUCTIONS = 200
MOST_LINES = 120
"""of an answer: more than a small model can write"""
MOST_LOOPS, MOST_RUNS = 6, 3
"""regions of one layout that are looked at: loops and what belongs to them, runs of blocks"""
LIKEST = 2
"""regions of another build that are tried for one region"""
WAYS = 6
MOST_ALIGNED = 150
_SEED = 20_241_101


@dataclass(frozen=True)
class Answer:
    """``lines`` do what the region does, ``speedup`` times as fast, with the instructions of
    ``level``. ``family`` is that of a template, "" for another build; ``label`` names which."""

    lines: tuple[str, ...]
    family: str
    label: str
    level: str
    speedup: float = 0.0


@dataclass(frozen=True)
class Finding:
    """A region and the best answer at each level, None where nothing beats gcc's code."""

    layout: Layout
    region: Region
    text: str
    best: Mapping[str, Answer | None]


class Miner:
    """Looks for answers, each region once. ``counts`` says what became of the regions.

    ``region_seconds``: a region that takes longer is given up; ``function_seconds`` likewise for
    what is left of a function. Both by the wall clock, so on a slow machine fewer are found.
    """

    def __init__(
        self,
        tools: Toolchain,
        harness: Harness,
        timer: Stopwatch,
        *,
        region_seconds: float,
        function_seconds: float,
    ) -> None:
        self._tools = tools
        self._timer = timer
        self._wirer = Wirer(harness, features_of(tools.cc, LEVELS[-1]), FAMILIES)
        self._region_seconds = region_seconds
        self._function_seconds = function_seconds
        self._scratch = Path()
        self._seen: set[tuple[str, ...]] = set()
        self.counts: Counter[str] = Counter()

    def findings(
        self, unit: Unit, name: str, others: Sequence[tuple[Build, Unit]], scratch: Path
    ) -> Iterator[Finding]:
        """The regions of function ``name``, each with what was found for it.

        Raises SandboxError and ToolchainError as the harness does.
        """
        self._scratch = scratch
        chosen = [
            (layout, region)
            for layout in layouts(self._tools, unit, name, scratch)
            for region in self._worthwhile(layout)
        ]
        if not chosen:
            return
        deadline = time.monotonic() + self._function_seconds
        looping = any(_loops(layout, region) for layout, region in chosen)
        theirs = self._theirs(name, others, scratch) if looping else []
        for layout, region in chosen:
            started = time.monotonic()
            if started > deadline:
                self.counts["out of time"] += 1
                continue
            answers = self._answers(layout, region, theirs, started + self._region_seconds)
            if answers is None:
                self.counts["out of time"] += 1
                continue
            best = {x: _best(answers, x) for x in LEVELS}
            self.counts["regions"] += 1
            self.counts["improved"] += any(best.values())
            yield Finding(layout, region, render(layout.unit, region), best)

    def _worthwhile(self, layout: Layout) -> Iterator[Region]:
        """Regions of a size that a prompt can hold, each text once, the best kinds first."""
        room = {True: MOST_RUNS, False: MOST_LOOPS}
        # A run that holds loops and what stands around them is where builds differ most.
        runs = sorted(
            (x for x in layout.regions if x.shape is Shape.BLOCKS), key=lambda x: -x.instructions
        )
        for region in [*runs, *(x for x in layout.regions if x.shape is not Shape.BLOCKS)]:
            is_run = region.shape is Shape.BLOCKS
            if room[is_run] == 0 or region.instructions > MOST_INSTRUCTIONS:
                continue
            room[is_run] -= 1
            out = str([(x.live, sorted(x.flags)) for x in region.exits])
            key = (*anonymous(render(layout.unit, region).splitlines()), out)
            if key in self._seen:
                self.counts["seen before"] += 1
                continue
            self._seen.add(key)
            yield region

    def _theirs(
        self, name: str, others: Sequence[tuple[Build, Unit]], scratch: Path
    ) -> list[tuple[Build, Layout]]:
        """The layouts of the function in other builds; code that is the same only once."""
        found: list[tuple[Build, Layout]] = []
        texts: set[str] = set()
        for build, unit in others:
            known = unit.functions.get(name)
            if known is None or not known.replaceable:
                continue
            text = function_text(unit, name)
            if text not in texts:
                texts.add(text)
                single = alone(unit, name)
                found += ((build, x) for x in layouts(self._tools, single, name, scratch))
        return found

    def _answers(
        self,
        layout: Layout,
        region: Region,
        theirs: Sequence[tuple[Build, Layout]],
        deadline: float,
    ) -> list[Answer] | None:
        """All that is equal and faster; None when the time is up."""
        aligned = self._aligned(layout, region, theirs)
        lines = [x.lines for x in aligned]
        if time.monotonic() > deadline:
            return None
        equal = self._templates(layout, region)
        if time.monotonic() > deadline:
            return None
        if lines:
            results = self._wirer.compare(layout, region, lines, states=FIRST_STATES, seed=_SEED)
            fewest = FEWEST_RUN // 4
            same = (x for x, r in zip(aligned, results, strict=True) if r.equal and r.run >= fewest)
            equal += same
        if not equal:
            return []
        self.counts["regions with equals"] += 1
        if time.monotonic() > deadline:
            return None
        faster = self._faster(layout, region, equal[:MOST_TIMED])
        return self._proven(layout, region, faster) if faster else []

    def _templates(self, layout: Layout, region: Region) -> list[Answer]:
        found = []
        for wired in self._wirer.equal(layout, region):
            form = wired.instance.form
            level = level_of(self._tools.cc, form.features)
            if level is not None and len(wired.instance.lines) <= MOST_LINES:
                label = f"{wired.family}: {form.label}" + (f" ({form.needs})" if form.needs else "")
                found.append(Answer(wired.instance.lines, wired.family, label, level))
        return found

    @staticmethod
    def _aligned(
        layout: Layout, region: Region, theirs: Sequence[tuple[Build, Layout]]
    ) -> list[Answer]:
        """Regions of other builds in the registers of this one, the likeliest ways."""
        if not _loops(layout, region):
            return []  # too short for its time to be told
        own = anonymous(render(layout.unit, region).splitlines())
        found: dict[tuple[str, ...], Answer] = {}
        for build, other in theirs:
            ranked = []
            for number, candidate in enumerate(other.regions):
                score = unlikeness(layout, region, other, candidate)
                if score is not None:
                    ranked.append((score, number))
            for _, number in sorted(ranked)[:LIKEST]:
                for lines in alignments(layout, region, other, other.regions[number], WAYS):
                    if len(lines) <= MOST_LINES and anonymous(lines) != own:
                        answer = Answer(lines, "", build.label, build.level)
                        found.setdefault(lines, answer)
        return list(found.values())[:MOST_ALIGNED]

    def _faster(self, layout: Layout, region: Region, equal: Sequence[Answer]) -> list[Answer]:
        timed = self._timer.speedups(layout, region, [x.lines for x in equal])
        return [
            Answer(x.lines, x.family, x.label, x.level, round(speedup, 2))
            for x, speedup in zip(equal, timed, strict=True)
            if speedup >= SPEEDUP
        ]

    def _proven(self, layout: Layout, region: Region, faster: Sequence[Answer]) -> list[Answer]:
        """Those that hold on more and other states, in a second measurement, and in the unit."""
        results = self._wirer.compare(
            layout, region, [x.lines for x in faster], states=MORE_STATES, seed=_SEED + 1
        )
        left = [
            x
            for x, r in zip(faster, results, strict=True)
            if r.equal and r.run >= FEWEST_RUN and self._assembles(layout.unit, region, x)
        ]
        return self._faster(layout, region, left) if left else []

    def _assembles(self, unit: Unit, region: Region, answer: Answer) -> bool:
        try:
            text = replace(unit, region, answer.lines)
        except ValueError:
            return False
        return self._tools.assemble(text, self._scratch).ok


def _loops(layout: Layout, region: Region) -> bool:
    return Hints(tuple(render(layout.unit, region).splitlines())).loops


def _best(answers: Sequence[Answer], level: str) -> Answer | None:
    """The fastest at a level; of those nearly as fast a template, a lower level, fewer lines."""
    usable = [x for x in answers if LEVELS.index(x.level) <= LEVELS.index(level)]
    if not usable:
        return None
    fastest = max(x.speedup for x in usable)
    good = [x for x in usable if x.speedup >= NEARLY * fastest]
    return min(good, key=lambda x: (not x.family, LEVELS.index(x.level), len(x.lines), x.lines))
