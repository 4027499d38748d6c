"""The region format: a function with one region marked, and what may be used in its place.

    <|isa|>x86-64-v3
    <|live_in|>%rdi:64 %rsi:32 %rcx:32=10
    <|live_out|>X0 %rax:32
    <|free|>%rcx %rdx %zmm0-5 %zmm8
    … a few lines of the function before the region …
    <|region|>
    L0:
    …
    <|/region|>
    … a few lines behind it …

Everything is the canonical text of :mod:`gccllm.asm.region_text`: labels inside the region are L0
(its entry), L1 …, exits X0 …; other labels are .L0, .L1 … in the order of their appearance, and the
function itself is F. Live registers carry the width in bits that counts, and the number that they
hold where that is known; vector registers in a row are written as one range. The answer is the
region's new lines in the same form, or ``keep``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gccllm.asm.lines import Line
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.unit import Unit

__all__ = ["region_prompt"]

LINES_BEFORE = 8
LINES_BEHIND = 4
"""lines of the function around the region; more cost more tokens than they tell"""
_LABEL = re.compile(r"\.L[\w.$]*")


def region_prompt(unit: Unit, region: Region, level: str, constants: Mapping[str, int]) -> str:
    """The prompt for ``region``; ``level`` names the instruction set ("x86-64-v3"), ``constants``
    are the live-in registers whose value at the entry is known (64 bits)."""
    span = unit.functions[region.function].ranges[0]
    before = list(_plain(unit, range(span.start, region.lines.start)))[-LINES_BEFORE:]
    behind = list(_plain(unit, range(region.lines.stop, span.stop)))[:LINES_BEHIND]
    exits = (
        " ".join([f"X{number}", *_live(leaving.live, {})])
        for number, leaving in enumerate(region.exits)
    )
    head = [
        f"<|isa|>{level}",
        f"<|live_in|>{' '.join(_live(region.live_in, constants))}",
        f"<|live_out|>{' / '.join(exits)}",
        f"<|free|>{' '.join(_free(region.free, level))}",
    ]
    names = {x.label: f"X{n}" for n, x in enumerate(region.exits) if x.label}
    if region.entry:
        names[region.entry] = "L0"
    names[region.function] = "F"
    inside = render(unit, region).splitlines()
    around = (_renamed(before, names), _renamed(behind, names))
    lines = [*head, *around[0], "<|region|>", *inside, "<|/region|>", *around[1]]
    return "".join(f"{x}\n" for x in lines)


def _renamed(lines: list[str], names: dict[str, str]) -> list[str]:
    """``names`` grows by the labels that are met."""

    def new(match: re.Match[str]) -> str:
        return names.setdefault(match.group(), f".L{sum(x[:2] == '.L' for x in names.values())}")

    out = []
    for line in lines:
        if not line.startswith((" ", "\t")) and line[:-1] in names:
            out.append(f"{names[line[:-1]]}:")
        else:
            out.append(_LABEL.sub(new, line))
    return out


def _live(registers: Mapping[str, int], constants: Mapping[str, int]) -> list[str]:
    """ "%rdi:64", "%rcx:32=10"; a known number is signed, at the register's width."""
    out = []
    for name, width in sorted(registers.items()):
        text = f"%{name}:{width}"
        if name in constants and width <= 64:
            value = constants[name] & (1 << width) - 1
            text += f"={value - (1 << width) if value >> (width - 1) else value}"
        out.append(text)
    return out


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


def _plain(unit: Unit, span: range) -> Iterator[str]:
    """Instructions and labels; no directives, no comments, no labels of debug information."""
    for index in span:
        line = unit.lines[index].rstrip()
        debug = line.startswith((".LFB", ".LFE", ".LVL", ".LBB", ".LBE"))
        if unit.kinds[index] in (Line.INSTRUCTION, Line.LABEL) and not debug:
            yield line
