"""The operations of VEX on vectors as terms, lane by lane. Names: pub/libvex_ir.h of Valgrind."""

from __future__ import annotations

import re
from collections.abc import Callable

from gccllm.assurance.proof.bits import (
    bit_not,
    concat,
    extract,
    ite,
    lanes,
    product,
    sext,
    sign,
    zext,
)
from gccllm.assurance.proof.compare import equal, less_signed, less_unsigned
from gccllm.assurance.proof.node import Term, const
from gccllm.assurance.proof.shifts import shift_left, shift_right, shift_right_signed
from gccllm.assurance.proof.sums import add, negated, subtract

__all__ = ["absolute_differences", "multiplied_pairs", "packed"]

Maker = Callable[..., Term]


def packed(name: str) -> Maker | None:
    """The constructor for a packed operation without its ``Iop_``, or None."""
    for maker in (_lane_by_lane, _shifts, _arranging, _widening, _unary):
        found = maker(name)
        if found is not None:
            return found
    return None


def joined(low_first: list[Term]) -> Term:
    return concat(*reversed(low_first))


def _flag(condition: Term, width: int) -> Term:
    return sext(condition, width)


def _saturated(a: Term, b: Term, add_them: bool, is_signed: bool) -> Term:
    width = a.width
    extend = sext if is_signed else zext
    x, y = extend(a, width + 2), extend(b, width + 2)
    exact = add(x, y) if add_them else subtract(x, y)
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if is_signed else (0, (1 << width) - 1)
    return _clamped(exact, low, high, width)


def _clamped(exact: Term, low: int, high: int, width: int) -> Term:
    """``exact`` (signed) kept between two numbers, in ``width`` bits."""
    under = less_signed(exact, const(low, exact.width))
    over = less_signed(const(high, exact.width), exact)
    inner = ite(over, const(high, width), extract(exact, width - 1, 0))
    return ite(under, const(low, width), inner)


def _high_product(a: Term, b: Term, is_signed: bool) -> Term:
    extend = sext if is_signed else zext
    width = a.width
    return extract(product(extend(a, 2 * width), extend(b, 2 * width)), 2 * width - 1, width)


def _average(a: Term, b: Term) -> Term:
    width = a.width
    total = add(add(zext(a, width + 1), zext(b, width + 1)), const(1, width + 1))
    return extract(total, width, 1)


_PAIRS: dict[str, Maker] = {
    "Add": add,
    "Sub": subtract,
    "Mul": product,
    "CmpEQ": lambda a, b: _flag(equal(a, b), a.width),
    "CmpGTS": lambda a, b: _flag(less_signed(b, a), a.width),
    "CmpGTU": lambda a, b: _flag(less_unsigned(b, a), a.width),
    "MinS": lambda a, b: ite(less_signed(b, a), b, a),
    "MaxS": lambda a, b: ite(less_signed(a, b), b, a),
    "MinU": lambda a, b: ite(less_unsigned(b, a), b, a),
    "MaxU": lambda a, b: ite(less_unsigned(a, b), b, a),
    "QAddS": lambda a, b: _saturated(a, b, True, True),
    "QAddU": lambda a, b: _saturated(a, b, True, False),
    "QSubS": lambda a, b: _saturated(a, b, False, True),
    "QSubU": lambda a, b: _saturated(a, b, False, False),
    "MulHiS": lambda a, b: _high_product(a, b, True),
    "MulHiU": lambda a, b: _high_product(a, b, False),
    "AvgU": _average,
}


def _lane_by_lane(name: str) -> Maker | None:
    match = re.fullmatch(
        r"(Q?Add|Q?Sub|Mul|MulHi|CmpEQ|CmpGT|Min|Max|Avg)(8|16|32|64)([SU]?)x\d+", name
    )
    if match is None:
        return None
    width = int(match[2])
    one = _PAIRS.get(match[1] + match[3])
    if one is None:
        return None
    return lambda a, b: joined(
        [one(x, y) for x, y in zip(lanes(a, width), lanes(b, width), strict=True)]
    )


_SHIFTS: dict[str, Maker] = {
    "Shl": shift_left,
    "Shr": shift_right,
    "Sar": shift_right_signed,
}


def _shifts(name: str) -> Maker | None:
    if match := re.fullmatch(r"(Shl|Shr|Sar)N(8|16|32|64)x\d+", name):
        one, width = _SHIFTS[match[1]], int(match[2])
        return lambda a, n: joined([one(x, zext(n, width)) for x in lanes(a, width)])
    return None


def _arranging(name: str) -> Maker | None:
    if match := re.fullmatch(r"Interleave(LO|HI)(8|16|32|64)x\d+", name):
        width, upper = int(match[2]), match[1] == "HI"

        def interleaved(a: Term, b: Term) -> Term:
            x, y = lanes(a, width), lanes(b, width)
            half = len(x) // 2
            chosen = range(half, 2 * half) if upper else range(half)
            return joined([v for i in chosen for v in (y[i], x[i])])

        return interleaved
    if match := re.fullmatch(r"Cat(Odd|Even)Lanes(8|16|32|64)x\d+", name):
        size, start = int(match[2]), int(match[1] == "Odd")
        return lambda a, b: joined(lanes(b, size)[start::2] + lanes(a, size)[start::2])
    if match := re.fullmatch(r"Perm(8|32)x(\d+)", name):
        return _permuted(int(match[1]))
    if match := re.fullmatch(r"QNarrowBin(16|32)Sto(8|16)([SU])x\d+", name):
        return _narrowed(int(match[1]), int(match[2]), match[3] == "S")
    if match := re.fullmatch(r"NarrowBin(16|32|64)to(8|16|32)x\d+", name):
        wide, narrow = int(match[1]), int(match[2])
        return lambda a, b: joined(
            [extract(x, narrow - 1, 0) for x in lanes(b, wide) + lanes(a, wide)]
        )
    return None


def _permuted(width: int) -> Maker:
    def permuted(a: Term, indices: Term) -> Term:
        values = lanes(a, width)
        bits = len(values).bit_length() - 1
        out = []
        for index in lanes(indices, width):
            level = values
            for at in range(bits):
                bit = extract(index, at, at)
                level = [ite(bit, y, x) for x, y in zip(level[::2], level[1::2], strict=True)]
            out.append(level[0])
        return joined(out)

    return permuted


def _narrowed(wide: int, narrow: int, is_signed: bool) -> Maker:
    low = -(1 << narrow - 1) if is_signed else 0
    high = (1 << narrow - 1) - 1 if is_signed else (1 << narrow) - 1
    return lambda a, b: joined(
        [_clamped(x, low, high, narrow) for x in lanes(b, wide) + lanes(a, wide)]
    )


def _widening(name: str) -> Maker | None:
    if match := re.fullmatch(r"MullEven(8|16|32)([SU])x\d+", name):
        width, extend = int(match[1]), sext if match[2] == "S" else zext
        return lambda a, b: joined(
            [
                product(extend(x, 2 * width), extend(y, 2 * width))
                for x, y in zip(lanes(a, width)[::2], lanes(b, width)[::2], strict=True)
            ]
        )
    if match := re.fullmatch(r"Widen(8|16|32)([SU])to(16|32|64)x\d+", name):
        size, target = int(match[1]), int(match[3])
        widen = sext if match[2] == "S" else zext
        return lambda a: joined([widen(x, target) for x in lanes(a, size)])
    return None


def _unary(name: str) -> Maker | None:
    if match := re.fullmatch(r"Abs(8|16|32|64)x\d+", name):
        width = int(match[1])
        return lambda a: joined([ite(sign(x), negated(x), x) for x in lanes(a, width)])
    if match := re.fullmatch(r"CmpNEZ(8|16|32|64)x\d+", name):
        size = int(match[1])
        return lambda a: joined(
            [_flag(bit_not(equal(x, const(0, size))), size) for x in lanes(a, size)]
        )
    if re.fullmatch(r"GetMSBs8x(?:8|16|32)", name):
        return lambda a: joined([sign(x) for x in lanes(a, 8)])
    return None


def absolute_differences(a: Term, b: Term) -> Term:
    """psadbw of eight bytes each."""
    total = const(0, 64)
    for x, y in zip(lanes(a, 8), lanes(b, 8), strict=True):
        apart = ite(
            less_unsigned(x, y),
            subtract(zext(y, 64), zext(x, 64)),
            subtract(zext(x, 64), zext(y, 64)),
        )
        total = add(total, zext(apart, 64))
    return total


def multiplied_pairs(a: Term, b: Term) -> Term:
    """pmaddwd of four signed words each."""
    products = [
        product(sext(x, 32), sext(y, 32)) for x, y in zip(lanes(a, 16), lanes(b, 16), strict=True)
    ]
    return joined([add(x, y) for x, y in zip(products[::2], products[1::2], strict=True)])
