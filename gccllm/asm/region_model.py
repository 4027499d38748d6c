"""What a region is: a contiguous single-entry run of a function's lines and all that it touches.

Registers have full names: "rax" … "r15", "zmm0" … "zmm31" (xmm and ymm are parts of it), "k0" …
"k7". Widths are bits. An *origin* is where a value in the region first comes from: a register that
is live at its entry, or a stack slot written as as writes it, ``8(%rsp)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ["FLAGS", "Exit", "Pointer", "Region", "Relation", "Shape", "Slot"]

FLAGS = ("cf", "pf", "af", "zf", "sf", "of")
"""the status flags by name, in the order of their bits in rflags"""


class Shape(str, Enum):
    """Which part of a function a region is."""

    LOOP = "loop"
    """a natural loop"""
    PREHEADER = "loop-with-preheader"
    """a natural loop with the straight run of lines before it that leads into it"""
    BODY = "loop-body"
    """one pass through a loop of one block, less the jump back and what only decides on it"""
    BLOCKS = "blocks"
    """a straight run of blocks"""


@dataclass(frozen=True)
class Exit:
    """One way out. ``label`` is where it goes, "" for falling out of the region's end.

    ``live``: registers that the region writes and that are read behind this exit, with the width
    that is read there at most: those bits have to be as the baseline leaves them, the others are
    free. ``flags``: status flags that are read behind it. ``place`` numbers the instruction that
    the exit leads to, so two exits with one ``place`` are the same.
    """

    label: str
    place: int
    live: Mapping[str, int]
    flags: frozenset[str]


@dataclass(frozen=True)
class Pointer:
    """An origin that is used as an address.

    Its accesses lie in the bytes [low, high) from it, before any index is added; ``sizes`` are
    their widths in bytes, ``strides`` the steps in bytes by which the address moves (its own step,
    or the scale of an index), empty when it does not.
    """

    origin: str
    low: int
    high: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    loads: bool
    stores: bool


@dataclass(frozen=True)
class Slot:
    """A place in the stack frame that the region touches: bytes [displacement, +size)."""

    base: str
    displacement: int
    size: int
    loads: bool
    stores: bool


@dataclass(frozen=True)
class Relation:
    """Two origins that the region compares or subtracts; ``step`` is by how much one of them moves
    at a time (1 where that is unknown), negative when the first moves down."""

    first: str
    second: str
    step: int


@dataclass(frozen=True)
class Region:
    """A region of function ``function``; see the module for the names used.

    ``lines`` are indices of the unit's lines. ``entry`` is the label through which it is entered,
    "" when it is entered at its first line only. ``exits``: labels in order of first use, then ""
    if control can fall out of its end. ``live_in``: registers read before they are written, with
    the width read. ``flags_in`` likewise. ``free``: registers that a replacement may change without
    saving them: dead at every exit, and such that no caller may rely on them (-fipa-ra). A free
    register may be live at the entry. ``writes``: registers that the region itself writes.
    Registers that are neither free, nor written, nor live out must keep their values.
    ``pointers``, ``slots``, ``relations``, ``steps`` (origin → what is added to it at a time),
    ``counts`` (origins that go into addresses and bounds: indices, lengths) and ``chases`` (a
    loaded value is used as an address) say how memory and counters are used.
    ``guard``: a comparison and a conditional jump to ``X``, right in front of the region: it is
    entered only where that jump is not taken. ``red_zone``: the function keeps values below rsp.
    """

    function: str
    lines: range
    shape: Shape
    entry: str
    exits: tuple[Exit, ...]
    live_in: Mapping[str, int]
    flags_in: frozenset[str]
    writes: frozenset[str]
    free: frozenset[str]
    pointers: tuple[Pointer, ...]
    slots: tuple[Slot, ...]
    relations: tuple[Relation, ...]
    steps: Mapping[str, int]
    immediates: tuple[int, ...]
    symbols: tuple[str, ...]
    calls: tuple[str, ...]
    instructions: int
    depth: int
    """how many loops it lies in, counting itself when it is one"""
    guard: tuple[str, ...] = ()
    counts: frozenset[str] = frozenset()
    chases: bool = False
    red_zone: bool = False
    stores: bool = False
    """it writes to memory"""

    @property
    def kind(self) -> str:
        """ "loop" or "blocks"."""
        return "loop" if self.shape in (Shape.LOOP, Shape.PREHEADER) else "blocks"

    @property
    def live_out(self) -> Mapping[str, int]:
        """All exits together: register → the greatest width that is read behind one of them."""
        found: dict[str, int] = {}
        for leaving in self.exits:
            for register, width in leaving.live.items():
                found[register] = max(width, found.get(register, 0))
        return found
