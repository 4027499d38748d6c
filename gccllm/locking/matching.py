"""Which rewrites of a lock file are for a unit, and why none are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gccllm.assurance.levels import Assurance, sure_enough
from gccllm.lockfile import Locked, LockFile

__all__ = ["Match", "match"]


@dataclass(frozen=True)
class Match:
    """``reason`` is a stable word for why there are no ``blocks``: "no-entry", "stale",
    "other-compiler", "other-isa" or "too-weak"; ``detail`` one line for a person."""

    blocks: tuple[Locked, ...]
    reason: str = ""
    detail: str = ""


def match(
    file: LockFile,
    unit: str,
    key: str,
    compiler: str,
    least: Assurance,
    promised: Callable[[], frozenset[str]] | None = None,
) -> Match:
    """The blocks for a unit of that name, key (``unit_key``) and compiler (its version line),
    all of them or none.

    ``promised`` tells which processor features the code may rely on, where that is limited; it is
    asked only if blocks need any."""
    named = [x for x in file.rewrites if x.unit == unit]
    same = [x for x in named if x.baseline == key]
    mine = tuple(x for x in same if x.compiler == compiler)
    weak = [x for x in mine if not sure_enough(x.assurance, least)]
    if weak:
        told = f"{_functions(weak)}: sure by '{weak[0].assurance}' only, not {least.value}"
        return Match((), "too-weak", f"{unit}: {told}")
    needs = frozenset[str]().union(*(x.needs for x in mine))
    if needs and promised is not None and (lacking := needs - promised()):
        told = f"{_functions(mine)}: needs {', '.join(sorted(lacking))}"
        hint = "-fllm-isa=native or dispatch allows that"
        return Match((), "other-isa", f"{unit}: {told}, which -march does not promise; {hint}")
    if mine:
        return Match(mine)
    if same:
        told = f"{_functions(same)}: locked for {same[0].compiler}, and this is {compiler}"
        return Match((), "other-compiler", f"{unit}: {told}")
    if named:
        why = "the source, a header, the options or the compiler changed"
        told = f"{_functions(named)}: gcc's assembly is not what it was locked for: {why}"
        return Match((), "stale", f"{unit}: {told}")
    return Match((), "no-entry", f"{unit}: the lock file has no rewrite of it")


def _functions(blocks: Iterable[Locked]) -> str:
    return ", ".join(name for x in blocks for name in x.functions)
