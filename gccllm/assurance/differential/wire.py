"""The question to the harness as bytes, and its answers; the structures are those of harness.h."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gccllm.assurance.differential.layout import Layout, Signature
from gccllm.assurance.differential.relations import UNKNOWN_RANGE, Ranges, Relation
from gccllm.assurance.differential.states import State

__all__ = ["Counts", "Difference", "Question", "Shown", "counts", "difference", "settlements"]


@dataclass(frozen=True)
class Question:
    """At most ``seconds`` of CPU time and ``pairs`` of calls. ``versions``: 2, or 3 with the
    checked one. ``layouts[0]`` is the argument block; pointers name the others by number."""

    signature: Signature
    layouts: Sequence[Layout]
    states: Sequence[State]
    versions: int
    seed: int = 0
    pairs: int = 0
    seconds: float = 10.0
    ranges: Ranges | None = None
    constants: Sequence[int] = ()
    relations: Sequence[Relation] = ()
    variables: int = 0

    def encode(self) -> bytes:
        """With ``ranges`` None the states are to be settled, else tested."""
        return b"".join(self._parts())

    def _parts(self) -> Iterator[bytes]:
        yield _words(
            int(self.ranges is not None),
            self.seed & (1 << 62) - 1,
            self.pairs,
            int(self.seconds * 1e9),
            self.versions,
            self.signature.stack_words,
            len(self.layouts),
            len(self.constants),
            len(self.states),
            len(self.relations),
            self.variables,
        )
        yield struct.pack("<4Q", *self.signature.returned.masks)
        for number, layout in enumerate(self.layouts):
            yield _words(layout.size, layout.alignment, len(layout.leaves))
            for i, leaf in enumerate(layout.leaves):
                low, high = (self.ranges or {}).get((number, i), UNKNOWN_RANGE)
                yield _words(leaf.offset, leaf.kind, leaf.size, leaf.count, low, high)
        yield _words(*self.constants)
        for x in self.relations:
            yield _words(x.pointer, x.first, x.second, x.unit, x.more)
        for state in self.states:
            yield _state(state)


def _state(state: State) -> bytes:
    parts = [_words(len(state.objects), len(state.links))]
    for x in state.objects:
        parts.append(_words(x.layout, x.variable, x.lead, len(x.data), x.joined, x.phase))
        parts.append(x.data + bytes(-len(x.data) % 8))
    parts += [_words(x.source, x.at, x.target, x.offset) for x in state.links]
    return b"".join(parts)


def _words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


Settlement = tuple[int, list[tuple[bool, int, int]]]


def settlements(output: bytes) -> Iterator[Settlement]:
    """(number of the state, for each object: joined, lead, size)."""
    for line in output.decode("ascii", "replace").splitlines():
        word, _, rest = line.partition(" ")
        if word == "settled":
            number, *values = map(int, rest.split())
            yield (
                number,
                [(bool(values[i]), values[i + 1], values[i + 2]) for i in range(0, len(values), 3)],
            )


@dataclass(frozen=True)
class Counts:
    """Call pairs run, those on captured states and those outside of what was seen; states skipped
    because the baseline faulted, hung or wrote beside its objects; differences that did not count
    because C leaves them undefined, because the baseline itself varies, and for being outside;
    pairs in which the program ended; differences where objects overlapped that never did, which
    do not count either."""

    pairs: int
    captured: int
    outside: int
    skipped: int
    undefined: int
    unstable: int
    differing_outside: int
    cpu_seconds: float
    ended: int
    overlapping: int


def counts(output: bytes) -> Counts | None:
    """None where the harness did not come to its end."""
    for line in output.decode("ascii", "replace").splitlines():
        if line.startswith("end "):
            n = [int(x) for x in line.split()[1:]]
            return Counts(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7] / 1e9, n[8], n[9])
    return None


@dataclass(frozen=True)
class Shown:
    """An object of a counterexample, at its address there."""

    layout: int
    variable: int
    lead: int
    size: int
    address: int
    data: bytes


@dataclass(frozen=True)
class Difference:
    """``where``: within, outside, reach. ``words``: rax, rdx, xmm0, xmm1 of both versions."""

    where: str
    what: str
    signal: int
    address: int
    place: tuple[int, int, int, int]
    words: tuple[tuple[int, int], ...]
    objects: tuple[Shown, ...]


def difference(output: bytes) -> Difference | None:
    """The last one shown, which is the one that refutes if any does."""
    blocks = output.decode("ascii", "replace").split("differs ")[1:]
    if not blocks:
        return None
    head, *lines = blocks[-1].splitlines()
    where, what, signal, address = head.split("\t")
    place: tuple[int, ...] = (0, 0, 0, 0)
    words: list[tuple[int, int]] = []
    objects: list[Shown] = []
    for line in lines:
        kind, _, rest = line.partition(" ")
        fields = rest.split()
        if kind == "where":
            place = tuple(map(int, fields))
        elif kind == "words":
            numbers = [int(x, 16) for x in fields]
            words = list(zip(numbers[::2], numbers[1::2], strict=True))
        elif kind == "object":
            data = bytes.fromhex(fields[5]) if len(fields) > 5 else b""
            layout, variable, lead, size, at = map(int, fields[:5])
            objects.append(Shown(layout, variable, lead, size, at, data))
    return Difference(
        where,
        what,
        int(signal),
        int(address),
        (place[0], place[1], place[2], place[3]),
        tuple(words),
        tuple(objects),
    )
