"""Templates wired by search, as a proposer: no model, no other compiler.

Every region of every hot function is compared with the forms of the families that it resembles. A
form is tried in all wirings that fit, each wiring runs beside gcc's own lines on random and edge
states in the sandbox, and what is equal there becomes a candidate. The judge decides about speed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.asm.region_model import Region, Shape
from gccllm.asm.region_text import render, replace
from gccllm.asm.regions import regions
from gccllm.asm.unit import Unit, parse
from gccllm.errors import GccllmError
from gccllm.families.base import Family, Hints
from gccllm.families.constants import known_constants, with_constants
from gccllm.families.registry import FAMILIES
from gccllm.families.straighten import straighten
from gccllm.families.wiring import Instance, instances, variants
from gccllm.harness.compare import Harness
from gccllm.harness.comparison import Comparison
from gccllm.proposers.base import Task
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate

__all__ = ["IdiomsProposer", "Wired", "Wirer"]

FIRST_STATES = 300
MORE_STATES = 20_000
MOST_INSTANCES = 3000
MOST_UNNOTICED = 200
"""states until wrong results of a form that falls back on gcc's code have to be noticed"""
MOST_REGIONS = 24
MOST_OFFERED = 6
"""of one region: judging a candidate costs more than finding it"""
SEED = 20_240_607
_WIDE = re.compile(r"%[yz]mm")


@dataclass(frozen=True)
class Wired:
    """An instance of a form for a region of a straightened unit."""

    family: str
    region: Region
    instance: Instance


class Wirer:
    """Finds the instances that are equal to regions of one unit's functions."""

    def __init__(
        self,
        tools: Toolchain,
        harness: Harness,
        features: frozenset[str],
        families: Sequence[Family] = FAMILIES,
    ) -> None:
        self._tools = tools
        self._harness = harness
        self._features = features
        self._families = families
        self._code: ObjectCode | None = None

    def layouts(self, unit: Unit, name: str, scratch: Path) -> Iterator[tuple[Unit, list[Region]]]:
        """The unit with function ``name`` straightened and that function's regions; then the same
        with one return, and those regions that only this layout has. What the other methods are
        asked about a region belongs to the layout that was yielded last."""
        straight = straighten(unit, name)
        whole = straighten(unit, name, one_return=True)
        layouts = [(straight, False)] + ([(whole, True)] if whole is not unit else [])
        for layout, is_whole in layouts:
            self._code = assembled(self._tools, layout, scratch)
            if self._code is None:
                continue
            found = regions(layout, name, self._code)
            if is_whole:
                found = [x for x in found if x.shape is Shape.BLOCKS]
            yield layout, found[:MOST_REGIONS]

    def fitting(self, unit: Unit, region: Region) -> list[Wired]:
        """Every wiring of every form that might do what ``region`` does, in the families' order."""
        baseline = render(unit, region).splitlines()
        hints = Hints(tuple(baseline), tuple(self._constants(unit, region).values()))
        found: list[Wired] = []
        for family in self._families:
            for form in family.forms(hints):
                if form.slow_here or not form.features <= self._features:
                    continue
                for variant in variants(form):
                    found += (
                        Wired(family.name, region, x) for x in instances(variant, region, baseline)
                    )
        return found[:MOST_INSTANCES]

    def compare(
        self,
        unit: Unit,
        region: Region,
        chosen: Sequence[Instance],
        *,
        states: int,
        seed: int,
        spoilt: bool = False,
    ) -> list[Comparison]:
        """What the harness says of each, with known constants set in both versions; of their
        ``spoilt`` lines if asked."""
        constants = self._constants(unit, region)
        # What vzeroupper clears can't be seen by code without wide registers, and is not cleared
        # in the random states.
        narrow = not _WIDE.search(unit.text)
        candidates = [
            [
                x
                for x in with_constants(w.spoilt if spoilt else w.lines, constants)
                if not (narrow and x.strip() == "vzeroupper")
            ]
            for w in chosen
        ]
        baseline = with_constants(render(unit, region).splitlines(), constants)
        results = self._harness.compare(
            region, unit, baseline, [*candidates, _control(baseline)], states=states, seed=seed
        )
        return results[:-1]

    def equal(self, unit: Unit, region: Region) -> Iterator[Wired]:
        """The instances that do what the region does: a few states for all, more for the rest.

        A form that falls back on gcc's code counts only where its own way is taken often enough
        for a mistake to show. Of several wirings of one form the first that holds is kept.
        Raises SandboxError and ToolchainError as the harness does.
        """
        chosen = self.fitting(unit, region)
        for states, seed in ((FIRST_STATES, SEED), (MORE_STATES, SEED + 1)):
            if not chosen:
                return
            tried = [x.instance for x in chosen]
            results = self.compare(unit, region, tried, states=states, seed=seed)
            chosen = [w for w, x in zip(chosen, results, strict=True) if x.equal]
        doubtful = [w for w in chosen if w.instance.spoilt]
        if doubtful:
            tried = [x.instance for x in doubtful]
            results = self.compare(
                unit, region, tried, states=MORE_STATES, seed=SEED + 1, spoilt=True
            )
            vain = [
                w
                for w, x in zip(doubtful, results, strict=True)
                if x.equal or x.run > MOST_UNNOTICED
            ]
            chosen = [w for w in chosen if w not in vain]
        seen: set[str] = set()
        for wired in chosen:
            form = wired.instance.form
            key = f"{wired.family}: {form.label} {form.needs}"
            if key not in seen:
                seen.add(key)
                yield wired

    def _constants(self, unit: Unit, region: Region) -> Mapping[str, int]:
        return {} if self._code is None else known_constants(unit, self._code, region)


def _control(baseline: Sequence[str]) -> list[str]:
    """The baseline with an instruction that does nothing but name the stack pointer.

    The harness then puts the stack back in order before each version, which matters where a wild
    index of the region reaches it.
    """
    at = next((i + 1 for i, x in enumerate(baseline) if x.strip() == "L0:"), 0)
    return [*baseline[:at], "\tleaq\t(%rsp), %rsp", *baseline[at:]]


class IdiomsProposer:
    """Yields one candidate for each form that is equal to a region of a hot function.

    Strange code, a sandbox that can't be had or a function that is not understood yield nothing.
    """

    name = "idioms"
    refines = False

    def __init__(self, families: Sequence[Family] = FAMILIES) -> None:
        self._families = families

    def propose(self, task: Task) -> Iterator[Candidate]:
        try:
            tools = Toolchain()
            unit = parse(task.baseline)
            with Harness(toolchain=tools) as harness:
                wirer = Wirer(tools, harness, task.isa.features, self._families)
                for function in task.functions:
                    known = unit.functions.get(function.name)
                    if known is not None and known.replaceable:
                        yield from self._function(task, wirer, unit, function.name)
        except GccllmError:
            return

    def _function(self, task: Task, wirer: Wirer, unit: Unit, name: str) -> Iterator[Candidate]:
        """The candidates of one function."""
        offered: set[str] = set()
        layouts = wirer.layouts(unit, name, task.scratch / "idioms.o")
        for straight, region in ((u, r) for u, found in layouts for r in found):
            started = time.monotonic()
            if started >= task.deadline:
                return
            for wired in islice(wirer.equal(straight, region), MOST_OFFERED):
                form = wired.instance.form
                text = replace(straight, region, wired.instance.lines)
                if text in offered:
                    continue
                offered.add(text)
                yield Candidate(
                    proposer=self.name,
                    unit=task.unit,
                    functions=(name,),
                    text=text,
                    label=f"{form.label} ({form.needs})" if form.needs else form.label,
                    seconds=time.monotonic() - started,
                )
                started = time.monotonic()
                if started >= task.deadline:
                    return


def assembled(tools: Toolchain, unit: Unit, path: Path) -> ObjectCode | None:
    """The decoded object of a unit; None where it can't be assembled or read."""
    if not tools.assemble(unit.text, path).ok:
        return None
    try:
        return functions_of(path)
    except (OSError, ValueError):
        return None
