"""Constructors of comparisons and of divisions, each giving a simpler equal term."""

from __future__ import annotations

from gccllm.assurance.proof.bits import (
    bit_and,
    bit_not,
    bit_xor,
    extract,
    ite,
    quotient_by,
    sign,
    zext,
)
from gccllm.assurance.proof.division import zero_bits
from gccllm.assurance.proof.node import ONE, ZERO, Term, const, make, mask, signed
from gccllm.assurance.proof.sums import difference, scaled, subtract

__all__ = ["all_of", "any_of", "equal", "less_signed", "less_unsigned", "quotient", "remainder"]


def all_of(*conditions: Term) -> Term:
    found = ONE
    for condition in conditions:
        found = bit_and(found, condition)
    return found


def any_of(*conditions: Term) -> Term:
    return bit_not(all_of(*(bit_not(x) for x in conditions)))


def equal(a: Term, b: Term) -> Term:
    if a is b:
        return ONE
    if a.width == 0:
        return make("eq", 1, a, b)
    if a.width == 1:
        return bit_not(bit_xor(a, b))
    if a.is_const:
        a, b = b, a
    apart = difference(a, b)
    if apart is not None:
        return ZERO if apart else ONE
    zeros = min(zero_bits(a), zero_bits(b))
    if zeros:
        return equal(extract(a, a.width - zeros - 1, 0), extract(b, b.width - zeros - 1, 0))
    if b.is_const:
        return _equals_number(a, b)
    if a.op == "sext" and b.op == "sext" and a.args[0].width == b.args[0].width:
        return equal(a.args[0], b.args[0])
    if "sum" in (a.op, b.op):
        return _normal(subtract(a, b))
    if a.number > b.number:
        a, b = b, a
    return make("eq", 1, a, b)


def _normal(apart: Term) -> Term:
    """``apart`` equals zero; of the two signs that it may have one is chosen."""
    other = scaled(apart, -1)
    first = apart if apart.number <= other.number else other
    return _equals_number(first, const(0, first.width))


def _equals_number(a: Term, b: Term) -> Term:
    width, value = a.width, b.value
    if a.op == "concat":
        found, top = ONE, width
        for piece in a.args:
            top -= piece.width
            found = bit_and(found, equal(piece, const(value >> top, piece.width)))
            if found is ZERO:
                break
        return found
    if a.op == "sext":
        inner: Term = a.args[0]
        if signed(value, width) != signed(value & mask(inner.width), inner.width):
            return ZERO
        return equal(inner, const(value, inner.width))
    if a.op == "ite" and (a.args[1].is_const or a.args[2].is_const):
        return ite(a.args[0], equal(a.args[1], b), equal(a.args[2], b))
    if a.op == "sum":
        number, pieces = a.args
        value = (value - number) & mask(width)
        if len(pieces) == 1:
            factor, term = pieces[0]
            if factor & 1:
                inverse = pow(factor, -1, 1 << width)
                return equal(term, const(value * inverse, width))
            power = (factor & -factor).bit_length() - 1
            if value & mask(power):
                return ZERO
            narrow = scaled(extract(term, width - power - 1, 0), factor >> power)
            return equal(narrow, const(value >> power, width - power))
        bare = subtract(a, const(number, width))
        return make("eq", 1, bare, const(value, width))
    return make("eq", 1, a, b)


def less_unsigned(a: Term, b: Term) -> Term:
    if a is b:
        return ZERO
    if a.is_const and b.is_const:
        return ONE if a.value < b.value else ZERO
    if a.width == 1:
        return bit_and(bit_not(a), b)
    zeros = min(zero_bits(a), zero_bits(b))
    if zeros:
        top = a.width - zeros - 1
        return less_unsigned(extract(a, top, 0), extract(b, top, 0))
    if b.is_const:
        if b.value == 0:
            return ZERO
        if b.value >> (a.width - zero_bits(a)):
            return ONE
        if b.value & (b.value - 1) == 0:
            # Below a power of two: the bits above are zero.
            k = b.value.bit_length() - 1
            return equal(extract(a, a.width - 1, k), const(0, a.width - k))
    if a.is_const:
        if a.value == mask(a.width) or a.value >> (b.width - zero_bits(b)):
            return ZERO
        if a.value & (a.value + 1) == 0:
            return bit_not(less_unsigned(b, const(a.value + 1, b.width)))
    return make("ult", 1, a, b)


def less_signed(a: Term, b: Term) -> Term:
    if a is b:
        return ZERO
    if a.is_const and b.is_const:
        return ONE if signed(a.value, a.width) < signed(b.value, b.width) else ZERO
    if a.width == 1:
        return bit_and(a, bit_not(b))
    if zero_bits(a) and zero_bits(b):
        return less_unsigned(a, b)
    if b.is_const and b.value == 0:
        return sign(a)
    if a.is_const and a.value == mask(a.width):
        return bit_not(sign(b))
    if a.op == "sext" and b.op == "sext" and a.args[0].width == b.args[0].width:
        return less_signed(a.args[0], b.args[0])
    return make("slt", 1, a, b)


def quotient(a: Term, b: Term, *, is_signed: bool) -> Term:
    """a / b towards zero; for b = 0 what SMT-LIB says."""
    if not is_signed:
        if b.is_const and b.value:
            power = b.value.bit_length() - 1
            if b.value == 1 << power:
                return zext(extract(a, a.width - 1, power), a.width)
            return quotient_by(a, b.value)
        zeros = min(zero_bits(a), zero_bits(b))
        if 0 < zeros < a.width and not b.is_const:
            top = a.width - zeros - 1
            return ite(
                equal(b, const(0, b.width)),
                const(-1, a.width),
                zext(make("udiv", top + 1, extract(a, top, 0), extract(b, top, 0)), a.width),
            )
        return make("udiv", a.width, a, b)
    if b.is_const and b.value == 1:
        return a
    if a.is_const and b.is_const and b.value:
        x, y = signed(a.value, a.width), signed(b.value, b.width)
        return const(abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1), a.width)
    if zero_bits(a) and zero_bits(b) and (b.is_const and b.value):
        return quotient(a, b, is_signed=False)
    return make("sdiv", a.width, a, b)


def remainder(a: Term, b: Term, *, is_signed: bool) -> Term:
    """The remainder of :func:`quotient`; it has the sign of ``a``."""
    if b.is_const and b.value:
        if not is_signed and b.value & (b.value - 1) == 0:
            return bit_and(a, const(b.value - 1, a.width))
        return subtract(a, scaled(quotient(a, b, is_signed=is_signed), b.value))
    if not is_signed:
        zeros = min(zero_bits(a), zero_bits(b))
        if 0 < zeros < a.width:
            top = a.width - zeros - 1
            narrow = make("urem", top + 1, extract(a, top, 0), extract(b, top, 0))
            return zext(narrow, a.width)
    return make("srem" if is_signed else "urem", a.width, a, b)
