"""Which cases a function stands: found by running gcc's own program of it.

One case is long enough to be timed, some ten milliseconds of user time; the others are short and
hold the edges. A case that hangs or crashes gcc's own program is none.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from gccllm import process
from trainer.corpus.program_text import Draw, Fill, Signature

__all__ = ["CaseSpec", "Runner", "cases_of"]

TIMED_SECONDS = 0.012
"""user time of the timed case, at least; twice as much at most"""
MOST_CALLS = 1 << 24
RUN_SECONDS = 0.4
"""a trial that takes longer counts as one that hangs"""
CHEAP_SECONDS = 0.0015
DEAR_SECONDS = 0.02
"""all tuples of a case: what the timed case should and what any case may take"""
EDGE_CALLS = 256
RANKED_CALLS = 4096
MUCH_LONGER, LONGER_SECONDS = 3.0, 0.0006
LENGTH = 1000
"""of the timed case's arrays"""

_SCALAR_TIMED = (
    Draw.ANY_LENGTH,
    Draw.POSITIVE,
    Draw.SHORT,
    Draw.BYTE,
    Draw.TINY,
)
_SCALAR_EDGES = (
    Draw.ZERO,
    Draw.ONE,
    Draw.ALL_ONES,
    Draw.TINY,
    Draw.NEGATIVE,
    Draw.POWER,
    Draw.EXTREME,
    Draw.BYTE,
    Draw.ANY_LENGTH,
)
_ARRAY_TIMED = (
    Fill.RANDOM,
    Fill.SAME,
    Fill.ASCENDING,
    Fill.DIGITS,
    Fill.TEXT,
    Fill.ANY_LENGTH,
    Fill.BYTES,
)
_ARRAY_EDGES = (
    ("empty", 0, Fill.RANDOM),
    ("one", 1, Fill.RANDOM),
    ("short", 9, Fill.RANDOM),
    ("tail", 77, Fill.RANDOM),
    ("tail-text", 150, Fill.TEXT),
    ("zeros", 130, Fill.ZEROS),
    ("ones", 67, Fill.ALL_ONES),
    ("digits", 260, Fill.DIGITS),
    ("same", 190, Fill.SAME),
    ("ascending", 257, Fill.ASCENDING),
)


@dataclass(frozen=True)
class CaseSpec:
    """A case: see :mod:`trainer.corpus.program_text` for what the numbers mean to the program."""

    name: str
    calls: int
    length: int
    fill: Fill
    draws: tuple[Draw, ...]

    def stdin(self, seed: int) -> bytes:
        """The line that the program reads."""
        numbers = (self.calls, seed, self.length, int(self.fill), *map(int, self.draws))
        return (" ".join(map(str, numbers)) + "\n").encode()


class Runner:
    """gcc's own program of a sample, run on cases. It is ours, so it needs no sandbox."""

    def __init__(self, program: Path, seed: int) -> None:
        self.program = program
        self.seed = seed

    def output(self, case: CaseSpec) -> bytes | None:
        """What it prints; None where it hangs or crashes, or prints something else next time."""
        first = self._run(case)
        return first if first is not None and first == self._run(case) else None

    def seconds(self, case: CaseSpec, runs: int = 3) -> float | None:
        """User time of the quickest of some runs; None where it hangs or crashes."""
        times: list[float] = []
        for _ in range(runs):
            before = _user_seconds()
            if self._run(case) is None:
                return None
            times.append(_user_seconds() - before)
        return min(times)

    def _run(self, case: CaseSpec) -> bytes | None:
        given, before = case.stdin(self.seed), _user_seconds()
        done = process.run([str(self.program)], timeout=RUN_SECONDS, stdin=given)
        if done.timed_out and _user_seconds() - before < RUN_SECONDS / 2:
            # On a busy machine it has hardly run.
            done = process.run([str(self.program)], timeout=10 * RUN_SECONDS, stdin=given)
        return done.stdout if done.ok else None


def _user_seconds() -> float:
    """Of all children that have ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def cases_of(runner: Runner, signature: Signature) -> list[CaseSpec] | str:
    """The timed case and the edges; a reason where there is no timed one."""
    if signature.arrays:
        timed, edges = _array_cases(runner, signature)
        chosen = _longest(runner, timed)
    else:
        timed, edges = _scalar_cases(signature)
        chosen = _cheapest(runner, timed)
    if chosen is None:
        return "gcc's own program hangs or crashes on all arguments tried"
    kept: list[CaseSpec] = []
    for case in edges:
        taken = runner.seconds(case, runs=1)
        if taken is not None and taken < DEAR_SECONDS:
            kept.append(case)
    return [*kept, _long_enough(runner, chosen)]


def _cheapest(runner: Runner, cases: Sequence[CaseSpec]) -> CaseSpec | None:
    """The first case that is cheap enough, else the cheapest: some loops run for as long as a
    number is large."""
    chosen: CaseSpec | None = None
    least = DEAR_SECONDS
    for case in cases:
        taken = runner.seconds(case)
        if taken is not None and taken < least:
            chosen, least = case, taken
            if taken < CHEAP_SECONDS:
                break
    return chosen


def _longest(runner: Runner, cases: Sequence[CaseSpec]) -> CaseSpec | None:
    """The first case, unless another takes several times as long: what leaves its loop early on
    one kind of contents is to be timed on others."""
    start = runner.seconds(replace(cases[0], calls=0)) or 0.0
    chosen: CaseSpec | None = None
    most = 0.0
    for case in cases:
        taken = runner.seconds(case)
        if taken is None or taken >= RUN_SECONDS / 2:
            continue
        work = max(1e-5, taken - start)
        if chosen is None or work > MUCH_LONGER * most + LONGER_SECONDS:
            chosen, most = case, work
    return None if chosen is None else replace(chosen, calls=EDGE_CALLS // 8)


def _long_enough(runner: Runner, case: CaseSpec) -> CaseSpec:
    """The case with so many calls that it can be timed."""
    calls = case.calls
    while calls < MOST_CALLS:
        longer = replace(case, calls=calls)
        taken = runner.seconds(longer)
        if taken is None or taken >= TIMED_SECONDS:
            break
        # Far away it goes up in larger steps; a run that is too short says nothing exact.
        calls *= 8 if taken < TIMED_SECONDS / 12 else 2
    return replace(case, calls=calls)


def _scalar_cases(signature: Signature) -> tuple[list[CaseSpec], list[CaseSpec]]:
    """(candidates for the timed case, edges) of a function over numbers alone."""
    count = len(signature.numbers)

    def case(name: str, draws: Sequence[Draw]) -> CaseSpec:
        return CaseSpec(name, EDGE_CALLS, 0, Fill.ZEROS, tuple(draws))

    timed = [case("timed", [x] * count) for x in _SCALAR_TIMED]
    edges = [case(x.name.lower().replace("_", "-"), [x] * count) for x in _SCALAR_EDGES]
    if count > 1:
        mixes = (
            (Draw.ANY_LENGTH, Draw.TINY),
            (Draw.ZERO, Draw.ANY_LENGTH),
            (Draw.ALL_ONES, Draw.BYTE),
        )
        for number, (one, other) in enumerate(mixes):
            edges.append(case(f"mixed-{number}-a", [one, *[other] * (count - 1)]))
            edges.append(case(f"mixed-{number}-b", [other, *[one] * (count - 1)]))
    return timed, edges


def _array_cases(runner: Runner, signature: Signature) -> tuple[list[CaseSpec], list[CaseSpec]]:
    """(candidates for the timed case, edges) of a function that is given arrays."""
    bounded = _bounded(runner, signature)

    def draws(inside: Draw, free: Draw) -> tuple[Draw, ...]:
        return tuple(inside if x else free for x in bounded)

    # Where two numbers are bounded, one may be an index or a key and the other the length.
    orders = [draws(Draw.LENGTH, Draw.ELEMENT)]
    for at, is_bounded in enumerate(bounded):
        if is_bounded and sum(bounded) > 1:
            mixed = list(draws(Draw.LENGTH, Draw.ELEMENT))
            mixed[at] = Draw.UP_TO_LENGTH
            orders.append(tuple(mixed))
    orders.append(draws(Draw.LENGTH, Draw.BYTE))
    timed = [
        CaseSpec("timed", RANKED_CALLS, LENGTH, fill, order)
        for fill, order in product(_ARRAY_TIMED, orders)
    ]
    edges: list[CaseSpec] = []
    for name, length, fill in _ARRAY_EDGES:
        for free in (Draw.ELEMENT, Draw.BYTE):
            inside = Draw.UP_TO_LENGTH if length > 1 else Draw.LENGTH
            suffix = "" if free is Draw.ELEMENT else "-other"
            if suffix and (all(bounded) or length <= 1):
                continue
            edges.append(CaseSpec(f"{name}{suffix}", EDGE_CALLS, length, fill, draws(inside, free)))
    if not all(bounded):
        for free in (Draw.ZERO, Draw.ALL_ONES, Draw.EXTREME):
            name = f"key-{free.name.lower().replace('_', '-')}"
            edges.append(
                CaseSpec(name, EDGE_CALLS, 50, Fill.ANY_LENGTH, draws(Draw.UP_TO_LENGTH, free))
            )
    return timed, edges


def _bounded(runner: Runner, signature: Signature) -> tuple[bool, ...]:
    """Which numbers have to lie inside the arrays: lengths and indices, not keys.

    Told by giving each a value far outside: what then crashes or takes too long is one.
    """
    count = len(signature.numbers)
    fills = (Fill.RANDOM, Fill.ZEROS, Fill.ASCENDING, Fill.ALL_ONES, Fill.SAME)
    found = [False] * count
    # A search may end before it gets far, so what may be free is tried beside several keys.
    for other in (Draw.LENGTH, Draw.ZERO, Draw.ALL_ONES):
        others = [Draw.LENGTH if x else other for x in found]
        for at in range(count):
            for fill, far in product(fills, (Draw.BEYOND, Draw.BELOW)):
                draws = (*others[:at], far, *others[at + 1 :])
                case = CaseSpec("wild", 4, 64, fill, draws)
                if found[at] or runner.seconds(case, runs=1) is None:
                    found[at] = True
                    break
    return tuple(found)
