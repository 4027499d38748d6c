"""Which functions have to be taken together to have a donor do the work of a hot one.

Compilers inline differently: what is one hot function in the baseline may be part of its callers in
the donor. Then it is the callers that have to be replaced, hot or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gccllm.asm.unit import Unit

__all__ = ["Group", "groups"]

MOST_CARRIERS = 6
"""functions that are replaced for one that is hot; each has to be examined"""
_CLONE = re.compile(r"\.(?:constprop|isra|part|cold)\b")
"""named by gcc for itself: of another compilation it may be something else"""


@dataclass(frozen=True)
class Group:
    """Functions of a donor that are taken together."""

    names: tuple[str, ...]
    """what is replaced, in the baseline's order"""
    covers: tuple[str, ...]
    """hot functions whose work they do"""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Functions whose time changes, each once."""
        return tuple(dict.fromkeys((*self.names, *self.covers)))


def groups(base: Unit, donor: Unit, hot: Sequence[str]) -> tuple[Group, ...]:
    """Groups that have no function in common, the hottest first (``hot`` is in that order).

    A hot function that the donor has no way to replace is in none of them.
    """
    order = {name: number for number, name in enumerate(base.functions)}
    found: list[tuple[set[str], list[str]]] = []
    for name in hot:
        names, covers = _carriers(base, donor, name), [name]
        if not names:
            continue
        apart = []
        for group in found:
            if group[0] & (names | {name}) or names & set(group[1]):
                names, covers = group[0] | names, [*group[1], *covers]
            else:
                apart.append(group)
        found = [*apart, (names, covers)]
    ranked = sorted(found, key=lambda x: min(hot.index(n) for n in x[1]))
    return tuple(
        Group(tuple(sorted(names, key=lambda x: order.get(x, 0))), tuple(covers))
        for names, covers in ranked
    )


def _carriers(base: Unit, donor: Unit, function: str) -> set[str]:
    """What is replaced to have the donor do a hot function's work; callers of callers, too."""
    taken: set[str] = set()
    reached, queue = {function}, [function]
    while queue:
        name = queue.pop(0)
        callers = list(_callers(base, name))
        if _has(donor, name):
            taken.add(name)
            # clang may give a local function a convention that only its own callers know.
            private = donor.is_clang and name not in base.globals if callers else False
            if not (private and name not in donor.addressed):
                # The baseline's callers call it as before. Those that have it inlined would leave
                # a version behind that nothing runs, and so nothing vouches for.
                callers = []
        more = [x for x in callers if x not in reached]
        if len(reached) + len(more) > MOST_CARRIERS + 1:
            break
        reached.update(more)
        queue += more
    return taken


def _has(donor: Unit, name: str) -> bool:
    return name in donor.functions and not _CLONE.search(name)


def _callers(unit: Unit, name: str) -> Iterator[str]:
    for other in unit.functions.values():
        if other.name != name and name in other.symbols:
            yield other.name
