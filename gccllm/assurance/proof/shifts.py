"""Constructors of shifts; those that divide by a constant become the division."""

from __future__ import annotations

from gccllm.assurance.proof.bits import extract, sext, sign, zext
from gccllm.assurance.proof.division import signed_quotient
from gccllm.assurance.proof.node import Term, const, make
from gccllm.assurance.proof.sums import add, scaled

__all__ = ["shift_left", "shift_right", "shift_right_signed"]


def shift_left(a: Term, amount: Term) -> Term:
    if amount.is_const:
        return scaled(a, 1 << amount.value) if amount.value < a.width else const(0, a.width)
    return a if a is const(0, a.width) else make("shl", a.width, a, amount)


def shift_right(a: Term, amount: Term) -> Term:
    if amount.is_const:
        by = amount.value
        return zext(extract(a, a.width - 1, by), a.width) if by < a.width else const(0, a.width)
    return a if a is const(0, a.width) else make("lshr", a.width, a, amount)


def shift_right_signed(a: Term, amount: Term) -> Term:
    if not amount.is_const:
        return make("ashr", a.width, a, amount)
    by = min(amount.value, a.width - 1)
    if a.op == "sext":
        inner: Term = a.args[0]
        return sext(
            shift_right_signed(inner, const(min(by, inner.width - 1), inner.width)), a.width
        )
    if a.op == "extract" and a.args[1] == a.args[0].width - 1:
        quotient = _signed_division(a.args[0], a.args[2] + by)
    else:
        quotient = _signed_division(a, by)
    if quotient is not None:
        return (
            sext(quotient, a.width)
            if quotient.width < a.width
            else extract(quotient, a.width - 1, 0)
        )
    return sext(extract(a, a.width - 1, by), a.width)


def _signed_division(term: Term, shift: int) -> Term | None:
    found = signed_quotient(term, shift)
    if found is None:
        return None
    x, divisor = found
    quotient = make("sdiv", x.width, x, const(divisor, x.width))
    return add(quotient, sext(sign(x), x.width))
