"""The mutants of a recording: deterministic by seed, each with how it came about."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice

from gccllm.assurance.fuzz import blind, structured
from gccllm.assurance.fuzz.arguments import ArgumentPool
from gccllm.assurance.fuzz.binary import BINARY, is_binary
from gccllm.assurance.fuzz.blind import Mutation
from gccllm.assurance.fuzz.inputs import MOST_BYTES, Mutant, Seedling
from gccllm.assurance.fuzz.numbers import Numbers
from gccllm.assurance.fuzz.shape import Counted, counts_of, resized
from gccllm.assurance.fuzz.text import Text, number_of

__all__ = ["mutants"]

MOST_RECORDED = 4096
MOST_STACKED = 3
MOST_FIRST, MOST_PLACES, MOST_TURNS = 12, 2, 24
MOST_SHORT = 3
MOST_SIZES, MOST_ROUNDS = 20, 4
"""lengths in a row that one stream tries, and streams until they come again"""
MOST_LINES = 3
"""command lines that options are put in front of"""
TWO_PARTS = 0.15
"""of the mutants of cases that have several parts differ in two of them"""
STDIN, ARGUMENTS = "<stdin>", "<arguments>"
"""parts of an input, beside its files by path; no relative path of a file is such"""

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
    spelled: Sequence[str] = (),
) -> Iterator[Mutant]:
    """Mutants without end and without repetitions (while there are new ones to be found). ``mined``
    are constants of the programs, ``differing`` those that only one of them has: these are tried
    in the place of the first numbers, as the others are, less often. ``spelled`` are options that
    the programs' texts name. These come early, and so do all small lengths, for what a loop leaves
    over hangs on them; but not alone: of a slow program few mutants are run."""
    source = _Source(from_cases, mined, seed, differing, spelled)
    apart = {x.number for x in from_cases if x.names}

    def key(mutant: Mutant) -> int:
        """Equal for equal inputs; a number, since the inputs themselves are large."""
        case = mutant.case if mutant.case in apart else None
        return hash((mutant.stdin, mutant.args, case, *sorted(mutant.files.items())))

    seen = {key(Mutant(x.stdin, x.args, x.number, "", "")) for x in from_cases}
    constants, options = source.with_constants(differing, from_cases), source.with_options(spelled)
    # A short case is most likely one of a program that makes its data itself, of any size.
    short = sorted(from_cases, key=lambda x: len(x.stdin))[:MOST_SHORT]
    common = [x for x in mined if x > MOST_SIZES and x not in differing]
    # Runs at a limit are long, so that its neighbours have to be done without.
    limits = source.with_constants(common, short, neighbours=())
    sizes = source.with_sizes(1 + MOST_SIZES * (seed % MOST_ROUNDS))
    turns = cycle((constants, sizes, constants, options, limits, None))
    stale = 0
    while from_cases and stale < 10_000:
        turn = next(turns)
        mutant = next(turn, None) if turn is not None else None
        mutant = mutant or source.next()
        if mutant is None or key(mutant) in seen or mutant.size > MOST_BYTES:
            stale += 1
            continue
        stale = 0
        seen.add(key(mutant))
        yield mutant


class _Source:
    """Makes one mutant after the other."""

    def __init__(
        self,
        from_cases: Sequence[Seedling],
        mined: Sequence[int],
        seed: int,
        differing: Sequence[int],
        spelled: Sequence[str],
    ) -> None:
        self._rng = random.Random(seed)
        self._cases = from_cases
        self._texts: dict[tuple[int, str], Text] = {}
        recorded: list[int] = []
        for case in from_cases:
            for part in self._mutable(case):
                tokens = self._text(case, part).tokens[:MOST_RECORDED]
                recorded += [x for x in map(number_of, tokens) if x is not None]
        self._numbers = Numbers(mined, recorded[:MOST_RECORDED], differing)
        self._pool = ArgumentPool(from_cases, (*differing, *mined), spelled)

    def with_constants(
        self,
        constants: Sequence[int],
        cases: Sequence[Seedling],
        neighbours: Sequence[int] = (1, -1),
    ) -> Iterator[Mutant]:
        """Each constant, and its neighbours, in the place of each of the first numbers of the
        cases."""
        chosen = constants[:MOST_FIRST]
        pairs = (
            (cases[(turn + place) % len(cases)], value)
            for turn in range(len(cases))
            for place, value in enumerate(chosen)
        )
        for base, value in islice(pairs, MOST_TURNS):
            yield from self._with_constant(base, (value, *(value + x for x in neighbours)))

    def with_sizes(self, first: int) -> Iterator[Mutant]:
        """Each of the first numbers to each length from ``first`` on, with what it counts."""
        for size in range(first, first + MOST_SIZES):
            for turn in range(min(MOST_PLACES, len(self._cases))):
                base = self._cases[(size + turn) % len(self._cases)]
                for part in self._mutable(base)[: 1 + MOST_PLACES]:
                    if not is_binary(_data(base, part)):
                        yield from self._with_size(base, part, size)
                for args in _with_number(base.args, size):
                    how = f"{base.name}: an argument to the length {size}"
                    yield Mutant(base.stdin, args, base.number, "argument", how)

    def _with_size(self, base: Seedling, part: str, size: int) -> Iterator[Mutant]:
        text = self._text(base, part)
        counts = {x.index: x for x in counts_of(text) if x.what is not Counted.BYTES}
        start = Mutant(base.stdin, base.args, base.number, "length", "")
        for index in text.numbers()[:MOST_PLACES]:
            if index in counts:
                changed = resized(text, counts[index], size, self._rng)
            else:
                changed = text.with_token(index, b"%d" % size)
            how = f"{base.name}: {_where(part)}number {index} to the length {size}"
            yield replace(_with(start, part, changed.data), how=how)

    def with_options(self, spelled: Sequence[str]) -> Iterator[Mutant]:
        """Each option in front of each kind of command line that has any; first those of one letter
        said several times, as programs count how much they shall tell."""
        lines = {x.args: x for x in reversed(self._cases) if any(y[:1] == "-" for y in x.args)}
        repeated = [f"-{4 * x[1:]}" for x in spelled if not x.startswith("--")]
        for option in (*repeated, *spelled):
            for base in list(lines.values())[:MOST_LINES]:
                how = f"{base.name}: with the option {option}"
                yield Mutant(base.stdin, (option, *base.args), base.number, "argument", how)

    def _with_constant(self, base: Seedling, values: Sequence[int]) -> Iterator[Mutant]:
        start = Mutant(base.stdin, base.args, base.number, "number", "")
        for part in self._mutable(base)[: 1 + MOST_PLACES]:
            text = self._text(base, part)
            for index in text.numbers()[:MOST_PLACES]:
                for number in values:
                    how = f"{base.name}: {_where(part)}number {index} to the constant {number}"
                    changed = text.with_token(index, b"%d" % number).data
                    yield replace(_with(start, part, changed), how=how)
        for number in values:
            for args in _with_number(base.args, number):
                how = f"{base.name}: an argument to the constant {number}"
                yield replace(start, args=args, kind="argument", how=how)

    def next(self) -> Mutant | None:
        """None where chance came upon something that can't be done."""
        rng = self._rng
        base = rng.choice(self._cases)
        weights = self._parts(base)
        mutant = Mutant(base.stdin, base.args, base.number, "", "")
        for _ in range(2 if len(weights) > 1 and rng.random() < TWO_PARTS else 1):
            part = rng.choices(list(weights), list(weights.values()))[0]
            changed = self._changed(base, mutant, part)
            mutant = mutant if changed is None else changed
            weights.pop(part)
        return replace(mutant, how=f"{base.name}: {mutant.how}") if mutant.kind else None

    @staticmethod
    def _mutable(base: Seedling) -> tuple[str, ...]:
        """The parts that are data, stdin first."""
        return (STDIN, *base.named)

    def _parts(self, base: Seedling) -> dict[str, float]:
        """What of an input can be changed, with weights."""
        files = base.named
        parts = {x: 3 / len(files) for x in files}
        if base.args:
            parts[ARGUMENTS] = 2.0
        if base.stdin or not parts:
            parts[STDIN] = 3.0
        return parts

    def _changed(self, base: Seedling, mutant: Mutant, part: str) -> Mutant | None:
        """``mutant`` with another ``part``."""
        if part == ARGUMENTS:
            line = self._pool.other(base, self._numbers, self._rng)
            if line is None:
                return None
            return _also(replace(mutant, args=line[0]), "argument", line[1])
        if part != STDIN and self._rng.random() < 0.08:
            content, how = self._whole_file(base, part)
            files = {**mutant.files, part: content}
            return _also(replace(mutant, files=files), "file", f"{part}: {how}")
        done = self._other_data(base, part)
        if done is None:
            return None
        data, kind, how = done
        kind = kind if part == STDIN else "file"
        return _also(_with(mutant, part, data), kind, f"{_where(part)}{how}")

    def _whole_file(self, base: Seedling, path: str) -> tuple[bytes | None, str]:
        """Other contents for a whole file (None: it is not there), and how."""
        others = [x for case in self._cases for x in case.files.values() if x != base.files[path]]
        how = self._rng.choice(("empty", "missing", "another's", "another's"))
        if how == "another's" and others:
            return self._rng.choice(others), "the contents of another file"
        return (None, "not there") if how == "missing" else (b"", "empty")

    def _other_data(self, base: Seedling, part: str) -> tuple[bytes, str, str] | None:
        """(data, kind, how)"""
        rng, data = self._rng, _data(base, part)
        if is_binary(data) and rng.random() < 0.9:
            changed, how = rng.choice(BINARY)(data, self._numbers, rng)
            return changed, "binary", how
        text = self._text(base, part)
        if len(self._cases) > 1 and rng.random() < 0.05:
            other = rng.choice(self._cases)
            end = rng.choice(self._mutable(other)) if part != STDIN else STDIN
            text, how = blind.spliced(text, self._text(other, end), rng)
            return text.data, "splice", f"with {other.name} {how}"
        numeric = len(text.numbers()) * 10 >= len(text.tokens) * 8
        table = _NUMERIC if numeric and text.tokens else _TEXTUAL
        steps: list[str] = []
        kind = ""
        for _ in range(rng.choice((1, 1, 1, 2, MOST_STACKED))):
            row = rng.choices(table, [weight for _, weight, _ in table])[0]
            done = rng.choice(row[2])(text, self._numbers, rng)
            if done is not None:
                text = done[0]
                steps.append(done[1])
                kind = kind or row[0]
        return (text.data, kind, "; ".join(steps)) if steps else None

    def _text(self, base: Seedling, part: str) -> Text:
        key = base.number, part
        if key not in self._texts:
            self._texts[key] = Text.of(_data(base, part))
        return self._texts[key]


def _data(base: Seedling, part: str) -> bytes:
    return base.stdin if part == STDIN else base.files[part]


def _with(mutant: Mutant, part: str, data: bytes) -> Mutant:
    if part == STDIN:
        return replace(mutant, stdin=data)
    files: Mapping[str, bytes | None] = {**mutant.files, part: data}
    return replace(mutant, kind="file", files=files)


def _with_number(args: tuple[str, ...], number: int) -> Iterator[tuple[str, ...]]:
    """The command line with another number in place of each that it has."""
    for index, arg in enumerate(args):
        if number_of(arg.encode("utf-8", "surrogateescape")) is not None:
            yield (*args[:index], str(number), *args[index + 1 :])


def _also(mutant: Mutant, kind: str, how: str) -> Mutant:
    """Said what was done; the first thing that was done names the kind."""
    before = f"{mutant.how}; " if mutant.how else ""
    return replace(mutant, kind=mutant.kind or kind, how=f"{before}{how}")


def _where(part: str) -> str:
    return "" if part == STDIN else f"{part}: "
