"""Flags as VEX keeps them: an operation and what went into it, from which each flag follows.

The numbers of operations and conditions are those of VEX/priv/guest_amd64_defs.h of Valgrind. The
auxiliary carry is not modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

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
    sign,
    zext,
)
from gccllm.assurance.proof.compare import equal, less_signed, less_unsigned
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.node import ZERO, Term, const, make
from gccllm.assurance.proof.packed import absolute_differences, multiplied_pairs
from gccllm.assurance.proof.shifts import shift_right
from gccllm.assurance.proof.sums import add, subtract

__all__ = ["PLACES", "Thunk", "call", "flag"]

Thunk = tuple[Term, Term, Term, Term]
"""cc_op, cc_dep1, cc_dep2, cc_ndep, of 64 bits each"""

PLACES: Mapping[str, int] = {"cf": 0, "pf": 2, "zf": 6, "sf": 7, "of": 11}
_CONDITIONS = ("of", "cf", "zf", "be", "sf", "pf", "lt", "le")
_MOST = 60


def flag(name: str, thunk: Thunk) -> Term:
    """One bit: a flag by its name, or one of the compound conditions be, lt, le.
    Raises Unsupported."""
    op, first, second, extra = thunk
    if not op.is_const:
        if op.op == "ite":
            condition, a, b = op.args
            return ite(
                condition,
                flag(name, (a, first, second, extra)),
                flag(name, (b, first, second, extra)),
            )
        found = _between(op)
        if found is not None:
            return flag(name, (found, first, second, extra))
        raise Unsupported("flags of an operation that is not known")
    number = op.value
    if number == 0:
        return _copied(name, first)
    if number > _MOST:
        raise Unsupported(f"flags of operation {number}")
    if number > 52:
        width = 64 if (number - 53) % 2 else 32
        return _of_bit_group(name, (number - 53) // 2, _low(first, width), _low(second, width))
    width = (8, 16, 32, 64)[(number - 1) % 4]
    kind = (number - 1) // 4
    a, b, c = (_low(x, width) for x in (first, second, extra))
    if kind in (9, 10) and name in PLACES:
        return _of_rotation(name, kind == 9, a, extra)
    if kind == 1 and name in ("be", "lt", "le"):
        return {
            "be": lambda: bit_not(less_unsigned(b, a)),
            "lt": lambda: less_signed(a, b),
            "le": lambda: bit_not(less_signed(b, a)),
        }[name]()
    if name == "be":
        return bit_or(flag("cf", thunk), flag("zf", thunk))
    if name == "lt":
        return bit_xor(flag("sf", thunk), flag("of", thunk))
    if name == "le":
        return bit_or(flag("zf", thunk), flag("lt", thunk))
    return _simple(name, kind, a, b, c)


def _between(op: Term) -> Term | None:
    """number + factor * bit as a choice between two numbers."""
    if op.op == "sum" and len(op.args[1]) == 1:
        factor, term = op.args[1][0]
        if term.op == "concat" and len(term.args) == 2 and term.args[1].width == 1:
            from_number = op.args[0]
            return _raw_choice(term.args[1], from_number + factor, from_number)
    if op.op == "concat" and op.args[-1].op == "ite":
        inner: Term = op.args[-1]
        return _choice(inner, op.width)
    return None


def _raw_choice(condition: Term, a: int, b: int) -> Term:
    return make("ite", 64, condition, const(a, 64), const(b, 64))


def _choice(inner: Term, width: int) -> Term:
    return make("ite", width, inner.args[0], zext(inner.args[1], width), zext(inner.args[2], width))


def _low(term: Term, width: int) -> Term:
    return extract(term, width - 1, 0)


def _copied(name: str, word: Term) -> Term:
    def bit(flag_name: str) -> Term:
        place = PLACES[flag_name]
        return extract(word, place, place)

    if name == "be":
        return bit_or(bit("cf"), bit("zf"))
    if name == "lt":
        return bit_xor(bit("sf"), bit("of"))
    if name == "le":
        return bit_or(bit("zf"), bit_xor(bit("sf"), bit("of")))
    return bit(name)


def _parity(result: Term) -> Term:
    return bit_not(reduce(bit_xor, (extract(result, i, i) for i in range(8))))


def _is_zero(term: Term) -> Term:
    return equal(term, const(0, term.width))


def _of_bit_group(name: str, kind: int, result: Term, source: Term) -> Term:
    """andn, blsi, blsmsk, blsr: overflow and, with blsmsk, zero are cleared."""
    carry = (ZERO, bit_not(_is_zero(source)), _is_zero(source), _is_zero(source))
    simple = {"cf": carry[kind], "of": ZERO, "zf": _is_zero(result), "sf": sign(result)}
    simple["be"] = bit_or(simple["cf"], simple["zf"])
    simple["lt"] = simple["sf"]
    simple["le"] = bit_or(simple["zf"], simple["sf"])
    if name not in simple:
        raise Unsupported("the parity of a bit manipulation")
    return simple[name]


def _simple(name: str, kind: int, a: Term, b: Term, c: Term) -> Term:
    """A flag by name of operation ``kind``: add, sub, adc, sbb, logic, inc, dec, shl, shr (0 to 8),
    umul, smul (11, 12)."""
    width = a.width
    if kind in (11, 12):
        extend = zext if kind == 11 else sext
        full = product(extend(a, 2 * width), extend(b, 2 * width))
        result, high = _low(full, width), extract(full, 2 * width - 1, width)
        spread = const(0, width) if kind == 11 else sext(sign(result), width)
        if name in ("cf", "of"):
            return bit_not(equal(high, spread))
    else:
        carried = bit_and(c, const(1, width))
        if kind in (2, 3):
            b = bit_xor(b, carried)
        result = (
            lambda: add(a, b),
            lambda: subtract(a, b),
            lambda: add(add(a, b), carried),
            lambda: subtract(subtract(a, b), carried),
            *(lambda: a,) * 5,
        )[kind]()
        if name == "cf":
            return _carry(kind, a, b, c, result)
        if name == "of":
            return _overflow(kind, a, b, result)
    if name == "zf":
        return equal(a, b) if kind == 1 else _is_zero(result)
    return sign(result) if name == "sf" else _parity(result)


def _carry(kind: int, a: Term, b: Term, c: Term, result: Term) -> Term:
    carried = extract(c, 0, 0)
    return (
        lambda: less_unsigned(result, a),
        lambda: less_unsigned(a, b),
        lambda: ite(carried, bit_not(less_unsigned(a, result)), less_unsigned(result, a)),
        lambda: ite(carried, bit_not(less_unsigned(b, a)), less_unsigned(a, b)),
        lambda: ZERO,
        lambda: carried,
        lambda: carried,
        lambda: sign(b),
        lambda: extract(b, 0, 0),
    )[kind]()


def _overflow(kind: int, a: Term, b: Term, result: Term) -> Term:
    width = a.width
    both = {
        0: lambda: bit_and(bit_not(bit_xor(a, b)), bit_xor(a, result)),
        1: lambda: bit_and(bit_xor(a, b), bit_xor(a, result)),
    }
    if kind < 4:
        return sign(both[kind % 2]())
    if kind == 4:
        return ZERO
    if kind in (5, 6):
        return equal(result, const((1 << width - 1) - (kind == 6), width))
    return sign(bit_xor(b, a))


def _of_rotation(name: str, to_the_left: bool, result: Term, old: Term) -> Term:
    """Rotations change carry and overflow only; ``old`` is the flags word before."""
    top = sign(result)
    if name == "cf":
        return extract(result, 0, 0) if to_the_left else top
    if name == "of":
        below = extract(result, result.width - 2, result.width - 2)
        return bit_xor(top, extract(result, 0, 0) if to_the_left else below)
    return extract(old, PLACES[name], PLACES[name])


# ---- helpers that VEX calls ---------------------------------------------------------------------


def _condition(args: list[Term]) -> Term:
    number = args[0].value
    found = flag(_CONDITIONS[number >> 1], (args[1], args[2], args[3], args[4]))
    return zext(bit_not(found) if number & 1 else found, 64)


def _all_flags(args: list[Term]) -> Term:
    thunk = (args[0], args[1], args[2], args[3])
    word, at = [], 0
    for name, place in sorted(PLACES.items(), key=lambda x: x[1]):
        if place > at:
            word.append(const(0, place - at))
        word.append(flag(name, thunk))
        at = place + 1
    return concat(const(0, 64 - at), *reversed(word))


def _crc32c(width: int) -> Callable[[list[Term]], Term]:
    """crc32 with Castagnoli's polynomial, bit by bit, as the manual has it, reflected."""

    def crc(args: list[Term]) -> Term:
        found = _low(args[0], 32)
        data = _low(args[1], width)
        wide = max(32, width)
        state = bit_xor(zext(found, wide), zext(data, wide))
        polynomial = const(0x82F63B78, wide)
        for _ in range(width):
            low = extract(state, 0, 0)
            shifted = shift_right(state, const(1, wide))
            state = bit_xor(shifted, bit_and(polynomial, sext(low, wide)))
        return zext(_low(state, 32), 64)

    return crc


def _crc32c_of_quad(args: list[Term]) -> Term:
    half = _crc32c(32)
    first = half([args[0], _low(args[1], 32)])
    return half([first, extract(args[1], 63, 32)])


def _extracted_bits(args: list[Term]) -> Term:
    """pext where the mask is a number."""
    source, chosen = args
    if not chosen.is_const:
        raise Unsupported("pext with a mask that is not a constant")
    bits = [extract(source, i, i) for i in range(64) if chosen.value >> i & 1]
    return zext(concat(*reversed(bits)), 64) if bits else const(0, 64)


def _deposited_bits(args: list[Term]) -> Term:
    """pdep where the mask is a number."""
    source, chosen = args
    if not chosen.is_const:
        raise Unsupported("pdep with a mask that is not a constant")
    at, bits = 0, []
    for i in range(64):
        if chosen.value >> i & 1:
            bits.append(extract(source, at, at))
            at += 1
        else:
            bits.append(ZERO)
    return concat(*reversed(bits))


_HELPERS: Mapping[str, Callable[[list[Term]], Term]] = {
    "amd64g_calculate_condition": _condition,
    "amd64g_calculate_rflags_c": lambda a: zext(flag("cf", (a[0], a[1], a[2], a[3])), 64),
    "amd64g_calculate_rflags_all": _all_flags,
    "amd64g_calculate_mmx_psadbw": lambda a: absolute_differences(a[0], a[1]),
    "amd64g_calculate_mmx_pmaddwd": lambda a: multiplied_pairs(a[0], a[1]),
    "amd64g_calculate_pext": _extracted_bits,
    "amd64g_calculate_pdep": _deposited_bits,
    "amd64g_calc_crc32b": _crc32c(8),
    "amd64g_calc_crc32w": _crc32c(16),
    "amd64g_calc_crc32l": _crc32c(32),
    "amd64g_calc_crc32q": _crc32c_of_quad,
}


def call(name: str, args: list[Term]) -> Term:
    """What a helper of VEX returns. Raises Unsupported."""
    if name not in _HELPERS:
        raise Unsupported(f"the helper {name.removeprefix('amd64g_')}")
    return _HELPERS[name](args)
