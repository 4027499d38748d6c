"""Pairs from the rewrite families: slow C through gcc, fast templates wired in, proven by running.

A sample is one function of one family, its surroundings drawn at random, often inside another
function, compiled by gcc. Each of its regions that some form of any family equals (on thousands of
random and edge states, in the sandbox) gives a pair; of the regions that nothing equals some give a
pair whose answer is ``keep``.

Sample N of a family and a seed is always the same function, and a shard always the same pairs,
whoever makes it, so shards can be made in parallel, in any order, and again. Whole families are
held out, not only samples: no other family's pair has an answer by one of their forms.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from gccllm.asm.region_model import Region
from gccllm.asm.unit import Unit, parse
from gccllm.errors import GccllmError, UsageError
from gccllm.families.base import Family
from gccllm.families.layouts import Layout, layouts
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.process import run
from gccllm.region_prompt import region_prompt
from gccllm.toolchain import Toolchain
from trainer.corpus.answers import teachers_answer
from trainer.corpus.levels import LEVELS, features_of
from trainer.corpus.samples import HELD_OUT, draw_sample, levels_for
from trainer.corpus.surroundings import surrounded
from trainer.corpus.wirings import Rewriting, Wirings
from trainer.pairs import KEEP_ANSWER, Pair, write_shard

__all__ = [
    "Plan",
    "Teacher",
    "families_named",
    "make_sample",
    "make_shard",
    "make_shards",
]

KEEP_SHARE = 0.08
"""how often a region that nothing equals gives a pair"""
SURROUNDED_SHARE = 0.6
"""of training samples: those whose function stands in another one"""
VALID_EVERY = 50
SHARD_SAMPLES = 250


@dataclass(frozen=True)
class Plan:
    """What to make: ``count`` samples of each family, as shards of ``SHARD_SAMPLES`` in ``out``."""

    out: Path
    count: int
    seed: int
    families: tuple[str, ...]

    def shards(self) -> dict[Path, tuple[str, range]]:
        """Shard file → its family and samples; all families' first shards come first."""
        names = [x.name for x in families_named(self.families)]
        return {
            self.out / f"{name}-{self.seed}-{start:06d}.parquet": (
                name,
                range(start, min(start + SHARD_SAMPLES, self.count)),
            )
            for start in range(0, self.count, SHARD_SAMPLES)
            for name in names
        }


def families_named(names: Sequence[str]) -> tuple[Family, ...]:
    """By name, all of them for none. Raises UsageError for a name that there is not."""
    known = {family.name: family for family in FAMILIES}
    wrong = [x for x in names if x not in known]
    if wrong:
        raise UsageError(f"no family {wrong[0]!r}; there are {', '.join(known)}")
    return tuple(known[x] for x in names) if names else tuple(FAMILIES)


def make_shards(plan: Plan, jobs: int) -> Iterator[tuple[Path, int]]:
    """Make what is missing of the plan's shards, in parallel; yields (shard, pairs) as they come.

    Shards that exist are left as they are, so an interrupted run goes on where it stopped.
    """
    missing = {path: work for path, work in plan.shards().items() if not path.exists()}
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        running = {
            pool.submit(make_shard, path, name, span, plan.seed): path
            for path, (name, span) in missing.items()
        }
        for done in as_completed(running):
            yield running[done], done.result()


def make_shard(path: Path, name: str, samples: range, seed: int) -> int:
    """Make one shard; → its pairs. Equal pairs of a shard are kept once."""
    (family,) = families_named((name,))
    seen: dict[tuple[str, str], Pair] = {}
    tools = Toolchain()
    with Harness(toolchain=tools) as harness:
        teacher = Teacher(tools, harness, family)
        for number in samples:
            for pair in make_sample(tools, teacher, number, seed):
                seen.setdefault((pair.prompt, pair.answer), pair)
    return write_shard(path, seen.values())


class Teacher:
    """The forms of a family, and of all others for what it leaves, at every level."""

    def __init__(self, tools: Toolchain, harness: Harness, family: Family) -> None:
        self.family = family
        self.features = {x: features_of(tools.cc, x) for x in LEVELS}
        highest = self.features[LEVELS[-1]]
        self._own = Wirings(harness, highest, [family])
        self._others = Wirings(harness, highest, [x for x in FAMILIES if x is not family])

    def answers(
        self, layout: Layout, region: Region, *, others: bool = True
    ) -> tuple[Rewriting, ...]:
        """Of the family's own forms, else of the ``others``. Raises as :meth:`Wirings.all` does."""
        own = self._own.all(layout, region)
        return own if own or not others else self._others.all(layout, region)


def make_sample(tools: Toolchain, teacher: Teacher, number: int, seed: int) -> Iterator[Pair]:
    """The pairs of one sample; none where gcc or the harness can't make anything of it."""
    family = teacher.family
    sample = draw_sample(family, number, seed)
    slow, options = sample.slow, sample.options
    possible = levels_for(options)
    rng = random.Random(f"{seed} {number} {family.name} pairs")
    around = None
    # Evaluation makes programs of the others' functions, as they are.
    if _split(family.name, "", number) == "train" and rng.random() < SURROUNDED_SHARE:
        around = surrounded(slow, rng)
    slow = around or slow
    with tempfile.TemporaryDirectory(prefix="gccllm-corpus-") as folder:
        unit = _compiled(tools, slow.source, options, Path(folder))
        if unit is None or slow.function not in unit.functions:
            return
        found = layouts(tools, unit, slow.function, Path(folder) / "unit.o")
        try:
            for first, layout in zip(chain([True], repeat(False)), found, strict=False):
                for region in layout.regions:
                    wanted = first and rng.random() < KEEP_SHARE
                    answers = teacher.answers(layout, region, others=wanted)
                    if not wanted and not answers:
                        continue
                    for level in possible if answers else (rng.choice(possible),):
                        fitting = (x for x in answers if x.needs <= teacher.features[level])
                        new = next(fitting, None)
                        split = _split(family.name, new.family if new else "", number)
                        if split is None or (new is None and not wanted):
                            continue
                        constants = layout.constants(region)
                        prompt = region_prompt(layout.unit, region, level, constants)
                        try:
                            answer = teachers_answer(prompt, region, new.lines) if new else ""
                        except ValueError:
                            continue
                        yield Pair(
                            prompt=prompt.text,
                            answer=answer or KEEP_ANSWER,
                            family=family.name,
                            package="",
                            isa=level,
                            split=split,
                            provenance={
                                "seed": seed,
                                "sample": number,
                                "options": " ".join(options),
                                "surrounded": around is not None,
                                "form": f"{new.family}: {new.form}" if new else "",
                                "region": region.shape.value,
                            },
                        )
        except GccllmError:
            return


def _split(drawn: str, answered: str, number: int) -> str | None:
    """Where a pair goes, by the family of its function and that of its answer; None: nowhere."""
    if drawn in HELD_OUT:
        return "heldout-family"
    if answered in HELD_OUT:
        return None
    return "valid" if number % VALID_EVERY == 0 else "train"


def _compiled(tools: Toolchain, source: str, options: Sequence[str], folder: Path) -> Unit | None:
    path = folder / "sample.c"
    path.write_text(source)
    argv = [tools.cc, "-S", "-w", *options, str(path), "-o", "-"]
    done = run(argv, timeout=30.0)
    return parse(done.stdout.decode()) if done.ok else None
