"""Captured calls as states: objects and the pointers between them, free of addresses.

Windows of memory that lie side by side are cut where pointers lead to; the harness finds out which
of the pieces are really apart, and how much of each the baseline needs (:func:`settled`).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gccllm.assurance.differential.layout import Kind, Layout, Leaf
from gccllm.assurance.differential.recording import Call, Region

__all__ = ["ARGUMENTS", "PRIVATE", "Link", "Object", "State", "settled", "state_of", "values_of"]

ARGUMENTS, PRIVATE = -2, -1
"""as in harness.h"""
MOST_OBJECTS = 64
MOST_TOGETHER = 1 << 20
MOST_LINKS = 4096
MOST_ELEMENTS = 512
PAGE = 4096
_FORMATS = {
    (Kind.SIGNED, 1): "b",
    (Kind.SIGNED, 2): "h",
    (Kind.SIGNED, 4): "i",
    (Kind.SIGNED, 8): "q",
    (Kind.FLOAT, 4): "f",
    (Kind.FLOAT, 8): "d",
    (1, 1): "B",
    (1, 2): "H",
    (1, 4): "I",
    (1, 8): "Q",
}


@dataclass(frozen=True)
class Object:
    """``lead`` bytes of ``data`` lie before the place that pointers lead to. ``variable``: the
    number of a global, or ARGUMENTS or PRIVATE. ``joined``: it follows the object before it."""

    layout: int
    variable: int
    lead: int
    data: bytes
    joined: bool = False
    phase: int = 0


@dataclass(frozen=True)
class Link:
    """The pointer at byte ``at`` of object ``source`` leads to byte ``offset`` of ``target``, both
    counted from behind the lead."""

    source: int
    at: int
    target: int
    offset: int


@dataclass(frozen=True)
class State:
    """``objects[0]`` is the argument block."""

    objects: tuple[Object, ...]
    links: tuple[Link, ...]

    def led_to(self, at: int) -> int:
        """The object that the pointer at byte ``at`` of the block leads to; 0: none."""
        for link in self.links:
            if link.source == 0 and link.at == at and link.offset == 0:
                return link.target
        return 0


def state_of(call: Call, layouts: Sequence[Layout]) -> State | None:
    """None where it is too large. ``layouts[0]`` is the argument block."""
    objects = [Object(0, ARGUMENTS, 0, call.block)]
    starts: list[tuple[int, int, int]] = []
    for region in call.regions:
        if region.variable >= 0:
            starts.append((region.pointer, region.pointer + len(region.data), len(objects)))
            objects.append(Object(region.layout, region.variable, 0, region.data))
    known = list(starts)
    private = [
        x
        for x in call.regions
        if x.variable < 0 and not any(low <= x.pointer < high for low, high, _ in known)
    ]
    for start, data, pointers in _spans(private):
        if len(data) > MOST_TOGETHER:
            return None
        for number, (pointer, layout) in enumerate(pointers):
            first = start if number == 0 else pointer
            last = start + len(data)
            if number + 1 < len(pointers):
                last = pointers[number + 1][0]
            piece = data[first - start : last - start]
            starts.append((first, last, len(objects)))
            objects.append(
                Object(layout, PRIVATE, pointer - first, piece, number > 0, first % PAGE)
            )
    if len(objects) > MOST_OBJECTS:
        return None
    return State(tuple(objects), tuple(_links(call, _Places(starts, objects), layouts)))


def _links(call: Call, places: _Places, layouts: Sequence[Layout]) -> Iterator[Link]:
    """The pointers in the block and in every region that lead to an object."""
    for at, value in _pointers(call.block, layouts[0]):
        found = places.find(value)
        if found is not None:
            yield Link(0, at, *found)
    seen: set[int] = set()
    for region in call.regions:
        body = region.data[region.pointer - region.start :]
        for at, value in _pointers(body, layouts[region.layout]):
            address = region.pointer + at
            source, found = places.find(address), places.find(value)
            if source is None or found is None or address in seen or len(seen) > MOST_LINKS:
                continue
            seen.add(address)
            yield Link(*source, *found)


def _spans(regions: Sequence[Region]) -> Iterator[tuple[int, bytes, list[tuple[int, int]]]]:
    """(start, bytes, (address, layout) of each pointer into it), windows that touch as one."""
    merged: list[tuple[int, bytearray, dict[int, int]]] = []
    for region in sorted(regions, key=lambda x: x.start):
        if not merged or region.start > merged[-1][0] + len(merged[-1][1]):
            merged.append((region.start, bytearray(), {}))
        start, data, pointers = merged[-1]
        data.extend(region.data[start + len(data) - region.start :])
        # Of several types at one place the one that says most: void * knows bytes only.
        pointers[region.pointer] = max(pointers.get(region.pointer, 0), region.layout)
    for start, data, found in merged:
        yield start, bytes(data), sorted(found.items())


class _Places:
    def __init__(self, starts: list[tuple[int, int, int]], objects: Sequence[Object]) -> None:
        self._starts = sorted(starts)
        self._lows = [x[0] for x in self._starts]
        self._objects = objects

    def find(self, address: int) -> tuple[int, int] | None:
        at = bisect_right(self._lows, address) - 1
        if at < 0 or address > self._starts[at][1]:
            return None
        low, _, number = self._starts[at]
        return number, address - low - self._objects[number].lead


def _pointers(body: bytes, layout: Layout) -> Iterator[tuple[int, int]]:
    """(byte, value) of each pointer in elements of ``layout``."""
    leaves = [x for x in layout.leaves if x.kind is Kind.POINTER]
    if not leaves or layout.size <= 0:
        return
    for element in range(min(len(body) // layout.size, MOST_ELEMENTS)):
        for leaf in leaves:
            for i in range(leaf.count):
                at = element * layout.size + leaf.offset + 8 * i
                yield at, struct.unpack_from("<Q", body, at)[0]


def settled(
    state: State, pieces: Sequence[tuple[bool, int, int]], layouts: Sequence[Layout]
) -> State:
    """``state`` cut down: for each object whether it is joined, its lead, its size.

    A structure stays whole, for its declaration says that it is there.
    """
    objects = []
    for number, (item, (joined, lead, size)) in enumerate(zip(state.objects, pieces, strict=True)):
        if item.variable != PRIVATE:
            objects.append(item)
            continue
        start = item.lead - lead
        alone = number + 1 == len(pieces) or not pieces[number + 1][0]
        layout = layouts[item.layout]
        if alone and len(layout.leaves) > 1 and size - lead < layout.size:
            size = lead + min(layout.size, len(item.data) - item.lead)
        objects.append(
            replace(
                item,
                lead=lead,
                joined=joined,
                data=item.data[start : start + size],
                phase=(item.phase + start) % PAGE,
            )
        )
    kept = [
        x for x in state.links if x.at + 8 <= len(objects[x.source].data) - objects[x.source].lead
    ]
    return State(tuple(objects), tuple(kept))


def values_of(item: Object, layout: Layout, leaf: Leaf) -> Sequence[int] | Sequence[float]:
    """What a leaf holds in all elements of an object; () for pointers and what is opaque."""
    if leaf.kind in (Kind.POINTER, Kind.OPAQUE):
        return ()
    kind = leaf.kind if leaf.kind in (Kind.SIGNED, Kind.FLOAT) else 1
    code = _FORMATS.get((kind, leaf.size))
    if code is None or layout.size <= 0:
        return ()
    if leaf.size == layout.size:
        first = item.lead % leaf.size
        count = (len(item.data) - first) // leaf.size
        return struct.unpack_from(f"<{count}{code}", item.data, first)
    found: list[float] = []
    for element in range((len(item.data) - item.lead) // layout.size):
        at = item.lead + element * layout.size + leaf.offset
        found += struct.unpack_from(f"<{leaf.count}{code}", item.data, at)
    return found
