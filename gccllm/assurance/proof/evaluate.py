"""What a term is for given values of its variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gccllm.assurance.proof.node import Term, mask, ordered, signed

__all__ = ["Evaluation", "evaluate"]

Bytes = Callable[[int], int]
"""a memory: address → byte"""


class Evaluation:
    """Values of many terms under one assignment: variables by name, 0 where they are not named."""

    def __init__(self, numbers: Mapping[str, int], memory: Bytes = lambda _: 0) -> None:
        self._numbers = numbers
        self._memory = memory
        self._known: dict[Term, Any] = {}

    def of(self, term: Term) -> int:
        """The value of a term that is no memory."""
        if term not in self._known:
            for x in ordered([term]):
                if x not in self._known:
                    self._known[x] = self._one(x)
        found = self._known[term]
        assert isinstance(found, int)
        return found

    def _one(self, term: Term) -> Any:
        op, width, args = term.op, term.width, term.args
        if op == "var":
            return self._memory if width == 0 else self._numbers.get(args[0], 0) & mask(width)
        if op == "const":
            return args[0]
        if op == "sum":
            return (args[0] + sum(f * self._known[t] for f, t in args[1])) & mask(width)
        if op == "extract":
            return self._known[args[0]] >> args[2] & mask(width)
        values = [self._known[x] for x in args]
        if op == "ite":
            return values[1] if values[0] else values[2]
        if op == "concat":
            number = 0
            for x, v in zip(args, values, strict=True):
                number = number << x.width | v
            return number
        if op == "sext":
            return signed(values[0], args[0].width) & mask(width)
        if op == "select":
            return values[0](values[1])
        if op == "store":
            return _stored(*values)
        return _OPERATIONS[op](values, args[0].width) & mask(width)


def _stored(memory: Bytes, address: int, byte: int) -> Bytes:
    return lambda x: byte if x == address else memory(x)


def _fold(op: Callable[[int, int], int]) -> Callable[[list[int], int], int]:
    def operation(values: list[int], _: int) -> int:
        found = values[0]
        for value in values[1:]:
            found = op(found, value)
        return found

    return operation


def _towards_zero(values: list[int], width: int) -> int:
    a, b = signed(values[0], width), signed(values[1], width)
    if b == 0:
        return 1 if a < 0 else -1
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _rest(values: list[int], width: int) -> int:
    a, b = signed(values[0], width), signed(values[1], width)
    return a if b == 0 else a - b * _towards_zero(values, width)


_OPERATIONS: Mapping[str, Callable[[list[int], int], int]] = {
    "and": _fold(lambda a, b: a & b),
    "or": _fold(lambda a, b: a | b),
    "xor": _fold(lambda a, b: a ^ b),
    "mul": _fold(lambda a, b: a * b),
    "shl": lambda v, w: v[0] << v[1] if v[1] < w else 0,
    "lshr": lambda v, w: v[0] >> v[1] if v[1] < w else 0,
    "ashr": lambda v, w: signed(v[0], w) >> min(v[1], w),
    "eq": lambda v, _: int(v[0] == v[1]),
    "ult": lambda v, _: int(v[0] < v[1]),
    "slt": lambda v, w: int(signed(v[0], w) < signed(v[1], w)),
    "udiv": lambda v, _: v[0] // v[1] if v[1] else -1,
    "urem": lambda v, _: v[0] % v[1] if v[1] else v[0],
    "sdiv": _towards_zero,
    "srem": _rest,
}


def evaluate(terms: Iterable[Term], numbers: Mapping[str, int]) -> list[int]:
    """The values of terms over variables without memory."""
    found = Evaluation(numbers)
    return [found.of(x) for x in terms]
