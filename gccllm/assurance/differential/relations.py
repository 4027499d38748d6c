"""What captured states have in common: ranges of values, and lengths that go with pointers."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

from gccllm.assurance.differential.layout import Kind, Layout, Leaf
from gccllm.assurance.differential.states import PRIVATE, State, values_of

__all__ = [
    "UNKNOWN_RANGE",
    "Ranges",
    "Relation",
    "constant_globals",
    "grown",
    "ranges_of",
    "relations_of",
]

UNKNOWN_RANGE = (-(1 << 63) + 1, 0)
"""of a leaf that was never seen; the harness leaves it alone"""
Ranges = Mapping[tuple[int, int], tuple[int, int]]
"""(layout, leaf) → lowest and highest value as 64-bit words; doubles by their bits"""
_MORE = (0, 1, -1, 2)
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Relation:
    """The pointer at byte ``pointer`` of the block leads to ``unit`` * (n + ``more``) bytes, where
    n is the argument at byte ``first``, times that at ``second`` unless that is -1."""

    pointer: int
    first: int
    second: int
    unit: int
    more: int


def ranges_of(states: Sequence[State], layouts: Sequence[Layout]) -> Ranges:
    """What each leaf was seen to hold, over all objects of its layout."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for state in states:
        for item in state.objects:
            layout = layouts[item.layout]
            for number, leaf in enumerate(layout.leaves):
                values = [x for x in values_of(item, layout, leaf) if x == x]
                if values:
                    low, high = found.get((item.layout, number), (values[0], values[0]))
                    found[item.layout, number] = (min(low, *values), max(high, *values))
    return {key: _words(layouts[key[0]].leaves[key[1]].kind, *pair) for key, pair in found.items()}


def _words(kind: Kind, low: float, high: float) -> tuple[int, int]:
    if kind is Kind.FLOAT:
        return struct.unpack("<2q", struct.pack("<2d", low, high))
    return _signed(int(low)), _signed(int(high))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def relations_of(states: Sequence[State], layouts: Sequence[Layout]) -> list[Relation]:
    """For each pointer argument the length that fits all states best, if any does.

    One that fits never lets the baseline need more than it says, and is met exactly at least once.
    """
    block = layouts[0]
    integers = [x for x in block.leaves if x.kind in (Kind.SIGNED, Kind.UNSIGNED)]
    pairs: list[tuple[Leaf, Leaf | None]] = [(x, None) for x in integers]
    pairs += list(combinations_with_replacement(integers, 2)) if len(integers) <= 6 else []
    found = []
    for pointer in (x for x in block.leaves if x.kind is Kind.POINTER):
        unit = layouts[pointer.target].size
        needed = [x for x in states if _is_alone(x, x.led_to(pointer.offset))]
        if not needed or unit <= 0:
            continue
        best: tuple[int, Relation] | None = None
        for first, second in pairs:
            for more in _MORE:
                relation = Relation(
                    pointer.offset, first.offset, second.offset if second else -1, unit, more
                )
                met = _met(relation, needed, first, second)
                if met and (best is None or met > best[0]):
                    best = met, relation
        if best is not None:
            found.append(best[1])
    return found


def _is_alone(state: State, number: int) -> bool:
    """Whether it is an object of its own, of no other's bytes."""
    if number == 0 or state.objects[number].variable != PRIVATE or state.objects[number].joined:
        return False
    return number + 1 == len(state.objects) or not state.objects[number + 1].joined


def _met(relation: Relation, states: Sequence[State], first: Leaf, second: Leaf | None) -> int:
    """In how many states it holds exactly, 0 where it is broken in one."""
    exact = 0
    for state in states:
        item = state.objects[state.led_to(relation.pointer)]
        needed = len(item.data) - item.lead
        said = _length(relation, state, first, second)
        if needed > said:
            return 0
        # Lengths 0 and 1 are too common to say anything.
        exact += needed == said and needed > relation.unit
    return exact


def _length(relation: Relation, state: State, first: Leaf, second: Leaf | None) -> int:
    n = _argument(state, first) * (_argument(state, second) if second is not None else 1)
    return max(0, relation.unit * (n + relation.more))


def _argument(state: State, leaf: Leaf) -> int:
    raw = state.objects[0].data[leaf.offset : leaf.offset + leaf.size]
    return int.from_bytes(raw, "little", signed=leaf.kind is Kind.SIGNED)


def grown(
    state: State, whole: State, relations: Sequence[Relation], layouts: Sequence[Layout]
) -> State:
    """``state`` with objects as long as the relations say, taken from the ``whole`` one."""
    leaves = {x.offset: x for x in layouts[0].leaves}
    objects = list(state.objects)
    for relation in relations:
        number = state.led_to(relation.pointer)
        if not _is_alone(state, number):
            continue
        item, captured = objects[number], whole.objects[number]
        second = leaves[relation.second] if relation.second >= 0 else None
        length = min(_length(relation, state, leaves[relation.first], second), _LONGEST)
        body = captured.data[captured.lead : captured.lead + length]
        if len(body) == length > len(item.data) - item.lead:
            objects[number] = replace(item, data=item.data[: item.lead] + body)
    return State(tuple(objects), state.links)


def constant_globals(states: Sequence[State]) -> Iterator[int]:
    """Numbers of the globals whose contents are the same in all states."""
    seen: dict[int, set[bytes]] = {}
    for state in states:
        for item in state.objects:
            if item.variable >= 0:
                seen.setdefault(item.variable, set()).add(item.data)
    return (number for number, contents in seen.items() if len(contents) == 1)
