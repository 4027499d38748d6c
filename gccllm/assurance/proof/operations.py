"""The operations of VEX on whole words as terms. Names: pub/libvex_ir.h of Valgrind, ``Iop_…``.

What is not named here is not supported; floating point is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, reduce

from gccllm.assurance.proof.bits import (
    bit_and,
    bit_not,
    bit_or,
    bit_xor,
    concat,
    extract,
    ite,
    product,
    sext,
    zext,
)
from gccllm.assurance.proof.compare import (
    equal,
    less_signed,
    less_unsigned,
    quotient,
    remainder,
)
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.node import Term, const
from gccllm.assurance.proof.packed import packed
from gccllm.assurance.proof.shifts import shift_left, shift_right, shift_right_signed
from gccllm.assurance.proof.sums import add, subtract

__all__ = ["Operation", "leading_zeros", "ones", "operation", "trailing_zeros"]

Operation = Callable[..., Term]

_BINARY = {
    "Add": add,
    "Sub": subtract,
    "Mul": product,
    "And": bit_and,
    "Or": bit_or,
    "Xor": bit_xor,
}
_SHIFTS = {"Shl": shift_left, "Shr": shift_right, "Sar": shift_right_signed}
_ORDERS: dict[str, Operation] = {
    "EQ": equal,
    "NE": lambda a, b: bit_not(equal(a, b)),
    "LTS": less_signed,
    "LTU": less_unsigned,
    "LES": lambda a, b: bit_not(less_signed(b, a)),
    "LEU": lambda a, b: bit_not(less_unsigned(b, a)),
}
_INTEGER = r"(?:1|8|16|32|64)"
_WORD = r"(?:1|8|16|32|64|128|V128|V256)"


@cache
def operation(name: str) -> Operation:
    """The constructor for ``Iop_…``. Raises Unsupported."""
    plain = name.removeprefix("Iop_")
    for maker in (_words, _conversions, packed):
        found = maker(plain)
        if found is not None:
            return found
    raise Unsupported(f"the operation {plain}")


def _words(name: str) -> Operation | None:
    if match := re.fullmatch(rf"(Add|Sub|Mul)({_INTEGER})|(And|Or|Xor)({_WORD})", name):
        return _BINARY[match[1] or match[3]]
    if re.fullmatch(rf"Not{_WORD}", name):
        return bit_not
    if match := re.fullmatch(r"(Shl|Shr|Sar)(?:8|16|32|64)", name):
        shift = _SHIFTS[match[1]]
        return lambda a, n: shift(a, _amount(n, a.width))
    if match := re.fullmatch(r"(Shl|Shr)V(?:128|256)", name):
        wide = _SHIFTS[match[1]]
        return lambda a, n: wide(a, zext(n, a.width))
    if match := re.fullmatch(r"(?:Cas|Exp)?Cmp(EQ|NE|LT|LE)(?:8|16|32|64)([SU]?)", name):
        return _ORDERS.get(match[1] + match[2])
    if match := re.fullmatch(r"CmpNEZ(?:1|8|16|32|64)", name):
        return lambda a: bit_not(equal(a, const(0, a.width)))
    if match := re.fullmatch(r"Mull([SU])(?:8|16|32|64)", name):
        extend = sext if match[1] == "S" else zext
        return lambda a, b: product(extend(a, 2 * a.width), extend(b, 2 * b.width))
    if match := re.fullmatch(r"DivMod([SU])(?:64to32|128to64)", name):
        return _division(match[1] == "S")
    if re.fullmatch(r"Clz(?:Nat)?(?:32|64)", name):
        return leading_zeros
    if re.fullmatch(r"Ctz(?:Nat)?(?:32|64)", name):
        return trailing_zeros
    return None


def _amount(n: Term, width: int) -> Term:
    return zext(n, width) if n.width < width else extract(n, width - 1, 0)


def _division(is_signed: bool) -> Operation:
    """Remainder and quotient side by side; that the quotient fits is asked for elsewhere."""

    def divided(a: Term, b: Term) -> Term:
        width = b.width
        narrow = extract(a, width - 1, 0)
        extend = sext if is_signed else zext
        if extend(narrow, a.width) is a:
            return concat(
                remainder(narrow, b, is_signed=is_signed), quotient(narrow, b, is_signed=is_signed)
            )
        wide = extend(b, a.width)
        rest = remainder(a, wide, is_signed=is_signed)
        whole = quotient(a, wide, is_signed=is_signed)
        return concat(extract(rest, width - 1, 0), extract(whole, width - 1, 0))

    return divided


def _conversions(name: str) -> Operation | None:
    if match := re.fullmatch(r"(1|8|16|32|64)([US])to(8|16|32|64|128)", name):
        extend = zext if match[2] == "U" else sext
        width = int(match[3])
        return lambda a: extend(a, width)
    if re.fullmatch(r"8HLto16|16HLto32|32HLto64|64HLto128|64HLtoV128|V128HLtoV256", name):
        return concat
    if match := re.fullmatch(r"(?:32|64)UtoV128", name):
        return lambda a: zext(a, 128)
    if match := re.fullmatch(r"V?(?:16|32|64|128|256)(HI)?toV?(1|8|16|32|64|128)", name):
        size = int(match[2])
        if match[1]:
            return lambda a: extract(a, a.width - 1, a.width - size)
        return lambda a: extract(a, size - 1, 0)
    if name == "8to1":
        return lambda a: extract(a, 0, 0)
    if match := re.fullmatch(r"V256toV128_([01])", name):
        low = 128 * int(match[1])
        return lambda a: extract(a, low + 127, low)
    if match := re.fullmatch(r"V256to64_([0-3])", name):
        first = 64 * int(match[1])
        return lambda a: extract(a, first + 63, first)
    if name == "64x4toV256":
        return concat
    if re.fullmatch(r"ReinterpF\d+asI\d+|ReinterpI\d+asF\d+|ReinterpV128asI128", name):
        return lambda a: a
    return None


def leading_zeros(a: Term) -> Term:
    """The width of ``a`` for zero."""
    found = const(a.width, a.width)
    for at in range(a.width):
        found = ite(extract(a, at, at), const(a.width - 1 - at, a.width), found)
    return found


def trailing_zeros(a: Term) -> Term:
    """The width of ``a`` for zero."""
    found = const(a.width, a.width)
    for at in reversed(range(a.width)):
        found = ite(extract(a, at, at), const(at, a.width), found)
    return found


def ones(a: Term) -> Term:
    """How many bits of ``a`` are set, in its width."""
    bits = (zext(extract(a, at, at), a.width) for at in range(a.width))
    return reduce(add, bits, const(0, a.width))
