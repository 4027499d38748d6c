"""Wrong rewrites of a program: mistakes in right rewrites, as far as eight recordings miss them.

A right rewrite is gcc's code for the function under other options. A mistake is made in its C or in
its assembly. What the compiler makes the very same code of is no mistake and is left out.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.mutating import in_assembly, in_c
from bench.mutating.workshop import Passed, Workshop
from gccllm import process
from gccllm.asm.unit import parse
from gccllm.types import Candidate

__all__ = ["REWRITES", "Mutant", "survivors"]

REWRITES: tuple[tuple[str, ...], ...] = (
    ("-O2",),
    ("-O1",),
    ("-O3", "-march=native"),
    ("-O3", "-funroll-loops"),
)
MOST_TRIED = 8
"""of one operator on one function"""
MOST_KEPT = 2
MOST_LEARNED = 40


@dataclass(frozen=True)
class Mutant:
    """``what`` is wrong with ``function``; ``where`` it was made: "C" or "assembly"."""

    subject: str
    function: str
    operator: str
    where: str
    options: tuple[str, ...]
    what: str
    text: str

    @property
    def name(self) -> str:
        """No other mutant's."""
        digest = hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        options = " ".join(self.options)
        place = f"{self.subject}.{self.function}"
        return f"{place}: {self.operator} in {self.where}: {self.what} ({options}, {digest})"

    @property
    def candidate(self) -> Candidate:
        return Candidate("mutant", self.subject, (), self.text, self.what, foreign=True)


def survivors(
    shop: Workshop, rng: random.Random, fates: Counter[str]
) -> Iterator[tuple[Mutant, Passed]]:
    """Different ones, at most two of one operator on one function. ``fates`` counts all."""
    seen: set[str] = set()
    for function in shop.subject.functions:
        for mutants in _by_operator(shop, function, rng):
            kept = 0
            for mutant in mutants:
                if kept == MOST_KEPT:
                    break
                done = shop.tried(mutant.candidate, shop.functions(function))
                fates[done if isinstance(done, str) else "passed"] += 1
                if isinstance(done, str):
                    continue
                text = done.admitted.texts[shop.unit]
                code = re.sub(r"\.\w*L\w*|\.[0-9a-f]{8}\b", "", text)
                if code not in seen:
                    seen.add(code)
                    kept += 1
                    yield mutant, done


def _by_operator(shop: Workshop, function: str, rng: random.Random) -> Iterator[Iterator[Mutant]]:
    source = shop.subject.source.read_text()
    start, end = in_c.definition(source, function)
    for operator, mistakes in in_c.OPERATORS.items():
        texts = list(dict.fromkeys(mistakes(source[start:end])))
        yield _in_c(shop, function, operator, texts, rng)
    yield _in_c(shop, function, "hard-coded", list(_learned(shop, source, function)), rng)
    for operator in in_assembly.OPERATORS:
        yield _in_assembly(shop, function, operator, rng)


def _in_c(
    shop: Workshop,
    function: str,
    operator: str,
    mistakes: Sequence[in_c.Mistake],
    rng: random.Random,
) -> Iterator[Mutant]:
    source = shop.subject.source.read_text()
    start, end = in_c.definition(source, function)
    for changed, what in rng.sample(mistakes, min(len(mistakes), MOST_TRIED)):
        options = rng.choice(REWRITES)
        text = shop.compiled(source[:start] + changed + source[end:], options)
        right = shop.compiled(source, options)
        if text is None or right is None or _same(shop, text, right, function):
            continue
        yield Mutant(shop.subject.name, function, operator, "C", options, what, text)


def _same(shop: Workshop, text: str, right: str, function: str) -> bool:
    return all(shop.alike(text, right, x) for x in shop.functions(function))


def _in_assembly(
    shop: Workshop, function: str, operator: str, rng: random.Random
) -> Iterator[Mutant]:
    source = shop.subject.source.read_text()
    options = rng.choice(REWRITES)
    text = shop.compiled(source, options)
    if text is None:
        return
    unit = parse(text)
    # Where gcc has inlined it, the code that runs is main's.
    name = function if shop.subject.apart else "main"
    indices = list(unit.functions[name].indices())
    first, last = min(indices), max(indices) + 1
    lines = text.split("\n")
    mistakes = list(in_assembly.OPERATORS[operator](lines[first:last]))
    for changed, what in rng.sample(mistakes, min(len(mistakes), MOST_TRIED)):
        whole = "\n".join([*lines[:first], *changed, *lines[last:]])
        yield Mutant(shop.subject.name, name, operator, "assembly", options, what, whole)


def _learned(shop: Workshop, source: str, function: str) -> Iterator[in_c.Mistake]:
    """Versions that know by heart what the recordings hand over, by each parameter."""
    start, end = in_c.definition(source, function)
    text = source[start:end]
    for _, name in in_c.parameters(text):
        say = f'dprintf(9, "%lld\\n", (long long)({name}));'
        instrumented = text.replace("{\n", "{\n    " + say + "\n", 1)
        given = shop.folder / "learning.c"
        given.write_text(f"{source[:start]}{instrumented}{source[end:]}")
        program = shop.folder / "learning"
        argv = [shop.tools.cc, "-w", "-O1", str(given), "-o", str(program), "-lm"]
        if not process.run(argv, timeout=30.0).ok:
            continue
        values: set[int] = set()
        for case in shop.judge.arena.recording.cases:
            stdin = case.given.stdin.read_bytes() if case.given.stdin else b""
            shell = ["sh", "-c", f"'{program}' 9>&1 >/dev/null"]
            done = process.run(shell, timeout=10.0, stdin=stdin)
            values |= {int(x) for x in done.stdout.split()}
        if values and len(values) <= MOST_LEARNED:
            yield in_c.learned(text, name, sorted(values))
