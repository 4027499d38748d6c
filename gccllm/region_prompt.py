"""The region format: a function with one region marked, and what may be used in its place.

    <|isa|>x86-64-v3
    <|live_in|>%rdi:64 %rsi:32
    <|live_out|>X0 %rax:32
    <|free|>%rcx %rdx %zmm0-5 %zmm8
    … lines of the function before the region …
    <|region|>
    L0:
    …
    <|/region|>
    … lines behind it …

Everything is the canonical text of :mod:`gccllm.asm.region_text`: labels inside the region are L0
(its entry), L1 …, exits X0 …; labels outside keep their names. Live registers carry the width in
bits that counts; vector registers in a row are written as one range. The answer is the region's
new lines in the same form, or ``keep``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gccllm.asm.lines import Line
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.unit import Unit

__all__ = ["region_prompt"]

CONTEXT_LINES = 24
"""lines of the function before and behind the region, each"""


def region_prompt(unit: Unit, region: Region, level: str) -> str:
    """The prompt for ``region``; ``level`` names the instruction set ("x86-64-v3")."""
    span = unit.functions[region.function].ranges[0]
    before = list(_plain(unit, range(span.start, region.lines.start)))[-CONTEXT_LINES:]
    behind = list(_plain(unit, range(region.lines.stop, span.stop)))[:CONTEXT_LINES]
    exits = (
        " ".join([f"X{number}", *_live(leaving.live)])
        for number, leaving in enumerate(region.exits)
    )
    head = [
        f"<|isa|>{level}",
        f"<|live_in|>{' '.join(_live(region.live_in))}",
        f"<|live_out|>{' / '.join(exits)}",
        f"<|free|>{' '.join(_free(region.free, level))}",
    ]
    inside = render(unit, region).splitlines()
    lines = [*head, *before, "<|region|>", *inside, "<|/region|>", *behind]
    return "".join(f"{x}\n" for x in lines)


def _live(registers: Mapping[str, int]) -> list[str]:
    return [f"%{name}:{width}" for name, width in sorted(registers.items())]


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
