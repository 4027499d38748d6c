"""From a unit that needs a newer processor to one that runs everywhere.

Where new code needs more than the user's -march, every function that was replaced is put beside
gcc's version of it, behind a check (:mod:`gccllm.asm.beside`). All of a unit share one check, for
they may rely on one another beyond the ABI (gcc's -fipa-ra: a caller keeps a value in a register
that its callee's new version leaves alone and gcc's does not). So on every processor the unit is
either as it was judged or as gcc made it.

The check's byte ``gccllm.has`` and the function ``gccllm.ask`` that sets it are local symbols, the
only new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gccllm.asm.beside import Switch
from gccllm.asm.bind import Refused
from gccllm.asm.parts import parts_of, replaced
from gccllm.asm.splice import Refusal, splice
from gccllm.asm.unit import Unit, parse
from gccllm.dispatching.processor import CHECKABLE, answer, question

__all__ = ["Placed", "needed", "place"]

SWITCH = Switch("gccllm.has", "gccllm.ask")


@dataclass(frozen=True)
class Placed:
    """A unit as it ships.

    ``checked`` is what is asked for before any new version runs; empty: nothing, and ``text`` is
    the unit as it was judged. ``reference`` is gcc's unit with the byte and the question of
    ``text`` and nothing else: what a gate compares with.
    """

    text: str
    reference: str
    checked: frozenset[str]


def place(base: Unit, unit: Unit, needs: Mapping[str, frozenset[str]]) -> Placed | Refusal:
    """``unit`` (``base`` with functions spliced in) with a check where one is needed.

    ``needs``: what the code of each symbol needs beyond the user's own -march. Refused are needs
    that can't be asked for ("dispatch-feature") and what splicing refuses.
    """
    names = replaced(base, unit)
    checked = needed(base, unit, names, needs)
    if not checked:
        return Placed(unit.text, base.text, checked)
    if not checked <= CHECKABLE:
        lacking = ", ".join(sorted(checked - CHECKABLE))
        return Refusal("dispatch-feature", f"it needs {lacking}, which can't be asked for")
    try:
        parts = parts_of(base, unit, names)
    except Refused as refused:
        return Refusal(refused.reason, refused.detail)
    text = base.text
    for part in parts:
        now = base if part is parts[0] else parse(text)
        beside = dict.fromkeys(part.names, SWITCH)
        done = splice(now, parse(part.text), part.names, tag=part.tag, beside=beside)
        if isinstance(done, Refusal):
            return done
        text = done.text
    own = question(SWITCH.ask, SWITCH.flag, checked, cfi=base.has_cfi) + answer(SWITCH.flag)
    return Placed(_with(text, own), _with(base.text, own), checked)


def needed(
    base: Unit, unit: Unit, names: tuple[str, ...], needs: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """What the functions ``names`` of ``unit`` and all that came along with them need."""
    mine = {symbol for name in names for symbol in (name, *unit.functions[name].cold)}
    new = (x for symbol, x in needs.items() if symbol in mine or not base.defines(symbol))
    return frozenset[str]().union(*new)


def _with(text: str, lines: list[str]) -> str:
    end = "" if text.endswith("\n") else "\n"
    return text + end + "".join(f"{x}\n" for x in lines)
