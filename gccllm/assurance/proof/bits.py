"""Constructors of terms that cut, join, choose and shift bits, each giving a simpler equal term."""

from __future__ import annotations

import itertools
from functools import reduce

from gccllm.assurance.proof.division import unsigned_quotient, zero_bits
from gccllm.assurance.proof.node import ONE, Term, const, make, mask, signed
from gccllm.assurance.proof.sums import add, difference, linear, negated, scaled, zero_extended

__all__ = [
    "bit_and",
    "bit_not",
    "bit_or",
    "bit_xor",
    "concat",
    "extract",
    "ite",
    "lanes",
    "product",
    "quotient_by",
    "sext",
    "sign",
    "zext",
]

MOST_PIECES = 8
_UNIT = {"and": -1, "or": 0, "xor": 0}


def concat(*terms: Term) -> Term:
    """The terms joined, the highest bits first; all in one list, nothing nested."""
    flat: list[Term] = []
    for term in terms:
        for piece in term.args if term.op == "concat" else (term,):
            last = flat[-1] if flat else None
            joined = None if last is None else _joined(last, piece)
            if joined is None:
                flat.append(piece)
            else:
                flat[-1] = joined
    if len(flat) == 1:
        return flat[0]
    if flat[0].op == "sext" and flat[0].args[0].width == 1 and sign(flat[1]) is flat[0].args[0]:
        return sext(concat(*flat[1:]), sum(x.width for x in flat))
    return make("concat", sum(x.width for x in flat), *flat)


def _joined(high: Term, low: Term) -> Term | None:
    if high.is_const and low.is_const:
        return const(high.value << low.width | low.value, high.width + low.width)
    if high.op == "extract" and low.op == "extract" and high.args[0] is low.args[0]:
        if high.args[2] == low.args[1] + 1:
            return extract(high.args[0], high.args[1], low.args[2])
    elif high.op == "extract" and high.args[2] == low.width and _low_part(high, low):
        return extract(high.args[0], high.args[1], 0)
    return None


def _low_part(high: Term, low: Term) -> bool:
    """Whether ``low`` is what is below ``high`` in the term that ``high`` is cut out of."""
    inner: Term = high.args[0]
    return inner.op in ("sum", "mul") and extract(inner, low.width - 1, 0) is low


def extract(term: Term, high: int, low: int) -> Term:
    """Bits high … low."""
    width = high - low + 1
    if width == term.width:
        return term
    op = term.op
    if op == "const":
        return const(term.value >> low, width)
    if op == "extract":
        return extract(term.args[0], high + term.args[2], low + term.args[2])
    if op == "concat":
        return _cut(term, high, low)
    if op == "sext":
        inner: Term = term.args[0]
        if high < inner.width:
            return extract(inner, high, low)
        low = min(low, inner.width - 1)
        return (
            sext(extract(inner, inner.width - 1, low), high - low + 1)
            if width > high - low
            else (sext(extract(inner, inner.width - 1, inner.width - 1), width))
        )
    if op in ("and", "or", "xor"):
        return reduce(_BITWISE[op], (extract(x, high, low) for x in term.args))
    if op == "ite":
        return ite(term.args[0], extract(term.args[1], high, low), extract(term.args[2], high, low))
    if op == "sum":
        return _cut_sum(term, high, low)
    if op == "mul" and high < term.width - 1:
        narrow = product(extract(term.args[0], high, 0), extract(term.args[1], high, 0))
        return extract(narrow, high, low)
    return make("extract", width, term, high, low)


def _cut(term: Term, high: int, low: int) -> Term:
    pieces = []
    top = term.width
    for piece in term.args:
        bottom = top - piece.width
        if bottom <= high and top > low:
            pieces.append(extract(piece, min(high, top - 1) - bottom, max(low, bottom) - bottom))
        top = bottom
    return concat(*pieces)


def _cut_sum(term: Term, high: int, low: int) -> Term:
    as_bits = _shifted(term)
    if as_bits is not None:
        return extract(as_bits, high, low)
    unsigned = unsigned_quotient(term, low)
    if unsigned is not None:
        x, bits, divisor = unsigned
        found = zext(quotient_by(extract(x, bits - 1, 0), divisor), term.width)
        return extract(found, high - low, 0)
    if high < term.width - 1:
        pieces = [(f, extract(t, high, 0)) for f, t in term.args[1]]
        narrow = linear(high + 1, term.args[0], pieces)
        return extract(narrow, high, low)
    if low and term.args[0] == 0 and len(term.args[1]) == 1:
        ((factor, x),) = term.args[1]
        if x.op == "sext" and signed(factor, term.width) < 0 and low == x.args[0].width:
            inner: Term = x.args[0]
            upper = extract(scaled(x, factor + (1 << low)), high, low)
            return add(upper, negated(extract(x, high - low, 0))) if inner.width == low else upper
    return make("extract", high - low + 1, term, high, low)


def _shifted(term: Term) -> Term | None:
    """x * 2**k as x without its highest k bits and zeros behind."""
    if term.op == "sum" and term.args[0] == 0 and len(term.args[1]) == 1:
        ((factor, x),) = term.args[1]
        if factor & (factor - 1) == 0 and factor > 1:
            k = factor.bit_length() - 1
            return concat(extract(x, term.width - k - 1, 0), const(0, k))
    return None


def zext(term: Term, width: int) -> Term:
    return concat(const(0, width - term.width), term) if width > term.width else term


def sext(term: Term, width: int) -> Term:
    if width == term.width:
        return term
    if term.is_const:
        return const(signed(term.value, term.width), width)
    if zero_bits(term):
        return zero_extended(term, width)
    if term.op == "sext":
        return make("sext", width, term.args[0])
    if term.op == "ite" and (term.args[1].is_const or term.args[2].is_const) and term.width > 1:
        return ite(term.args[0], sext(term.args[1], width), sext(term.args[2], width))
    return make("sext", width, term)


def sign(term: Term) -> Term:
    """The highest bit."""
    return extract(term, term.width - 1, term.width - 1)


def lanes(term: Term, width: int) -> list[Term]:
    """Pieces of ``width`` bits, the lowest first."""
    return [extract(term, at + width - 1, at) for at in range(0, term.width, width)]


def quotient_by(x: Term, divisor: int) -> Term:
    """x / divisor, both unsigned; a shift in front of it is part of the divisor."""
    zeros = zero_bits(x)
    if zeros == x.width:
        return x
    low = extract(x, x.width - zeros - 1, 0) if zeros else x
    if low.op == "extract" and low.args[2] and low.args[1] == low.args[0].width - 1:
        inner: Term = low.args[0]
        return (
            extract(quotient_by(inner, divisor << low.args[2]), x.width - 1, 0)
            if (inner.width >= x.width)
            else zext(quotient_by(inner, divisor << low.args[2]), x.width)
        )
    if divisor >> low.width:
        return const(0, x.width)
    if low.is_const:
        return const(low.value // divisor, x.width)
    return zext(make("udiv", low.width, low, const(divisor, low.width)), x.width)


# ---- bit by bit --------------------------------------------------------------------------------


def _bitwise(op: str, a: Term, b: Term) -> Term:
    width = a.width
    if width == 1 and op == "and" and a.op == "and" and b.op not in ("and", "const"):
        return _one_more(a, b)
    whole = mask(width)
    number = _UNIT[op] & whole
    terms: list[Term] = []
    for term in (a, b):
        plain = _plain(term)
        for piece in plain.args if plain.op == op else (plain,):
            if piece.is_const:
                value = piece.value
                number = (
                    number & value
                    if op == "and"
                    else (number | value if op == "or" else number ^ value)
                )
            elif piece not in terms:
                terms.append(piece)
            elif op == "xor":
                terms.remove(piece)
    if not terms:
        return const(number, width)
    if (op == "and" and number == 0) or (op == "or" and number == whole):
        return const(number, width)
    if op != "xor" and _contradicts(terms, whole):
        return const(0 if op == "and" else whole, width)
    neutral = number == _UNIT[op] & whole
    if neutral and len(terms) == 1:
        return terms[0]
    if width > 1:
        for term in terms:
            if term.op == "sext" and term.args[0].width == 1:
                return _chosen(op, term.args[0], [x for x in terms if x is not term], number, width)
    split = _split(op, terms, number, width)
    if split is not None:
        return split
    terms.sort(key=lambda x: x.number)
    return make(op, width, *terms, *([] if neutral else [const(number, width)]))


def _one_more(many: Term, one: Term) -> Term:
    """A condition more for a path that has many: they are not all compared with each other."""
    opposite = bit_not(one)
    if opposite in many.args:
        return const(0, 1)
    if one in many.args:
        return many
    return make("and", 1, *sorted((*many.args, one), key=lambda x: x.number))


def _contradicts(terms: list[Term], whole: int) -> bool:
    """Whether a term and its complement are both there."""
    return any(
        x.op == "xor"
        and len(x.args) == 2
        and x.args[1].is_const
        and x.args[1].value == whole
        and x.args[0] in terms
        for x in terms
    )


def _chosen(op: str, bit: Term, others: list[Term], number: int, width: int) -> Term:
    """The operation where one of the terms is all zeros or all ones, as ``bit`` says."""
    rest = reduce(_BITWISE[op], others, const(number, width))
    ones = const(mask(width), width)
    if op == "and":
        return ite(bit, rest, const(0, width))
    return ite(bit, ones if op == "or" else bit_not(rest), rest)


def _plain(term: Term) -> Term:
    """A multiple of a power of two as bits; other sums as they are."""
    return _shifted(term) or term


def _split(op: str, terms: list[Term], number: int, width: int) -> Term | None:
    """The operation piece by piece where terms are joined of pieces, or a constant has few runs."""
    cuts = {0, width}
    joined = False
    for term in terms:
        if term.op == "concat":
            joined = True
            at = width
            for piece in term.args:
                cuts.add(at)
                at -= piece.width
    if op == "and" or joined:
        runs = _runs(number, width)
        if len(runs) <= MOST_PIECES:
            cuts.update(runs)
    if len(cuts) == 2 or (len(cuts) > 80 and not joined):
        return None
    places = sorted(cuts, reverse=True)
    pieces = []
    for top, bottom in itertools.pairwise(places):
        parts = [extract(x, top - 1, bottom) for x in terms]
        constant = const(number >> bottom, top - bottom)
        pieces.append(reduce(_BITWISE[op], parts, constant))
    return concat(*pieces)


def _runs(number: int, width: int) -> list[int]:
    """Where bits of ``number`` change."""
    changes = (number ^ number >> 1) & mask(width - 1)
    return [i + 1 for i in range(width - 1) if changes >> i & 1]


def bit_and(a: Term, b: Term) -> Term:
    return _bitwise("and", a, b)


def bit_or(a: Term, b: Term) -> Term:
    return _bitwise("or", a, b)


def bit_xor(a: Term, b: Term) -> Term:
    if a.width > 1 and mask(a.width) in ([x.value for x in (a, b) if x.is_const]):
        other = b if a.is_const else a
        if other.op == "sum":
            return add(const(-1, a.width), negated(other))
    return _bitwise("xor", a, b)


def bit_not(a: Term) -> Term:
    return bit_xor(a, const(-1, a.width))


_BITWISE = {"and": bit_and, "or": bit_or, "xor": bit_xor}


# ---- choice ------------------------------------------------------------------------------------


def ite(condition: Term, a: Term, b: Term) -> Term:
    """``a`` where the condition's one bit is set, else ``b``. Memories may be chosen too."""
    if condition.is_const:
        return a if condition.value else b
    if a is b:
        return a
    if condition.op == "xor" and len(condition.args) == 2 and condition.args[1] is ONE:
        return ite(condition.args[0], b, a)
    if a.op == "ite" and a.args[0] is condition:
        return ite(condition, a.args[1], b)
    if b.op == "ite" and b.args[0] is condition:
        return ite(condition, a, b.args[2])
    if a.width == 0:
        return make("ite", 0, condition, a, b)
    if a.width == 1:
        if a.is_const or b.is_const:
            return _choice_of_bits(condition, a, b)
        return make("ite", 1, condition, a, b)
    zeros = min(zero_bits(a), zero_bits(b))
    if zeros:
        low = a.width - zeros - 1
        return zext(ite(condition, extract(a, low, 0), extract(b, low, 0)), a.width)
    apart = difference(a, b)
    if apart is not None:
        return add(b, scaled(zero_extended(condition, a.width), apart))
    return make("ite", a.width, condition, a, b)


def _choice_of_bits(condition: Term, a: Term, b: Term) -> Term:
    if a.is_const:
        return bit_or(condition, b) if a.value else bit_and(bit_not(condition), b)
    return bit_or(bit_not(condition), a) if b.value else bit_and(condition, a)


def product(a: Term, b: Term) -> Term:
    if b.is_const:
        return scaled(a, b.value)
    if a.is_const:
        return scaled(b, a.value)
    first, second = sorted((a, b), key=lambda x: x.number)
    return make("mul", a.width, first, second)
