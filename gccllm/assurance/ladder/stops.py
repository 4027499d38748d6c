"""Functions of the program's own that never come back: what many a project has for ``assert``.

Such a function has no instruction that returns, and calls nothing but functions that can be looked
into, ends of the program and output: no ``longjmp``, no pointer. That is read off gcc's own code.
Two calls of it with the same arguments then end the program alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from gccllm.asm.lines import Line, split_statement, strip_comment
from gccllm.asm.unit import Function, Unit
from gccllm.assurance.differential.layout import Kind, Signature, Unsupported

__all__ = ["ENDS", "TARGET", "Stops"]

ENDS: Mapping[str, int] = {
    "abort": 0,
    "exit": 1,
    "_exit": 1,
    "_Exit": 1,
    # The fourth argument is the function's name, which gcc and clang spell differently.
    "__assert_fail": 3,
}
"""function that does not return → how many of its arguments say how the program ends"""
TARGET = re.compile(r"(\w+)(?:@PLT)?|\*(\w+)@GOTPCREL\(%rip\)")
"""what a direct call names"""
REGISTERS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
_TELLING = frozenset(
    """fprintf printf vfprintf vprintf fputs puts fputc putc putchar fwrite fflush perror strerror
    strlen __fprintf_chk __printf_chk __vfprintf_chk __vprintf_chk""".split()
)
"""functions that come back, or the program ends within them"""
_JUMP = re.compile(r"j[a-z]+")
_CALL = frozenset(("call", "callq"))
_ODD = re.compile(r"i?ret[a-z]*|sys[a-z]+|int\w*|loop\w*|xbegin|u?iret\w*|hlt")
_LAST = frozenset(("jmp", "jmpq", "ud2"))
_Place = tuple[str, str]


class _Way(NamedTuple):
    """A function's calls and direct jumps, in order: (word, name)."""

    ways: tuple[tuple[str, str], ...]
    last: tuple[str, str]


class Stops:
    """Of a program's own ``units``, as gcc made them; they are asked for once. ``signature``: what
    a function of a unit takes; it may raise Unsupported."""

    def __init__(
        self, units: Callable[[], Mapping[str, Unit]], signature: Callable[[str, str], Signature]
    ) -> None:
        self._parsed = units
        self._signature = signature
        self._known: dict[_Place, tuple[str, ...] | None] = {}

    def arguments(
        self, unit: str, name: str, without: Collection[_Place] = ()
    ) -> tuple[str, ...] | None:
        """The registers with all that the function ``name``, called from ``unit``, is told; None
        where it may come back, or that can't be said. ``without``: functions that are not gcc's."""
        place = self._place(unit, name)
        if place is None or any(x in without for x in self._reached(place)):
            return None
        if place not in self._known:
            self._known[place] = self._registers(*place) if self._never_returns(place) else None
        return self._known[place]

    @cached_property
    def _units(self) -> Mapping[str, Unit]:
        return self._parsed()

    def _place(self, unit: str, name: str) -> _Place | None:
        """Where a symbol is defined: in the unit itself, or in the one other that exports it."""
        units = self._units
        if units[unit].defines(name):
            return (unit, name) if name in units[unit].functions else None
        found = [x for x, y in units.items() if name in y.globals and y.defines(name)]
        if len(found) != 1 or name not in units[found[0]].functions:
            return None
        return found[0], name

    def _registers(self, unit: str, name: str) -> tuple[str, ...] | None:
        """Those of its parameters, where all are plain ints."""
        try:
            signature = self._signature(unit, name)
        except Unsupported:
            return None
        leaves = signature.block.leaves
        plain = all(x.kind in (Kind.SIGNED, Kind.UNSIGNED) and x.size == 4 for x in leaves)
        if not plain or signature.stack_words or len(leaves) > len(REGISTERS):
            return None
        return REGISTERS[: len(leaves)]

    def _never_returns(self, place: _Place) -> bool:
        own = self._way(place)
        if own is None or any(word == "ret" for word, _ in own.ways):
            return False
        word, name = own.last
        ends = word in _CALL and self._place(place[0], name) is None and name in ENDS
        return (ends or word in _LAST) and self._is_followed(place)

    def _is_followed(self, place: _Place) -> bool:
        return all(self._way(x) is not None for x in self._reached(place))

    def _reached(self, place: _Place) -> list[_Place]:
        """Itself and all functions of the program that it calls, one through the other."""
        reached = [place]
        for at in reached:
            way = self._way(at)
            for _, name in way.ways if way is not None else ():
                to = self._place(at[0], name) if name else None
                if to is not None and to not in reached:
                    reached.append(to)
        return reached

    def _way(self, place: _Place) -> _Way | None:
        """None where control may go where it can't be seen."""
        unit = self._units[place[0]]
        function = unit.functions[place[1]]
        found = list(_ways(unit, function)) if not function.obstacles else [None]
        ways = tuple(x for x in found if x is not None)
        if len(ways) != len(found) or not ways:
            return None
        for word, name in ways:
            known = name in ENDS or name in _TELLING or self._place(place[0], name) is not None
            if word in _CALL and not known:
                return None
        return _Way(ways, ways[-1])


def _ways(unit: Unit, function: Function) -> Iterator[tuple[str, str] | None]:
    """Every instruction of a function as (word, whom it calls); None where that may be anyone."""
    inside = set(function.indices())
    for index in function.indices():
        if unit.kinds[index] is Line.APP:
            yield None
        if unit.kinds[index] is not Line.INSTRUCTION:
            continue
        head, operands = split_statement(strip_comment(unit.lines[index]))
        word = head.split()[-1]
        if word in ("ret", "retq"):
            yield "ret", ""
        elif _ODD.fullmatch(word):
            yield None
        elif word in _CALL:
            target = TARGET.fullmatch(operands.strip())
            yield (word, target.group(1) or target.group(2)) if target is not None else None
        elif _JUMP.fullmatch(word):
            yield (word, "") if unit.labels.get(operands.strip()) in inside else None
        else:
            yield word, ""
