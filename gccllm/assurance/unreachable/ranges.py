"""What is known of a number of so many bits: where it lies, taken as unsigned and as signed."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Range", "both", "hull", "lowest", "met", "rest", "total", "whole", "widened"]


class Range(NamedTuple):
    """Bounds, all inclusive: ``low`` to ``high`` unsigned, ``least`` to ``most`` signed."""

    bits: int
    low: int
    high: int
    least: int
    most: int

    @property
    def is_whole(self) -> bool:
        return self == whole(self.bits)


def whole(bits: int) -> Range:
    """Nothing is known."""
    half = 1 << (bits - 1)
    return Range(bits, 0, 2 * half - 1, -half, half - 1)


def met(
    known: Range,
    *,
    low: int | None = None,
    high: int | None = None,
    least: int | None = None,
    most: int | None = None,
) -> Range | None:
    """``known`` and these bounds too; None where no number is left."""
    bits, half = known.bits, 1 << (known.bits - 1)
    a = known.low if low is None else max(known.low, low)
    b = known.high if high is None else min(known.high, high)
    c = known.least if least is None else max(known.least, least)
    d = known.most if most is None else min(known.most, most)
    # What one view says of the sign tells the other one where to look.
    if c >= 0:
        a, b = max(a, c), min(b, d)
    elif d < 0:
        a, b = max(a, c + 2 * half), min(b, d + 2 * half)
    if b < half:
        c, d = max(c, a), min(d, b)
    elif a >= half:
        c, d = max(c, a - 2 * half), min(d, b - 2 * half)
    return Range(bits, a, b, c, d) if a <= b and c <= d else None


def hull(one: Range, other: Range) -> Range:
    """What holds for both."""
    return Range(
        one.bits,
        min(one.low, other.low),
        max(one.high, other.high),
        min(one.least, other.least),
        max(one.most, other.most),
    )


def widened(before: Range, now: Range) -> Range:
    """``now``, with each bound given up that is further out than ``before``, unless another one
    says it."""
    top = whole(now.bits)
    given_up = Range(
        now.bits,
        now.low if now.low >= before.low else top.low,
        now.high if now.high <= before.high else top.high,
        now.least if now.least >= before.least else top.least,
        now.most if now.most <= before.most else top.most,
    )
    return both(top, given_up)


def total(one: Range, other: Range) -> Range:
    """The sum, modulo 2^bits."""
    return _summed(
        one.bits,
        (one.low + other.low, one.high + other.high),
        (one.least + other.least, one.most + other.most),
    )


def rest(one: Range, other: Range) -> Range:
    """``one`` less ``other``, modulo 2^bits."""
    return _summed(
        one.bits,
        (one.low - other.high, one.high - other.low),
        (one.least - other.most, one.most - other.least),
    )


def lowest(bits: int, first: int, last: int) -> Range:
    """Of the low bits of a number from ``first`` to ``last``."""
    return _summed(bits, (first, last), (first, last))


def _summed(bits: int, unsigned: tuple[int, int], signed: tuple[int, int]) -> Range:
    """From bounds that may lie outside of what so many bits hold: where both do on the same side,
    both come back; where one does, nothing is known."""
    top, size = whole(bits), 1 << bits
    low, high = (x % size for x in unsigned)
    if unsigned[0] // size != unsigned[1] // size:
        low, high = top.low, top.high
    half = size >> 1
    least, most = ((x + half) % size - half for x in signed)
    if (signed[0] + half) // size != (signed[1] + half) // size:
        least, most = top.least, top.most
    return both(top, Range(bits, low, high, least, most))


def both(one: Range, other: Range) -> Range:
    """What two true statements about one number say together."""
    found = met(one, low=other.low, high=other.high, least=other.least, most=other.most)
    return found or one
