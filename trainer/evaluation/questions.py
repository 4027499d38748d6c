"""What is asked: regions of programs, with the answer that the teacher gives.

A *docket* is one program and its questions. Those of the families come from pairs on disk: their
provenance names the sample, whose program is made again, and the region is the one whose prompt is
the pair's. Those of the examples are all regions of the functions that a program spends time in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain
from trainer.corpus.answers import teachers_answer
from trainer.corpus.samples import Sample, draw_sample
from trainer.differential import JudgedRegion
from trainer.pairs import KEEP_ANSWER, Pair, read_pairs

__all__ = ["Asked", "Docket", "family_dockets", "matched", "teacher_questions"]


@dataclass(frozen=True)
class Asked:
    """A prompt, the level that its answer may use, and what the teacher answers."""

    prompt: str
    level: str
    teacher: str


@dataclass
class Docket:
    """The questions about one program: a sample of a family. ``name`` is the program's."""

    name: str
    sample: Sample
    asked: list[Asked] = field(default_factory=list)


def family_dockets(
    folder: Path, split: str, levels: Sequence[str], *, seed: int, most: int
) -> list[Docket]:
    """The programs of a split's pairs in an order drawn by ``seed``, families in turn; each with at
    most ``most`` questions, drawn too. Pairs of levels beyond ``levels`` are left out.

    Raises UsageError as :func:`trainer.pairs.read_pairs` does.
    """
    families = {x.name: x for x in FAMILIES}
    found: dict[tuple[str, int, int], list[Pair]] = {}
    for pair in read_pairs(folder, split):
        origin = pair.provenance
        number, its_seed = origin.get("sample"), origin.get("seed")
        if not isinstance(number, int) or not isinstance(its_seed, int) or pair.package:
            continue
        if pair.family in families and pair.isa in levels:
            found.setdefault((pair.family, its_seed, number), []).append(pair)
    rng = random.Random(f"{seed} {split}")
    by_family: dict[str, list[Docket]] = {}
    for key in sorted(found):
        name, its_seed, number = key
        pairs = found[key]
        chosen = rng.sample(pairs, min(most, len(pairs)))
        options = str(pairs[0].provenance.get("options", "")).split()
        sample = draw_sample(families[name], number, its_seed, options or None)
        docket = Docket(f"{name}-{its_seed}-{number}", sample)
        docket.asked = [Asked(x.prompt, x.isa, x.answer) for x in chosen]
        by_family.setdefault(name, []).append(docket)
    for dockets in by_family.values():
        rng.shuffle(dockets)
    order = sorted(by_family)
    rng.shuffle(order)
    return list(_in_turn([by_family[x] for x in order]))


def matched(
    asked: Sequence[Asked], regions: Sequence[JudgedRegion]
) -> Iterator[tuple[Asked, JudgedRegion]]:
    """Each question with the region whose prompt it is. gcc writes a few functions otherwise when
    more stands in the unit; questions about those are left out."""
    by_prompt: dict[tuple[str, str], JudgedRegion] = {}
    for level in sorted({x.level for x in asked}):
        for region in regions:
            by_prompt.setdefault((level, region.prompt(level).text), region)
    for question in asked:
        known = by_prompt.get((question.level, question.prompt))
        if known is not None:
            yield question, known


def teacher_questions(
    tools: Toolchain, harness: Harness, regions: Sequence[JudgedRegion], level: str, most: int
) -> Iterator[tuple[Asked, JudgedRegion]]:
    """All of ``regions`` at ``level``, at most ``most``, with what the templates make of them.

    Raises SandboxError and ToolchainError as the harness does.
    """
    features = tools.isa("target", (f"-march={level}",)).features
    wirer = Wirer(harness, features)
    for region in islice(regions, most):
        wired = next(iter(wirer.equal(region.layout, region.region)), None)
        prompt = region.prompt(level)
        try:
            answer = teachers_answer(prompt, region.region, wired.instance.lines) if wired else ""
        except ValueError:
            answer = ""
        yield Asked(prompt.text, level, answer or KEEP_ANSWER), region


def _in_turn(lists: Sequence[Sequence[Docket]]) -> Iterator[Docket]:
    """The first of each, the second of each, …"""
    for place in range(max(map(len, lists), default=0)):
        yield from (x[place] for x in lists if place < len(x))
