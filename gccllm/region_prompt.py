"""The region format: what a model is told of a region, and what may be used in its place.

    <|isa|>x86-64-v3
    <|live_in|>%rdi:64 %rsi:32 %rcx:32=10
    <|live_out|>X0 %rax:32
    <|free|>%r8 %r9 %rcx %rdx %zmm0-5 %zmm8
    \ttestl\t%esi, %esi
    \tje\tX
    <|region|>
    L0:
    …
    <|/region|>

Everything is the canonical text of :mod:`gccllm.asm.region_text`: labels inside the region are L0
(its entry), L1 …, exits X0 …. Live registers carry the width in bits that counts, and the number
that they hold where that is known; vector registers in a row are written as one range. Before the
region stands its guard, where it has one: it is entered only where that does not jump. The answer
is the region's new lines in the same form, or ``keep``.

Registers are renamed in the order in which the region first names them (those of
:data:`gccllm.asm.renaming.RENAMABLE`), so that the same loop is the same text wherever gcc put its
values: a model need not learn twelve names for one thing. :class:`RegionPrompt` keeps the names.
Comparisons and sums of registers are written in one order (:mod:`gccllm.asm.ordering`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gccllm.asm.ordering import ordered
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.renaming import first_seen, renamable, renamed
from gccllm.asm.unit import Unit

__all__ = ["RegionPrompt", "region_prompt"]


@dataclass(frozen=True)
class RegionPrompt:
    """``text`` as above; ``names``: register of the region → its name in the text, a permutation
    of :data:`gccllm.asm.renaming.RENAMABLE`, or empty where nothing is renamed."""

    text: str
    names: Mapping[str, str]

    def answer(self, lines: Iterable[str]) -> str:
        """``lines`` for the region as an answer to this prompt.

        Raises ValueError where they use registers without naming them, and have no such form.
        """
        return self._renamed("".join(f"{x}\n" for x in lines), self.names)

    def lines(self, answer: str) -> list[str]:
        """The region's new lines that an answer stands for. Raises ValueError as above."""
        back = {new: old for old, new in self.names.items()}
        return self._renamed(answer, back).splitlines()

    @property
    def region(self) -> list[str]:
        """The region's own lines, as the text has them."""
        inside = self.text.partition("<|region|>\n")[2].partition("<|/region|>\n")[0]
        return inside.splitlines()

    def _renamed(self, text: str, names: Mapping[str, str]) -> str:
        if any(old != new for old, new in names.items()) and not renamable(text):
            raise ValueError("registers that are used unnamed can't be renamed")
        return renamed(text, names)


def region_prompt(
    unit: Unit, region: Region, level: str, constants: Mapping[str, int]
) -> RegionPrompt:
    """The prompt for ``region``; ``level`` names the instruction set ("x86-64-v3"), ``constants``
    are the live-in registers whose value at the entry is known (64 bits)."""
    code = ordered(render(unit, region).splitlines())
    inside = [*region.guard, "<|region|>", *code, "<|/region|>"]
    names: Mapping[str, str] = {}
    if renamable("\n".join(inside)):
        names = first_seen([*code, *region.guard], region.free)
    exits = (
        " ".join([f"X{number}", *_live(leaving.live, {}, names)])
        for number, leaving in enumerate(region.exits)
    )
    free = frozenset(names.get(x, x) for x in region.free)
    head = [
        f"<|isa|>{level}",
        f"<|live_in|>{' '.join(_live(region.live_in, constants, names))}",
        f"<|live_out|>{' / '.join(exits)}",
        f"<|free|>{' '.join(_free(free, level))}",
    ]
    lines = [*head, *(renamed(x, names) for x in inside)]
    return RegionPrompt("".join(f"{x}\n" for x in lines), names)


def _live(
    registers: Mapping[str, int], constants: Mapping[str, int], names: Mapping[str, str]
) -> list[str]:
    """ "%rdi:64", "%rcx:32=10"; a known number is signed, at the register's width."""
    out = []
    for name, width in registers.items():
        text = f"%{names.get(name, name)}:{width}"
        if name in constants and width <= 64:
            value = constants[name] & (1 << width) - 1
            text += f"={value - (1 << width) if value >> (width - 1) else value}"
        out.append(text)
    return sorted(out)


def _free(registers: frozenset[str], level: str) -> list[str]:
    """General registers by name, vector and mask registers of the level as ranges."""
    out = sorted(f"%{x}" for x in registers if x.startswith("r"))
    for prefix, count in (("zmm", 32 if level.endswith("v4") else 16), ("k", 8)):
        if prefix == "k" and not level.endswith("v4"):
            continue
        numbers = [n for n in range(count) if f"{prefix}{n}" in registers]
        start = 0
        for at, number in enumerate(numbers):
            if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
                first = numbers[start]
                out.append(f"%{prefix}{first}" + (f"-{number}" if number > first else ""))
                start = at + 1
    return out
