"""Sums with constant factors in one normal form: addition, subtraction, multiples, negation.

Two addresses, two counters or two population counts that are equal for a simple reason become the
same term here, so that no solver has to be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gccllm.assurance.proof.node import Term, const, make, mask

__all__ = ["add", "difference", "linear", "negated", "scaled", "subtract", "zero_extended"]


def zero_extended(term: Term, width: int) -> Term:
    """``term`` with zeros in front; ``term`` is no constant."""
    if term.width == width:
        return term
    more = width - term.width
    if term.op == "concat":
        first = term.args[0]
        if first.is_const and first.value == 0:
            return make("concat", width, const(0, more + first.width), *term.args[1:])
    return make("concat", width, const(0, more), term)


def _parts(term: Term) -> tuple[int, Mapping[Term, int]]:
    """(number, term → factor) of a term seen as a sum."""
    if term.op == "const":
        return term.value, {}
    if term.op == "sum":
        return term.args[0], {t: f for f, t in term.args[1]}
    if term.op == "xor" and len(term.args) == 2:
        for this, other in (term.args, term.args[::-1]):
            if this.is_const and this.value == mask(term.width):
                number, pairs = _parts(other)
                return -1 - number, {t: -f for t, f in pairs.items()}
    if term.op == "sext" and term.args[0].width == 1:
        return 0, {zero_extended(term.args[0], term.width): -1}
    if term.op == "concat" and term.args[-1].is_const and term.args[-1].value == 0:
        shift = term.args[-1].width
        upper = term.args[:-1]
        if len(upper) == 1 and upper[0].op == "extract":
            inner, high, low = upper[0].args
            if low == 0 and inner.width == term.width and high == term.width - shift - 1:
                number, pairs = _parts(inner)
                return number << shift, {t: f << shift for t, f in pairs.items()}
        if not upper[0].is_const:
            rest = upper[0] if len(upper) == 1 else make("concat", term.width - shift, *upper)
            return 0, {zero_extended(rest, term.width): 1 << shift}
        if len(upper) > 1:
            rest = make(
                "concat", term.width, const(upper[0].value, upper[0].width + shift), *upper[1:]
            )
            if upper[0].value == 0:
                return 0, {rest: 1 << shift}
    return 0, {term: 1}


def _total(width: int, number: int, pairs: Mapping[Term, int]) -> Term:
    """number + the sum of factor * term, in normal form."""
    whole = mask(width)
    number &= whole
    kept = {t: f & whole for t, f in pairs.items() if f & whole}
    if not kept:
        return const(number, width)
    if len(kept) == 1 and number in (0, whole):
        ((term, factor),) = kept.items()
        if number == 0 and factor == 1:
            return term
        if factor == whole:
            bit = _bit(term)
            if number == 0 and bit is not None:
                return make("sext", width, bit)
            if number == whole:
                return make("xor", width, term, const(whole, width))
    pieces = tuple(sorted(((f, t) for t, f in kept.items()), key=lambda x: x[1].number))
    return make("sum", width, number, pieces)


def linear(width: int, number: int, pieces: Iterable[tuple[int, Term]]) -> Term:
    """number + the sum of factor * term, the terms being sums themselves, perhaps."""
    found: dict[Term, int] = {}
    for factor, piece in pieces:
        more, pairs = _parts(piece)
        number += factor * more
        for term, f in pairs.items():
            found[term] = found.get(term, 0) + factor * f
    return _total(width, number, found)


def _bit(term: Term) -> Term | None:
    """The single bit that ``term`` is a zero extension of."""
    if term.width == 1:
        return None
    if term.op == "concat" and len(term.args) == 2 and term.args[1].width == 1:
        first, last = term.args
        if first.is_const and first.value == 0:
            assert isinstance(last, Term)
            return last
    return None


def _combined(a: Term, b: Term, factor: int) -> tuple[int, Mapping[Term, int]]:
    number, pairs = _parts(a)
    other, more = _parts(b)
    found = dict(pairs)
    for term, f in more.items():
        found[term] = found.get(term, 0) + factor * f
    return number + factor * other, found


def add(a: Term, b: Term) -> Term:
    return _total(a.width, *_combined(a, b, 1))


def subtract(a: Term, b: Term) -> Term:
    return _total(a.width, *_combined(a, b, -1))


def negated(a: Term) -> Term:
    return scaled(a, -1)


def scaled(a: Term, factor: int) -> Term:
    number, pairs = _parts(a)
    return _total(a.width, number * factor, {t: f * factor for t, f in pairs.items()})


def difference(a: Term, b: Term) -> int | None:
    """a - b modulo 2**width where that is the same number for all values, else None."""
    number, pairs = _combined(a, b, -1)
    whole = mask(a.width)
    return number & whole if all(not f & whole for f in pairs.values()) else None
