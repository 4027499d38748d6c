"""Terms over bit vectors: immutable, and one object for all terms that are written alike.

Built by the constructors of :mod:`bits`, which simplify; this module only keeps them. Widths are
bits; width 0 is the memory, an array from 64-bit addresses to bytes.

    op       args                        meaning
    const    number                      0 <= number < 2**width
    var      name                        a free variable
    sum      number, ((factor, term), …) number + the sum of factor * term, modulo 2**width
    mul      a, b                        product, modulo 2**width
    and or xor  two or more terms        bit by bit
    shl lshr ashr  a, amount             shifts; an amount of width or more shifts everything out
    extract  a, high, low                bits high … low
    concat   terms, the highest first
    sext     a                           sign extended
    ite      condition, a, b             condition has one bit
    eq ult slt  a, b                     one bit
    udiv urem sdiv srem  a, b            as in SMT-LIB (division by zero gives all ones)
    select   memory, address             one byte
    store    memory, address, byte       a memory
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

__all__ = ["ONE", "ZERO", "Term", "const", "make", "mask", "ordered", "signed", "var", "variables"]


class Term:
    """One node. ``number`` grows with age and orders the terms of a commutative operation."""

    __slots__ = ("__weakref__", "args", "number", "op", "width")

    def __init__(self, op: str, width: int, args: tuple[Any, ...], number: int) -> None:
        self.op = op
        self.width = width
        self.args = args
        self.number = number

    @property
    def is_const(self) -> bool:
        return self.op == "const"

    @property
    def value(self) -> int:
        """The number of a constant."""
        assert self.op == "const", self.op
        number = self.args[0]
        assert isinstance(number, int)
        return number

    @property
    def children(self) -> tuple[Term, ...]:
        if self.op == "sum":
            return tuple(t for _, t in self.args[1])
        return tuple(x for x in self.args if isinstance(x, Term))

    def __repr__(self) -> str:
        return f"<{self.op}:{self.width} #{self.number}>"


_numbers = count()
_table: WeakValueDictionary[tuple[str, int, tuple[Any, ...]], Term] = WeakValueDictionary()


def make(op: str, width: int, *args: Any) -> Term:
    """The term as written, with no simplification."""
    key = (op, width, args)
    found = _table.get(key)
    if found is None:
        found = Term(op, width, args, next(_numbers))
        _table[key] = found
    return found


def mask(width: int) -> int:
    return (1 << width) - 1


def signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) & 1 else value


def const(value: int, width: int) -> Term:
    return make("const", width, value & ((1 << width) - 1))


def var(name: str, width: int) -> Term:
    """A free variable; one name has one width. Width 0: a memory."""
    return make("var", width, name)


ZERO = const(0, 1)
ONE = const(1, 1)


def ordered(roots: Iterable[Term]) -> Iterator[Term]:
    """Every term in ``roots`` once, children before those who use them."""
    seen: set[Term] = set()
    stack = [(root, False) for root in roots]
    while stack:
        term, ready = stack.pop()
        if ready:
            yield term
        elif term not in seen:
            seen.add(term)
            stack.append((term, True))
            stack += [(x, False) for x in term.children if x not in seen]


def variables(roots: Iterable[Term]) -> list[Term]:
    return [x for x in ordered(roots) if x.op == "var"]
