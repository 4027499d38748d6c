"""Functions that came along with rewritten ones, and which of them each rewritten one can reach.

Their blocks count with the function that calls them, for there is nothing of gcc's to hold against
them. What only another function of the unit calls is that one's affair.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from gccllm.asm.lines import Line, split_statement
from gccllm.asm.unit import Unit
from gccllm.assurance.unreachable import mentions

__all__ = ["Helpers"]

_ENDS = frozenset("ret retq jmp jmpq ud2".split())
_ANYONE = ""
"""names what data or aliases name: who takes it from there is not followed"""


class Helpers:
    """Of a rewritten unit; ``names`` are all of them, in the order of the text."""

    def __init__(self, unit: Unit, own: Collection[str]) -> None:
        """``own``: the functions that gcc's unit has."""
        self._unit = unit
        self.names = tuple(x for x in unit.functions if x not in own)

    def of(self, function: str) -> tuple[str, ...]:
        """Those that a function may come to, one through the other. All of them where that can't
        be told. Functions that are gcc's own name none, and are not followed."""
        reached, queue = set[str](), [function, _ANYONE]
        while queue:
            for name in self._named.get(queue.pop(), ()):
                if name not in reached:
                    reached.add(name)
                    queue.append(name)
        return tuple(x for x in self.names if x in reached)

    @cached_property
    def _named(self) -> dict[str, set[str]]:
        """Function → the helpers that its lines name, or go on into at its end."""
        unit, every = self._unit, set(self.names)
        found = mentions(unit) if every else []
        if found is None:
            return {_ANYONE: every}
        owners = {i: name for name, x in unit.functions.items() for i in x.indices()}
        named: dict[str, set[str]] = {}
        for line, label, _ in found:
            place = unit.aliases.get(label, label)
            target = place if place in unit.functions else unit.owners.get(place, place)
            if target in every:
                named.setdefault(owners.get(line, _ANYONE), set()).add(target)
        for name, following in zip(list(unit.functions), list(unit.functions)[1:], strict=False):
            if following in every and not self._ends(name):
                named.setdefault(name, set()).add(following)
        return named

    def _ends(self, name: str) -> bool:
        """Whether control can't fall out of a function's last line."""
        unit = self._unit
        code = [x for x in unit.functions[name].indices() if unit.kinds[x] is Line.INSTRUCTION]
        words = split_statement(unit.lines[code[-1]])[0].split() if code else []
        return bool(words) and words[-1] in _ENDS
