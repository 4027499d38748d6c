"""What the templates make of a region, found once for all regions that differ in registers only.

The search for a wiring links and runs a program, a tenth of a second; the regions of one family's
samples repeat, under other register names. What was proven for one of them holds for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.renaming import first_seen, renamable, renamed
from gccllm.families.base import Family
from gccllm.families.layouts import Layout
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer

__all__ = ["Rewriting", "Wirings"]

STATES = 8000


@dataclass(frozen=True)
class Rewriting:
    """``lines`` in canonical form do what the region does; ``needs``: features as in ``Isa``."""

    family: str
    form: str
    needs: frozenset[str]
    lines: tuple[str, ...]


class Wirings:
    """Asks the forms of ``families`` and remembers; ``features`` are those of the highest level.

    What is remembered may depend on what was asked before, where a region has several wirings that
    hold. Equal they are in any case.
    """

    def __init__(
        self, harness: Harness, features: frozenset[str], families: Sequence[Family]
    ) -> None:
        self._wirer = Wirer(harness, features, families, states=STATES)
        self._known: dict[str, tuple[Rewriting, ...]] = {}

    def all(self, layout: Layout, region: Region) -> tuple[Rewriting, ...]:
        """The forms that equal ``region``, one wiring each, in the families' order.

        Raises SandboxError and ToolchainError as the harness does.
        """
        text = render(layout.unit, region)
        if not renamable(text):
            return self._search(layout, region)
        names = first_seen([text, *region.guard], region.free)
        key = _facts(text, region, layout.constants(region), names)
        if key not in self._known:
            found = self._search(layout, region)
            if not all(renamable("\n".join(x.lines)) for x in found):
                return found
            self._known[key] = _with(found, names)
        return _with(self._known[key], {new: old for old, new in names.items()})

    def _search(self, layout: Layout, region: Region) -> tuple[Rewriting, ...]:
        found = []
        for wired in self._wirer.equal(layout, region):
            form = wired.instance.form
            found.append(Rewriting(wired.family, form.label, form.features, wired.instance.lines))
        return tuple(found)


def _with(found: Sequence[Rewriting], names: Mapping[str, str]) -> tuple[Rewriting, ...]:
    return tuple(
        Rewriting(x.family, x.form, x.needs, tuple(renamed(line, names) for line in x.lines))
        for x in found
    )


def _facts(
    text: str, region: Region, constants: Mapping[str, int], names: Mapping[str, str]
) -> str:
    """All that the search looks at, with registers renamed."""

    def live(registers: Mapping[str, int]) -> list[str]:
        return sorted(f"{names.get(x, x)}:{n}={constants.get(x)}" for x, n in registers.items())

    def several(registers: frozenset[str]) -> list[str]:
        return sorted(names.get(x, x) for x in registers)

    places = {x.place: n for n, x in reversed(list(enumerate(region.exits)))}
    exits = [(places[x.place], bool(x.label), live(x.live), sorted(x.flags)) for x in region.exits]
    facts = (
        [renamed(x, names) for x in (text, *region.guard)],
        live(region.live_in),
        exits,
        several(region.free),
        several(region.writes),
        sorted(region.flags_in),
        (region.red_zone, region.symbols, region.calls, region.shape.value),
    )
    return repr(facts)
