"""Pairs from real C: functions of Debian source packages, their regions improved where that is had.

The baseline is ``gcc -O3`` at plain x86-64, as the product sees it. A region's answer is a template
that equals it, or what another compiler or setting made of the same source, put into the region's
registers; it was run beside the baseline and measured faster. Regions that nothing improves give
pairs whose answer is ``keep``, as many as the plan lets.

A shard is a part of one package: the same functions whoever makes it. What is found in them depends
on time limits and measurements too, so it may differ a little from machine to machine. Whole
packages are held out, and no region is in two shards, not under other registers either: the first
shard that is done has it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.lines import Line, label_of, split_statement
from gccllm.asm.unit import Unit
from gccllm.errors import GccllmError
from gccllm.harness.compare import Harness
from gccllm.region_prompt import region_prompt
from gccllm.toolchain import Toolchain
from gccllm.types import Json
from trainer.corpus.answers import teachers_answer
from trainer.corpus.builds import BUILDS, baseline, compiled
from trainer.corpus.debian import (
    HELD_OUT_PACKAGES,
    Source,
    SourceMissing,
    c_files,
    fetch,
    include_options,
    packages_named,
    preprocess,
)
from trainer.corpus.levels import LEVELS
from trainer.corpus.mining import Answer, Finding, Miner
from trainer.corpus.registers import anonymous
from trainer.corpus.samples import HELD_OUT
from trainer.corpus.timing import Timer
from trainer.pairs import KEEP_ANSWER, Pair, write_shard

__all__ = [
    "PackagePlan",
    "Shard",
    "make_package_shard",
    "make_package_shards",
    "mine_file",
    "store_shard",
]

VALID_EVERY = 50
PARTS = 6
"""shards of a package; each has every sixth of its files"""
FILES, FUNCTIONS, WITHOUT_LOOPS = 20, 12, 3
"""that are looked at: files a shard, functions a file, those of them that have no loop"""
LEAST_KEPT = 6
"""``keep`` pairs that a shard without any other may have"""
FEWEST_INSTRUCTIONS, MOST_LINES = 8, 60_000
INDEX = "regions.txt"


@dataclass(frozen=True)
class PackagePlan:
    """What to make below ``out``. ``cache`` is where sources are unpacked; ``keep_share`` the
    greatest share of ``keep`` pairs in a shard; the times are those of :class:`Miner`. Without
    ``compilers`` only the templates are tried."""

    out: Path
    cache: Path
    seed: int
    packages: tuple[str, ...] = ()
    parts: int = PARTS
    keep_share: float = 0.6
    region_seconds: float = 15.0
    function_seconds: float = 90.0
    compilers: bool = True

    def shards(self) -> list[Shard]:
        """All packages' first parts come first, held-out packages before the others."""
        order = list(packages_named(self.packages))
        random.Random(self.seed).shuffle(order)
        order.sort(key=lambda x: x not in HELD_OUT_PACKAGES)
        return [Shard(self, name, part) for part in range(self.parts) for name in order]


@dataclass(frozen=True)
class Shard:
    """Part ``part`` of package ``package``."""

    plan: PackagePlan
    package: str
    part: int

    @property
    def path(self) -> Path:
        return self.plan.out / f"{self.package}-{self.plan.seed}-{self.part:02d}.parquet"


def make_package_shards(plan: PackagePlan, jobs: int) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    """Make what is missing of the plan's shards; yields (shard, what was found) as they come.

    What was found is also written beside the shard, as JSON. Raises UsageError as
    :func:`trainer.corpus.debian.fetch` does.
    """
    missing = [x for x in plan.shards() if not x.path.exists()]
    if jobs == 1:
        for shard in missing:
            yield shard.path, make_package_shard(shard)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        running = {pool.submit(make_package_shard, x): x.path for x in missing}
        for done in as_completed(running):
            yield running[done], done.result()


def make_package_shard(shard: Shard) -> Mapping[str, Json]:
    """Make one shard; → what was found. A package that the archive does not give makes no shard,
    and ``problem`` says so, so that a later run tries again.

    Raises SandboxUnavailable and ToolchainError where nothing can be run here.
    """
    plan, started = shard.plan, time.monotonic()
    counts: Counter[str] = Counter()
    told: dict[str, Json] = {"package": shard.package, "part": shard.part, "seed": plan.seed}
    try:
        source = fetch(shard.package, plan.cache)
    except SourceMissing as error:
        return {**told, "problem": str(error)}
    tools = Toolchain()
    with Harness(toolchain=tools) as harness, Timer(tools) as timer:
        miner = Miner(
            tools,
            harness,
            timer,
            region_seconds=plan.region_seconds,
            function_seconds=plan.function_seconds,
        )
        found = list(_mined(tools, miner, shard, source, counts))
        counts += miner.counts
    pairs = store_shard(shard, found, counts)
    kinds = Counter("keep" if x.keeps else "template" if x.family else "compiler" for x in pairs)
    told |= {
        "version": source.version,
        "seconds": round(time.monotonic() - started, 1),
        "pairs": dict(sorted(kinds.items())),
        "counts": dict(sorted(counts.items())),
    }
    shard.path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n")
    return told


def store_shard(
    shard: Shard, found: Sequence[tuple[str, Pair]], counts: Counter[str]
) -> list[Pair]:
    """Write a shard: what no other one has of ``found`` (region's key, pair), and not too many
    that keep their region. → the pairs written; ``counts`` grows."""
    plan, name = shard.plan, shard.path.name
    with _index(plan.out) as known:
        own = known.setdefault(name, set())
        others = set[str]().union(*(v for k, v in known.items() if k != name))
        fresh = [(key, pair) for key, pair in found if key not in others]
        counts["pairs in another shard"] += len(found) - len(fresh)
        chosen = _thinned(fresh, plan.keep_share, random.Random(f"{plan.seed} {name}"))
        pairs = _with_proportion([pair for _, pair in chosen], counts)
        write_shard(shard.path, pairs)
        own.update(key for key, _ in fresh)
    return pairs


def _mined(
    tools: Toolchain, miner: Miner, shard: Shard, source: Source, counts: Counter[str]
) -> Iterator[tuple[str, Pair]]:
    files = c_files(source)
    random.Random(f"{shard.plan.seed} {shard.package}").shuffle(files)
    options = include_options(source)
    for file in files[shard.part :: shard.plan.parts][:FILES]:
        text = preprocess(tools, source, file, options)
        name = file.relative_to(source.folder).as_posix()
        counts["files"] += 1
        for key, pair in mine_file(tools, miner, shard, text, name, counts) if text else ():
            told = {**pair.provenance, "version": source.version}
            yield key, replace(pair, provenance=told)


def mine_file(
    tools: Toolchain, miner: Miner, shard: Shard, text: str, name: str, counts: Counter[str]
) -> Iterator[tuple[str, Pair]]:
    """(key of the region's text, pair) for what is found in some functions of one preprocessed
    file. ``name`` tells it in provenance. A function that the harness breaks on is given up."""
    with tempfile.TemporaryDirectory(prefix="gccllm-corpus-") as folder:
        unit = baseline(tools, text, Path(folder))
        if unit is None or len(unit.lines) > MOST_LINES:
            return
        counts["files compiled"] += 1
        rng = random.Random(f"{shard.plan.seed} {shard.package} {name}")
        looping, straight = _functions(unit, rng)
        # Code without loops is over before its time can be told: only templates are tried there.
        compiling = looping and shard.plan.compilers
        others = list(compiled(tools, text, BUILDS, Path(folder))) if compiling else []
        for function in (*looping, *straight):
            counts["functions"] += 1
            try:
                for found in miner.findings(unit, function, others, Path(folder) / "unit.o"):
                    yield from _pairs(found, shard, name, rng)
            except GccllmError:
                counts["functions given up"] += 1


def _functions(unit: Unit, rng: random.Random) -> tuple[list[str], list[str]]:
    """Some functions with loops, those without calls first, and some without loops; else in a
    random order."""
    looping: list[tuple[bool, float, str]] = []
    straight: list[tuple[bool, float, str]] = []
    for name, function in unit.functions.items():
        code = [i for i in function.ranges[0] if unit.kinds[i] is Line.INSTRUCTION]
        if function.replaceable and len(code) >= FEWEST_INSTRUCTIONS:
            calls = any(unit.lines[i].lstrip().startswith("call") for i in code)
            chosen = looping if _loops(unit, function.ranges[0]) else straight
            chosen.append((calls, rng.random(), name))
    first = [name for *_, name in sorted(looping)[:FUNCTIONS]]
    room = min(WITHOUT_LOOPS, FUNCTIONS - len(first))
    return first, [name for *_, name in sorted(straight)[:room]]


def _loops(unit: Unit, span: range) -> bool:
    """Whether something jumps back."""
    seen: set[str] = set()
    for index in span:
        if unit.kinds[index] is Line.LABEL:
            seen.add(label_of(unit.lines[index]) or "")
        elif unit.kinds[index] is Line.INSTRUCTION:
            head, operands = split_statement(unit.lines[index])
            if head.strip().startswith("j") and operands.strip() in seen:
                return True
    return False


def _pairs(
    found: Finding, shard: Shard, file: str, rng: random.Random
) -> Iterator[tuple[str, Pair]]:
    """One pair for each different answer, at one of the levels that have it."""
    groups: dict[tuple[str, ...], list[str]] = {}
    answers: dict[tuple[str, ...], Answer | None] = {}
    for level in LEVELS:
        answer = found.best[level]
        lines = answer.lines if answer else ()
        groups.setdefault(lines, []).append(level)
        answers[lines] = answer
    held = shard.package in HELD_OUT_PACKAGES
    if not held and any(x and x.family in HELD_OUT for x in answers.values()):
        return  # neither that answer may be learnt, nor that there is none
    region, layout = found.region, found.layout
    constants = layout.constants(region)
    same = "\n".join(anonymous(found.text.splitlines()))
    key = hashlib.sha256(same.encode()).hexdigest()[:20]
    split = "heldout-package" if held else "train"
    if not held and int(key, 16) % VALID_EVERY == 0:
        split = "valid"
    for lines, levels in groups.items():
        level, answer = rng.choice(levels), answers[lines]
        prompt = region_prompt(layout.unit, region, level, constants)
        try:
            written = teachers_answer(prompt, region, lines) if answer else KEEP_ANSWER
        except ValueError:
            continue
        yield (
            key,
            Pair(
                prompt=prompt.text,
                answer=written,
                family=answer.family if answer else "",
                package=shard.package,
                isa=level,
                split=split,
                provenance={
                    "seed": shard.plan.seed,
                    "file": file,
                    "function": region.function,
                    "options": "-O3",
                    "region": region.shape.value,
                    "from": answer.label if answer else "",
                    "compilers": shard.plan.compilers,
                    "speedup": answer.speedup if answer else 1.0,
                },
            ),
        )


def _thinned(
    found: Sequence[tuple[str, Pair]], share: float, rng: random.Random
) -> list[tuple[str, Pair]]:
    """``found`` with at most ``share`` of it ``keep`` pairs, those drawn at random."""
    kept = [n for n, (_, pair) in enumerate(found) if pair.keeps]
    changed = len(found) - len(kept)
    room = len(kept) if share >= 1 else math.ceil(changed * share / (1 - share))
    chosen = set(rng.sample(kept, min(len(kept), max(room, LEAST_KEPT))))
    return [x for n, x in enumerate(found) if not x[1].keeps or n in chosen]


def _with_proportion(pairs: Sequence[Pair], counts: Mapping[str, int]) -> list[Pair]:
    """``keep`` pairs say how many of the shard's regions nothing improved, before any were left
    out."""
    unimproved = counts.get("regions", 0) - counts.get("improved", 0)
    told = {"regions": counts.get("regions", 0), "unimproved": unimproved}
    return [replace(x, provenance={**x.provenance, **told}) if x.keeps else x for x in pairs]


@contextmanager
def _index(folder: Path) -> Iterator[dict[str, set[str]]]:
    """Shard name → the keys of its regions, for us alone; what is added is written at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / INDEX).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known: dict[str, set[str]] = {}
        for line in file:
            key, _, name = line.strip().partition(" ")
            known.setdefault(name, set()).add(key)
        before = {name: set(keys) for name, keys in known.items()}
        yield known
        for name, keys in known.items():
            for key in sorted(keys - before.get(name, set())):
                file.write(f"{key} {name}\n")
