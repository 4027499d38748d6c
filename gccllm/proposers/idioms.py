"""Templates wired by search, as a proposer: no model, no other compiler.

Every region of every hot function is compared with the forms of the families that it resembles. A
form is tried in all wirings that fit, each wiring runs beside gcc's own lines on random and edge
states in the sandbox, and what is equal there becomes a candidate. The judge decides about speed.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render, replace
from gccllm.asm.unit import Unit, parse
from gccllm.errors import GccllmError
from gccllm.families.base import Family, Hints
from gccllm.families.constants import with_constants
from gccllm.families.layouts import Layout, layouts
from gccllm.families.registry import FAMILIES
from gccllm.families.wiring import Instance, instances, variants
from gccllm.harness.compare import UNTRIED, Harness
from gccllm.harness.comparison import Comparison
from gccllm.proposers.base import Task
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate

__all__ = ["IdiomsProposer", "Wired", "Wirer"]

STATES = 20_000
MOST_INSTANCES = 3000
MOST_OF_A_FAMILY = 500
MOST_UNNOTICED = 200
"""states until wrong results of a form that falls back on gcc's code have to be noticed"""
MOST_OFFERED = 6
"""of one region: judging a candidate costs more than finding it"""
SEED = 20_240_607
_CONFIRMING = 3
"""times as many states, fresh ones, for what was equal on the first"""
_WIDE = re.compile(r"%[yz]mm")


@dataclass(frozen=True)
class Wired:
    """An instance of a form for a region of a straightened unit."""

    family: str
    region: Region
    instance: Instance


class Wirer:
    """Finds the instances that are equal to regions; with ``slow`` also of forms that are marked as
    slow on the machine of who wrote them."""

    def __init__(
        self,
        harness: Harness,
        features: frozenset[str],
        families: Sequence[Family] = FAMILIES,
        *,
        states: int = STATES,
        slow: bool = False,
    ) -> None:
        self._states = states
        self._slow = slow
        self._harness = harness
        self._features = features
        self._families = families

    def fitting(self, layout: Layout, region: Region, until: float = math.inf) -> list[Wired]:
        """Every wiring of every form that might do what ``region`` does, in the families' order,
        as far as they are found by ``until`` (time.monotonic())."""
        baseline = render(layout.unit, region).splitlines()
        hints = Hints(tuple(baseline), tuple(layout.constants(region).values()))
        found: list[Wired] = []
        for family in self._families:
            if time.monotonic() > until:
                break
            own = (
                Wired(family.name, region, instance)
                for form in family.forms(hints)
                if (self._slow or not form.slow_here) and form.features <= self._features
                for variant in variants(form)
                for instance in instances(variant, region, baseline)
            )
            found += islice(own, MOST_OF_A_FAMILY)
        return found[:MOST_INSTANCES]

    def compare(
        self,
        layout: Layout,
        region: Region,
        chosen: Sequence[Sequence[str]],
        *,
        states: int,
        seed: int,
        until: float = math.inf,
    ) -> list[Comparison]:
        """What the harness says of each of ``chosen`` (canonical lines), with known constants set
        in both versions, until ``until``. Raises SandboxError and ToolchainError as the harness
        does."""
        constants = layout.constants(region)
        # What vzeroupper clears can't be seen by code without wide registers, and is not cleared
        # in the random states.
        narrow = not _WIDE.search(layout.unit.text)
        candidates = [
            [
                x
                for x in with_constants(lines, constants)
                if not (narrow and x.strip() == "vzeroupper")
            ]
            for lines in chosen
        ]
        baseline = with_constants(render(layout.unit, region).splitlines(), constants)
        versions = [*candidates, _control(baseline)]
        results = self._harness.compare(
            region, layout.unit, baseline, versions, states=states, seed=seed, until=until
        )
        return results[:-1]

    def equal(self, layout: Layout, region: Region, until: float = math.inf) -> Iterator[Wired]:
        """The instances that do what the region does, on all states tried, the first ones and then
        as many again three times, as far as they are known by ``until`` (time.monotonic()).

        A form that falls back on gcc's code counts only where its own way is taken often enough
        for a mistake to show. Of several wirings of one form the first that holds is kept.
        Raises SandboxError and ToolchainError as the harness does.
        """
        tried = self.fitting(layout, region, until)
        if not tried:
            return
        doubtful = [n for n, x in enumerate(tried) if x.instance.spoilt]
        versions = [x.instance.lines for x in tried] + [tried[n].instance.spoilt for n in doubtful]
        results = self.compare(
            layout, region, versions, states=self._states, seed=SEED, until=until
        )
        vain = {
            n
            for n, x in zip(doubtful, results[len(tried) :], strict=True)
            if x.equal or x.run > MOST_UNNOTICED or x.detail == UNTRIED
        }
        held = [x for n, x in enumerate(tried) if results[n].equal and n not in vain]
        if not held:
            return
        # Of hundreds of wrong wirings a few get by all states by luck; not by fresh ones, too.
        confirmed = self.compare(
            layout,
            region,
            [x.instance.lines for x in held],
            states=_CONFIRMING * self._states,
            seed=SEED + 1,
            until=until,
        )
        seen: set[str] = set()
        for wired, result in zip(held, confirmed, strict=True):
            form = wired.instance.form
            key = f"{wired.family}: {form.label} {form.needs}"
            if result.equal and key not in seen:
                seen.add(key)
                yield wired


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
                # The user's machine may be another one, and the judge times there.
                wirer = Wirer(harness, task.isa.features, self._families, slow=True)
                for function in task.functions:
                    known = unit.functions.get(function.name)
                    if known is not None and known.replaceable:
                        yield from self._function(task, tools, wirer, unit, function.name)
        except GccllmError:
            return

    def _function(
        self, task: Task, tools: Toolchain, wirer: Wirer, unit: Unit, name: str
    ) -> Iterator[Candidate]:
        """The candidates of one function."""
        offered: set[str] = set()
        found = layouts(tools, unit, name, task.scratch / "idioms.o")
        for layout, region in ((x, region) for x in found for region in x.regions):
            started = time.monotonic()
            if started >= task.deadline:
                return
            for wired in islice(wirer.equal(layout, region, task.deadline), MOST_OFFERED):
                form = wired.instance.form
                text = replace(layout.unit, region, wired.instance.lines)
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
