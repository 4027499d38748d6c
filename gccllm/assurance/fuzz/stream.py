"""The mutants of a recording: deterministic by seed, each with how it came about."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gccllm.assurance.fuzz import blind, structured
from gccllm.assurance.fuzz.blind import Mutation
from gccllm.assurance.fuzz.numbers import Numbers
from gccllm.assurance.fuzz.text import Text, number_of
from gccllm.recordings import Case
from gccllm.sandbox.base import Trial

__all__ = ["Mutant", "Seedling", "mutants", "seedlings"]

MOST_BYTES = 1 << 20
MOST_RECORDED = 4096
MOST_STACKED = 3
MOST_FIRST, MOST_PLACES, MOST_TURNS = 12, 2, 24


@dataclass(frozen=True)
class Seedling:
    """A recorded input that mutants are made from; ``number`` is its place in the recording."""

    number: int
    name: str
    stdin: bytes
    args: tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """A made-up input: ``kind`` is a stable word for counting, ``how`` one line for a person."""

    stdin: bytes
    args: tuple[str, ...]
    case: int
    kind: str
    how: str

    @property
    def trial(self) -> Trial:
        return Trial(self.stdin, self.args, self.case)


def seedlings(cases: Sequence[Case]) -> list[Seedling]:
    """Every case whose stdin is small enough to make many of. Raises OSError."""
    found = []
    for number, case in enumerate(cases):
        stdin = case.given.stdin.read_bytes() if case.given.stdin is not None else b""
        if len(stdin) <= MOST_BYTES:
            found.append(Seedling(number, case.name, stdin, case.given.args))
    return found


_NUMERIC: tuple[tuple[str, int, tuple[Mutation, ...]], ...] = (
    ("number", 30, blind.NUMBERS),
    ("length", 22, (structured.change_length,)),
    ("contents", 18, (structured.change_contents,)),
    ("shape", 14, (structured.regenerate,)),
    ("token", 10, blind.TOKENS),
    ("line", 4, blind.LINES),
    ("word", 4, blind.WORDS),
    ("byte", 2, blind.BYTES),
)
_TEXTUAL: tuple[tuple[str, int, tuple[Mutation, ...]], ...] = (
    ("number", 15, blind.NUMBERS),
    ("length", 15, (structured.change_length,)),
    ("contents", 5, (structured.change_contents,)),
    ("shape", 5, (structured.regenerate,)),
    ("token", 14, blind.TOKENS),
    ("line", 8, blind.LINES),
    ("word", 24, blind.WORDS),
    ("byte", 20, blind.BYTES),
)


def mutants(
    from_cases: Sequence[Seedling],
    mined: Sequence[int],
    seed: int,
    differing: Sequence[int] = (),
) -> Iterator[Mutant]:
    """Mutants without end and without repetitions (while there are new ones to be found). ``mined``
    are constants of the programs, ``differing`` those that only one of them has: these are tried
    first, in the place of the first numbers."""
    rng = random.Random(seed)
    texts = {x.number: Text.of(x.stdin) for x in from_cases}
    values = [number_of(token) for text in texts.values() for token in text.tokens[:MOST_RECORDED]]
    recorded = [x for x in values if x is not None][:MOST_RECORDED]
    numbers = Numbers(mined, recorded, differing)
    seen = {(x.stdin, x.args) for x in from_cases}
    for first in _with_constants(from_cases, texts, differing):
        if (first.stdin, first.args) not in seen:
            seen.add((first.stdin, first.args))
            yield first
    stale = 0
    while from_cases and stale < 10_000:
        base = rng.choice(from_cases)
        mutant = _mutant(base, from_cases, texts, numbers, rng)
        key = None if mutant is None else (mutant.stdin, mutant.args)
        if mutant is None or key in seen or len(mutant.stdin) > MOST_BYTES:
            stale += 1
            continue
        stale = 0
        seen.add((mutant.stdin, mutant.args))
        yield mutant


def _with_constants(
    from_cases: Sequence[Seedling], texts: dict[int, Text], constants: Sequence[int]
) -> Iterator[Mutant]:
    """Each constant, and its neighbours, in the place of each of the first numbers of the cases."""
    chosen = constants[:MOST_FIRST]
    pairs = (
        (from_cases[(turn + place) % len(from_cases)], value)
        for turn in range(len(from_cases))
        for place, value in enumerate(chosen)
    )
    for base, value in islice(pairs, MOST_TURNS):
        text = texts[base.number]
        for index in text.numbers()[:MOST_PLACES]:
            for number in (value, value + 1, value - 1):
                changed = text.with_token(index, b"%d" % number)
                how = f"{base.name}: number {index} to the constant {number}"
                yield Mutant(changed.data, base.args, base.number, "number", how)


def _mutant(
    base: Seedling,
    from_cases: Sequence[Seedling],
    texts: dict[int, Text],
    numbers: Numbers,
    rng: random.Random,
) -> Mutant | None:
    text = texts[base.number]
    if base.args and (not base.stdin or rng.random() < 0.4):
        return _other_arguments(base, from_cases, numbers, rng)
    if len(from_cases) > 1 and rng.random() < 0.05:
        other = rng.choice(from_cases)
        text, how = blind.spliced(text, texts[other.number], rng)
        how = f"{base.name}: with {other.name} {how}"
        return Mutant(text.data, base.args, base.number, "splice", how)
    numeric = len(text.numbers()) * 10 >= len(text.tokens) * 8
    table = _NUMERIC if numeric and text.tokens else _TEXTUAL
    steps: list[str] = []
    kind = ""
    for _ in range(rng.choice((1, 1, 1, 2, MOST_STACKED))):
        row = rng.choices(table, [weight for _, weight, _ in table])[0]
        done = rng.choice(row[2])(text, numbers, rng)
        if done is not None:
            text = done[0]
            steps.append(done[1])
            kind = kind or row[0]
    if not steps:
        return None
    return Mutant(text.data, base.args, base.number, kind, f"{base.name}: {'; '.join(steps)}")


def _other_arguments(
    base: Seedling, from_cases: Sequence[Seedling], numbers: Numbers, rng: random.Random
) -> Mutant:
    """One argument mutated as a text of its own, or all taken from another case."""
    other = rng.choice(from_cases)
    if other.args != base.args and rng.random() < 0.2:
        how = f"{base.name}: the arguments of {other.name}"
        return Mutant(base.stdin, other.args, base.number, "argument", how)
    index = rng.randrange(len(base.args))
    text = Text.of(base.args[index].encode("utf-8", "surrogateescape"))
    choices = (*blind.NUMBERS, *blind.NUMBERS, *blind.WORDS, *blind.BYTES)
    done = rng.choice(choices)(text, numbers, rng)
    new = b"0" if done is None else done[0].data.replace(b"\0", b"0")
    args = list(base.args)
    args[index] = new.decode("utf-8", "surrogateescape")
    how = f"{base.name}: argument {index + 1}: {'to 0' if done is None else done[1]}"
    return Mutant(base.stdin, tuple(args), base.number, "argument", how)
