"""Pairs from the rewrite families: slow C through gcc, fast templates wired in, proven by running.

A sample is one function of one family, its surroundings drawn at random, compiled by gcc. Each of
its regions that some form of the family equals (on thousands of random and edge states, in the
sandbox) gives a pair; of the regions that nothing equals some give a pair whose answer is ``keep``.

Sample N of a seed is always the same, whoever makes it, so shards can be made in parallel, in any
order, and again. Whole families are held out, not only samples.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gccllm.asm.region_model import Region
from gccllm.asm.unit import Unit, parse
from gccllm.errors import GccllmError, UsageError
from gccllm.families.base import Family
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.process import run
from gccllm.proposers.idioms import Wired, Wirer
from gccllm.region_prompt import region_prompt
from gccllm.toolchain import Toolchain
from trainer.pairs import KEEP_ANSWER, Pair, write_shard

__all__ = [
    "HELD_OUT",
    "LEVELS",
    "Plan",
    "families_named",
    "make_sample",
    "make_shard",
    "make_shards",
]

LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
HELD_OUT = ("parity", "graydecode")
"""families that no training pair comes from"""
KEEP_SHARE = 0.5
"""how often a region that nothing equals gives a pair"""
VALID_EVERY = 50
SHARD_SAMPLES = 64
OPTIONS = (("-O3",), ("-O3",), ("-O3",), ("-O2",), ("-O3", "-fPIC"), ("-O3", "-fwrapv"))


@dataclass(frozen=True)
class Plan:
    """What to make: ``count`` samples of ``seed``, as shards of ``SHARD_SAMPLES`` in ``out``."""

    out: Path
    count: int
    seed: int
    families: tuple[str, ...]

    def shards(self) -> dict[Path, range]:
        """Shard file → its samples."""
        starts = range(0, self.count, SHARD_SAMPLES)
        return {
            self.out / f"families-{self.seed}-{start:07d}.parquet": range(
                start, min(start + SHARD_SAMPLES, self.count)
            )
            for start in starts
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
    families_named(plan.families)
    missing = {path: span for path, span in plan.shards().items() if not path.exists()}
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        running = {
            pool.submit(make_shard, path, span, plan.seed, plan.families): path
            for path, span in missing.items()
        }
        for done in as_completed(running):
            yield running[done], done.result()


def make_shard(path: Path, samples: range, seed: int, names: tuple[str, ...]) -> int:
    """Make one shard; → its pairs. Equal pairs of a shard are kept once."""
    families = families_named(names)
    seen: dict[tuple[str, str], Pair] = {}
    tools = Toolchain()
    with Harness(toolchain=tools) as harness:
        for number in samples:
            family = families[number % len(families)]
            for pair in make_sample(tools, harness, family, number, seed):
                seen.setdefault((pair.prompt, pair.answer), pair)
    return write_shard(path, seen.values())


def make_sample(
    tools: Toolchain, harness: Harness, family: Family, number: int, seed: int
) -> Iterator[Pair]:
    """The pairs of one sample; none where gcc or the harness can't make anything of it."""
    rng = random.Random(f"{seed} {number} {family.name}")
    slow = family.slow(rng)
    level = rng.choice(LEVELS)
    options = rng.choice(OPTIONS)
    features = _features(tools.cc, level)
    wirer = Wirer(tools, harness, features, [family])
    with tempfile.TemporaryDirectory(prefix="gccllm-corpus-") as folder:
        unit = _compiled(tools, slow.source, options, Path(folder))
        if unit is None or slow.function not in unit.functions:
            return
        try:
            layouts = wirer.layouts(unit, slow.function, Path(folder) / "unit.o")
            for number_of_layout, (layout, found) in enumerate(layouts):
                for region in found:
                    wired = next(iter(wirer.equal(layout, region)), None)
                    keeping = number_of_layout == 0 and rng.random() < KEEP_SHARE
                    if wired is not None or keeping:
                        yield _pair(layout, region, wired, family, level, number, seed, options)
        except GccllmError:
            return


def _pair(
    unit: Unit,
    region: Region,
    wired: Wired | None,
    family: Family,
    level: str,
    number: int,
    seed: int,
    options: Sequence[str],
) -> Pair:
    answer = "".join(f"{x}\n" for x in wired.instance.lines) if wired else KEEP_ANSWER
    if family.name in HELD_OUT:
        split = "heldout-family"
    else:
        split = "valid" if number % VALID_EVERY == 0 else "train"
    return Pair(
        prompt=region_prompt(unit, region, level),
        answer=answer,
        family=family.name,
        package="",
        isa=level,
        split=split,
        provenance={
            "seed": seed,
            "sample": number,
            "options": " ".join(options),
            "form": wired.instance.form.label if wired else "",
            "region": region.shape.value,
        },
    )


def _compiled(tools: Toolchain, source: str, options: Sequence[str], folder: Path) -> Unit | None:
    path = folder / "sample.c"
    path.write_text(source)
    argv = [tools.cc, "-S", "-w", *options, str(path), "-o", "-"]
    done = run(argv, timeout=30.0)
    return parse(done.stdout.decode()) if done.ok else None


@lru_cache(maxsize=16)
def _features(cc: str, level: str) -> frozenset[str]:
    return Toolchain(cc).isa("target", (f"-march={level}",)).features
