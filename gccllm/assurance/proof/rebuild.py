"""Terms with other terms in the place of variables, simplified anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from gccllm.assurance.proof import bits, compare, memory, shifts
from gccllm.assurance.proof.node import ONE, ZERO, Term, make, ordered
from gccllm.assurance.proof.sums import linear

__all__ = ["Replacing", "solved"]

_BUILD: Mapping[str, Callable[..., Term]] = {
    "and": lambda *x: reduce(bits.bit_and, x),
    "or": lambda *x: reduce(bits.bit_or, x),
    "xor": lambda *x: reduce(bits.bit_xor, x),
    "mul": bits.product,
    "shl": shifts.shift_left,
    "lshr": shifts.shift_right,
    "ashr": shifts.shift_right_signed,
    "concat": bits.concat,
    "ite": bits.ite,
    "eq": compare.equal,
    "ult": compare.less_unsigned,
    "slt": compare.less_signed,
    "udiv": lambda a, b: compare.quotient(a, b, is_signed=False),
    "urem": lambda a, b: compare.remainder(a, b, is_signed=False),
    "sdiv": lambda a, b: compare.quotient(a, b, is_signed=True),
    "srem": lambda a, b: compare.remainder(a, b, is_signed=True),
    "select": memory.select,
}


class Replacing:
    """One replacement for many terms; ``new``: variable → term."""

    def __init__(self, new: Mapping[Term, Term]) -> None:
        self._known: dict[Term, Term] = dict(new)

    def of(self, term: Term) -> Term:
        if term not in self._known:
            for x in ordered([term]):
                if x not in self._known:
                    self._known[x] = self._one(x)
        return self._known[term]

    def _one(self, term: Term) -> Term:
        known, op, args = self._known, term.op, term.args
        if all(known[x] is x for x in term.children):
            return term
        if op == "sum":
            return linear(term.width, args[0], [(f, known[t]) for f, t in args[1]])
        if op == "extract":
            return bits.extract(known[args[0]], args[1], args[2])
        if op == "sext":
            return bits.sext(known[args[0]], term.width)
        new: list[Any] = [known[x] for x in args]
        if op == "store":
            return make("store", 0, *new)
        return _BUILD[op](*new)


def solved(conditions: tuple[Term, ...], keep: Term) -> dict[Term, Term]:
    """One variable that the conditions fix, and what it is; empty where there is none.

    ``keep`` is a variable that stays.
    """
    for condition in conditions:
        if condition.width == 1 and condition.op in ("var", "extract"):
            found = _solved(condition, ONE, keep)
            if found:
                return found
        if condition.op == "xor" and len(condition.args) == 2 and condition.args[1] is ONE:
            found = _solved(condition.args[0], ZERO, keep)
            if found:
                return found
        if condition.op != "eq":
            continue
        a, b = condition.args
        for this, other in ((a, b), (b, a)):
            found = _solved(this, other, keep)
            if found:
                return found
    return {}


def _solved(this: Term, other: Term, keep: Term) -> dict[Term, Term]:
    if this.op == "var" and this is not keep and not _holds(other, this):
        return {this: other}
    if this.op == "extract" and this.args[0].op == "var":
        variable, high, low = this.args
        if not _holds(other, variable) and variable is not keep:
            pieces = [other]
            if high + 1 < variable.width:
                pieces.insert(0, bits.extract(variable, variable.width - 1, high + 1))
            if low:
                pieces.append(bits.extract(variable, low - 1, 0))
            return {variable: bits.concat(*pieces)}
    if this.op == "sum" and other.is_const:
        for factor, term in this.args[1]:
            if term.op != "var" or term is keep or not factor & 1:
                continue
            rest = [(f, t) for f, t in this.args[1] if t is not term]
            if any(_holds(t, term) for _, t in rest):
                continue
            inverse = pow(factor, -1, 1 << this.width)
            number = (other.value - this.args[0]) * inverse
            parts = [(-f * inverse, t) for f, t in rest]
            return {term: linear(this.width, number, parts)}
    return {}


def _holds(term: Term, variable: Term) -> bool:
    return any(x is variable for x in ordered([term]))
