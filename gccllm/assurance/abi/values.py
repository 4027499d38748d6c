"""Abstract values: what is known of the content of a register or of a stack slot.

None is anything at all. Addresses of the stack are a base and an offset; a base is a place that
rsp (or a pointer into the stack) had when its distance to the entry's rsp stopped being known,
together with what is known of its alignment.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ENTRY_BASE",
    "WHOLE",
    "Base",
    "Derived",
    "Entry",
    "Lanes",
    "Ones",
    "Place",
    "Residue",
    "Saved",
    "Stack",
    "Value",
    "added",
    "aligned",
    "congruence",
    "difference_of",
    "joined",
    "low_bit",
    "residue",
    "scaled",
    "sum_of",
]

Place = tuple[int, int]
"""(section index, address) of an instruction"""

WHOLE = 1 << 20
"""the alignment of zero"""


@dataclass(frozen=True)
class Base:
    """A place in the stack: ``kind`` is "entry" (rsp at entry), "and" (rounded down), "moved" (by
    an amount that is not known) or "joined" (different on the paths that meet); it is
    congruent to ``remainder`` modulo ``modulus`` bytes. ``room``: so many bytes above it are still
    below the return address."""

    kind: str
    place: Place
    register: str
    modulus: int
    remainder: int
    room: int = 1 << 40


ENTRY_BASE = Base("entry", (0, 0), "rsp", 16, 8, 0)


@dataclass(frozen=True)
class Entry:
    """What ``register`` held at entry."""

    register: str


@dataclass(frozen=True)
class Derived:
    """A pointer or number reckoned from what ``register`` held at entry."""

    register: str


@dataclass(frozen=True)
class Stack:
    """The address ``base`` + ``offset``."""

    base: Base
    offset: int


@dataclass(frozen=True)
class Residue:
    """A number or an address of which only this is known: divided by ``modulus``, a power of two
    over 1 and up to :data:`WHOLE`, it leaves ``remainder``. Arithmetic in 32 bits keeps that."""

    modulus: int
    remainder: int


@dataclass(frozen=True)
class Saved:
    """The "x87" or "mxcsr" control word as it was at entry."""

    what: str


@dataclass(frozen=True)
class Lanes:
    """A vector with something in the lanes of ``size`` bytes that the register ``mask`` chooses,
    as it is now; the others hold what was there before."""

    mask: str
    size: int


@dataclass(frozen=True)
class Ones:
    """A mask that chooses every lane."""


Value = Entry | Derived | Stack | Residue | Saved | Lanes | Ones | None


def low_bit(number: int) -> int:
    """The largest power of two that divides ``number``, at most :data:`WHOLE`."""
    return min(number & -number, WHOLE) if number else WHOLE


def congruence(value: Value) -> tuple[int, int]:
    """(modulus, remainder) of a value; (1, 0) says nothing."""
    if isinstance(value, Stack):
        return value.base.modulus, (value.base.remainder + value.offset) % value.base.modulus
    if isinstance(value, Residue):
        return value.modulus, value.remainder
    return 1, 0


def residue(modulus: int, remainder: int) -> Residue | None:
    """What is congruent to ``remainder`` modulo a power of two; None if that says nothing."""
    modulus = min(modulus, WHOLE)
    return Residue(modulus, remainder % modulus) if modulus > 1 else None


def scaled(value: Value, factor: int) -> Value:
    """``value`` times a power of two."""
    if factor == 1:
        return value
    modulus, remainder = congruence(value) if isinstance(value, Residue) else (1, 0)
    return residue(modulus * factor, remainder * factor)


def _common(first: Value, second: Value) -> tuple[int, int]:
    """The strongest congruence that both values have."""
    modulus, remainder = congruence(first)
    other_modulus, other = congruence(second)
    modulus = min(modulus, other_modulus, low_bit(remainder - other))
    return modulus, remainder % modulus


def joined(first: Value, second: Value, place: Place, register: str) -> Value:
    """What holds of ``register`` where two paths meet at ``place``."""
    if first == second:
        return first
    if isinstance(first, Stack) and isinstance(second, Stack):
        return Stack(Base("joined", place, register, *_common(first, second)), 0)
    if isinstance(first, Residue) and isinstance(second, Residue):
        return residue(*_common(first, second))
    if isinstance(first, (Entry, Derived)) and isinstance(second, (Entry, Derived)):
        return Derived(first.register) if first.register == second.register else None
    return None


def added(value: Value, amount: int) -> Value:
    """``value`` + ``amount``."""
    if isinstance(value, Stack):
        return Stack(value.base, value.offset + amount)
    if isinstance(value, Residue):
        return residue(value.modulus, value.remainder + amount)
    if isinstance(value, Entry) and amount:
        return Derived(value.register)
    return value if isinstance(value, (Entry, Derived)) else None


def sum_of(first: Value, second: Value, place: Place, register: str) -> Value:
    """``first`` + ``second`` as ``register`` gets it."""
    for one, other in ((first, second), (second, first)):
        if isinstance(one, Stack):
            modulus, remainder = congruence(one)
            step, rest = congruence(other)
            modulus = min(modulus, step)
            return Stack(Base("moved", place, register, modulus, (remainder + rest) % modulus), 0)
    if isinstance(first, Residue) and isinstance(second, Residue):
        modulus = min(first.modulus, second.modulus)
        return residue(modulus, first.remainder + second.remainder)
    for one in (first, second):
        if isinstance(one, (Entry, Derived)):
            return Derived(one.register)
    return None


def difference_of(first: Value, second: Value, place: Place, register: str) -> Value:
    """``first`` - ``second`` as ``register`` gets it."""
    if isinstance(second, Residue):
        second = residue(second.modulus, -second.remainder)
    return sum_of(first, second, place, register)


def aligned(value: Value, mask: int, place: Place, register: str) -> Value:
    """``value`` & ``mask``, the mask read as a 64-bit number."""
    step = low_bit(mask)
    rounds = mask & ((1 << 64) - 1) == (-step) & ((1 << 64) - 1)
    if rounds and isinstance(value, Stack):
        modulus, remainder = congruence(value)
        if modulus >= step:
            return Stack(value.base, value.offset - remainder % step)
        room = max(value.base.room - value.offset, 0)
        return Stack(Base("and", place, register, step, 0, room), 0)
    modulus, remainder = congruence(value)
    if rounds and modulus >= step:
        return residue(modulus, remainder - remainder % step)
    return residue(max(step, low_bit(remainder) if remainder else modulus), 0)
