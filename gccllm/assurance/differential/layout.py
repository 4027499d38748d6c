"""Types as the harness sees them: flat leaves at byte offsets, and where the ABI puts arguments.

Everything that a call depends on is an object with a layout: what a pointer leads to, a global
variable, and the arguments themselves, as a block of eight-byte words (System V psABI for x86-64,
section 3.2.3): six general registers, eight vector registers, then the stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

__all__ = [
    "BLOCK_WORDS",
    "BYTES",
    "Kind",
    "Layout",
    "Leaf",
    "Parameter",
    "Returned",
    "Signature",
    "Unsupported",
    "signature",
]

GENERAL_WORDS, VECTOR_WORDS, STACK_WORDS = 6, 8, 16
BLOCK_WORDS = GENERAL_WORDS + VECTOR_WORDS + STACK_WORDS
_RAX, _XMM0 = 0, 2


class Kind(IntEnum):
    """What a leaf holds; the values are those of ``enum kind`` in harness.h."""

    SIGNED = 0
    UNSIGNED = 1
    BOOL = 2
    FLOAT = 3
    POINTER = 4
    OPAQUE = 5
    """kept as captured: unions, bit-fields, function pointers, long double"""


class Unsupported(Exception):
    """The function can't be called by the harness; the message says why, in one line."""


@dataclass(frozen=True)
class Leaf:
    """``count`` values of ``size`` bytes each, side by side. ``target`` is a pointer's layout, by
    its number. ``name`` is its path from the object, "next" or "at.x"."""

    name: str
    offset: int
    kind: Kind
    size: int
    count: int = 1
    target: int = 0

    def moved(self, name: str, by: int) -> Leaf:
        path = f"{name}.{self.name}" if name and self.name else name or self.name
        return replace(self, name=path, offset=self.offset + by)


@dataclass(frozen=True)
class Layout:
    """One element: ``size`` and ``alignment`` in bytes, leaves in the order of their offsets."""

    name: str
    size: int
    alignment: int
    leaves: tuple[Leaf, ...]


BYTES = Layout("unsigned char", 1, 1, (Leaf("", 0, Kind.UNSIGNED, 1),))
"""what ``void *`` and pointers to unknown types lead to"""


@dataclass(frozen=True)
class Parameter:
    """``leaves``: one for a scalar, several for a structure by value. ``type_name`` as in C."""

    name: str
    type_name: str
    layout: Layout
    is_struct: bool = False


@dataclass(frozen=True)
class Returned:
    """``masks``: which bits of rax, rdx, xmm0 and xmm1 (low halves) are compared. ``leaf`` None for
    void and structures."""

    type_name: str
    masks: tuple[int, int, int, int]
    leaf: Leaf | None


@dataclass(frozen=True)
class Signature:
    """``block`` is the layout of the argument block: a leaf for each scalar, named by parameter;
    ``stack_words`` of it are passed on the stack. ``layouts`` are those that pointers lead to."""

    function: str
    parameters: tuple[Parameter, ...]
    returned: Returned
    block: Layout
    stack_words: int
    layouts: tuple[Layout, ...]

    def __str__(self) -> str:
        inside = ", ".join(f"{x.type_name} {x.name}".strip() for x in self.parameters) or "void"
        return f"{self.returned.type_name} {self.function}({inside})"


def signature(
    function: str,
    parameters: Sequence[Parameter],
    returned: Parameter | None,
    layouts: Sequence[Layout],
) -> Signature:
    """Give each parameter its place. Raises Unsupported where there are too many."""
    places = _Places()
    leaves: list[Leaf] = []
    hidden = returned is not None and returned.is_struct and _classes(returned.layout) is None
    if hidden and returned is not None:
        number = layouts.index(returned.layout)
        leaves.append(Leaf("<result>", 8 * places.general(), Kind.POINTER, 8, 1, number))
    for x in parameters:
        leaves += places.put(x)
    block = Layout("arguments", 8 * BLOCK_WORDS, 8, tuple(leaves))
    return Signature(
        function,
        tuple(parameters),
        _returned(returned, hidden),
        block,
        places.stack,
        tuple(layouts),
    )


def _classes(layout: Layout) -> tuple[bool, ...] | None:
    """For each eightbyte whether it goes into a vector register; None: all of it in memory."""
    if layout.size > 16 or layout.size == 0:
        return None
    found = []
    for start in range(0, layout.size, 8):
        here = [x for x in layout.leaves if _touches(x, start)]
        if any(x.offset % min(x.size, x.offset or x.size) for x in here):
            return None
        found.append(bool(here) and all(x.kind is Kind.FLOAT for x in here))
    return tuple(found)


def _touches(leaf: Leaf, start: int) -> bool:
    return leaf.offset < start + 8 and leaf.offset + leaf.size * leaf.count > start


class _Places:
    """The next free register of each kind, and the next free word on the stack."""

    def __init__(self) -> None:
        self.generals = 0
        self.vectors = 0
        self.stack = 0

    def general(self) -> int:
        self.generals += 1
        return self.generals - 1

    def put(self, parameter: Parameter) -> Iterator[Leaf]:
        layout = parameter.layout
        classes = _classes(layout)
        vectors = sum(classes or ())
        generals = len(classes or ()) - vectors
        if (
            classes is None
            or self.generals + generals > GENERAL_WORDS
            or self.vectors + vectors > VECTOR_WORDS
        ):
            if layout.alignment > 8:
                raise Unsupported(f"parameter {parameter.name} is aligned to more than 8 bytes")
            first = GENERAL_WORDS + VECTOR_WORDS + self.stack
            words = [first + i for i in range((layout.size + 7) // 8)]
            self.stack += len(words)
            if self.stack > STACK_WORDS:
                raise Unsupported("more arguments on the stack than the harness passes")
        else:
            words = []
            for vector in classes:
                words.append(GENERAL_WORDS + self.vectors if vector else self.general())
                self.vectors += vector
        for leaf in layout.leaves:
            for i in range(leaf.count):
                at = leaf.offset + i * leaf.size
                name = parameter.name if leaf.count == 1 else f"{parameter.name}[{i}]"
                place = 8 * words[at // 8] + at % 8
                yield replace(leaf, offset=0, count=1).moved(name, place)


def _returned(returned: Parameter | None, hidden: bool) -> Returned:
    masks = [0, 0, 0, 0]
    if returned is None:
        return Returned("void", (0, 0, 0, 0), None)
    if hidden:
        return Returned(returned.type_name, (2**64 - 1, 0, 0, 0), None)
    general, vector = _RAX, _XMM0
    for number, in_vector in enumerate(_classes(returned.layout) or ()):
        mask = 0
        for leaf in returned.layout.leaves:
            for i in range(leaf.size * leaf.count):
                byte = leaf.offset + i - 8 * number
                if 0 <= byte < 8:
                    mask |= 0xFF << 8 * byte
        masks[vector if in_vector else general] = mask
        vector, general = vector + in_vector, general + (not in_vector)
    single = None if returned.is_struct else returned.layout.leaves[0]
    return Returned(returned.type_name, (masks[0], masks[1], masks[2], masks[3]), single)
