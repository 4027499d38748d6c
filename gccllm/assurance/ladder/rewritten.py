"""A rewrite of one region, found again: which region of gcc's function it is, and its new lines.

Nothing is taken from the proposer. Of every region of every layout of gcc's function it is tried
whether the candidate is that layout with other lines in the region's place; what is found counts
only if putting it there again gives the candidate's very text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.lines import rename
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render, replace
from gccllm.asm.unit import Unit
from gccllm.assurance.ladder.same_flow import same_flow
from gccllm.families.layouts import Layout, layouts
from gccllm.toolchain import Toolchain

__all__ = ["Rewritten", "rewritten"]

_DATA = '\t.section\t.rodata.gccllm,"a",@progbits'
_OWN = re.compile(r"[LD]\d+")
_LEFT_OUT = re.compile(r"\s*\.(?:p2align|align|balign|file)\b")


@dataclass(frozen=True)
class Rewritten:
    """``gcc`` and ``candidate`` are the region's lines in canonical form. ``rest_is_gccs``: all
    around it was seen to be gcc's own, in the same order of execution.

    ``places``: line of the candidate's text, from 1 → index in ``candidate``.
    """

    layout: Layout
    region: Region
    gcc: tuple[str, ...]
    candidate: tuple[str, ...]
    rest_is_gccs: bool
    places: Mapping[int, int]


def rewritten(
    tools: Toolchain, base: Unit, text: str, function: str, scratch: Path
) -> Rewritten | None:
    """None where ``text`` is anything but gcc's unit with one region of ``function`` rewritten.
    ``scratch`` is a path for objects."""
    known = base.functions.get(function)
    if known is None or not known.replaceable:
        return None
    best: Rewritten | None = None
    for layout in layouts(tools, base, function, scratch):
        rest_is_gccs = same_flow(base, layout.unit, function)
        for region in layout.regions:
            found = _lines(layout.unit, region, text)
            if found is not None and (best is None or len(found[0]) < len(best.candidate)):
                gcc = tuple(render(layout.unit, region).splitlines())
                best = Rewritten(layout, region, gcc, tuple(found[0]), rest_is_gccs, found[1])
    return best


def _lines(unit: Unit, region: Region, text: str) -> tuple[list[str], dict[int, int]] | None:
    """The new lines in canonical form, and where the text has them."""
    lines = text.split("\n")
    before, after = unit.lines[: region.lines.start], unit.lines[region.lines.stop :]
    end, data = _end(lines, after)
    if tuple(lines[: len(before)]) != before or tuple(lines[end - len(after) : end]) != after:
        return None
    names = _renamed(unit, region)
    found: list[str] = []
    places: dict[int, int] = {}
    for index in range(len(before), end - len(after)):
        line = lines[index]
        if not _LEFT_OUT.match(line) and not line.startswith(f"{_tagged(unit)}end:"):
            places[index + 1] = len(found)
            found.append(rename(line, names))
    found += [rename(x, names) for x in data if x]
    try:
        return (found, places) if replace(unit, region, found) == text else None
    except ValueError:
        return None


def _end(lines: Sequence[str], after: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Where the unit ends, and the constants behind it."""
    marks = [i for i, x in enumerate(lines) if x == _DATA]
    if tuple(lines[-len(after) :]) == tuple(after) or not marks:
        return len(lines), ()
    return marks[-1], lines[marks[-1] + 2 :]


def _tagged(unit: Unit) -> str:
    """How the names of new labels begin."""
    tag = "r"
    while any(f".L{tag}" in x for x in unit.lines):
        tag += "x"
    return f".L{tag}"


def _renamed(unit: Unit, region: Region) -> Callable[[str], str]:
    """Label of the text → its name in canonical form; other names stay."""
    tagged = _tagged(unit)
    names: dict[str, str] = {}
    for number, leaving in enumerate(region.exits):
        names.setdefault(leaving.label or f"{tagged}end", f"X{number}")
    if region.entry:
        names[region.entry] = "L0"

    def renamed(name: str) -> str:
        own = name[len(tagged) :] if name.startswith(tagged) else ""
        return own if _OWN.fullmatch(own) else names.get(name, name)

    return renamed
