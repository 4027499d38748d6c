"""A replacement beside gcc's own version of a function, behind a test of one byte.

    f:      gcc's entry: debug labels, .cfi_startproc, endbr64
    again:  cmpb $1, flag     0: nobody asked yet, 1: the processor has not what it takes, 2: it has
            jbe  other
            the replacement
    ask:    call …            sets the flag and changes no register
            jmp  again
    other:  jb   ask
            gcc's version, line by line as it was

Both are one symbol and one entry of the debug information, so callers, aliases, backtraces and
profiles find what they found before. At a function's entry the flags mean nothing (System V ABI),
and nothing else is changed; that holds for local functions with a convention of their own, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gccllm.asm.lines import Line, classify
from gccllm.asm.model import Function, Unit

__all__ = ["Insertion", "Switch", "insertion"]

_BEGIN = re.compile(r"\.LFB\d+:")
_ENDBR = "endbr64"
_PROC = ".cfi_startproc"


@dataclass(frozen=True)
class Switch:
    """Which byte says what runs, and which function sets it: symbols of the unit itself."""

    flag: str
    ask: str


@dataclass(frozen=True)
class Insertion:
    """``lines`` go behind the line ``after`` of the base; the lines ``moved`` stand in them."""

    after: int
    lines: tuple[str, ...]
    moved: frozenset[int]


def insertion(base: Unit, function: Function, body: Sequence[str], switch: Switch) -> Insertion:
    """What makes of ``function`` one with two versions. ``body``: the replacement's lines behind
    its entry label, under names of its own, that end in the function's own section."""
    after, moved = _entry(base, function)
    again, ask, other = (f".Lgccllm.{x}.{function.name}" for x in ("again", "ask", "other"))
    lines = [
        f"{again}:",
        f"\tcmpb\t$1, {switch.flag}(%rip)",
        f"\tjbe\t{other}",
        *_without_entry(body),
        # The replacement has closed gcc's entry of the unwind table.
        *([f"\t{_PROC}"] if base.has_cfi else []),
        f"{ask}:",
        f"\tcall\t{switch.ask}",
        f"\tjmp\t{again}",
        f"{other}:",
        f"\tjb\t{ask}",
        *(base.lines[x] for x in moved),
    ]
    return Insertion(after, tuple(lines), frozenset(moved))


def _entry(base: Unit, function: Function) -> tuple[int, list[int]]:
    """(last line of the entry, labels in it that belong to gcc's version).

    Loops may begin at the first instruction, and debug information says from its label on which
    register holds what; both are about gcc's version, and behind the replacement they stay true.
    """
    after = function.start
    labels: list[int] = []
    for index in function.ranges[0][1:]:
        kind, line = base.kinds[index], base.lines[index]
        if kind is Line.INSTRUCTION:
            if line.split()[0] == _ENDBR:
                after = index
            break
        if kind is Line.LABEL:
            if _BEGIN.match(line):
                after = index
            elif line.startswith(".L"):
                labels.append(index)
        elif line.strip() == _PROC:
            after = index
    return after, [x for x in labels if x < after]


def _without_entry(body: Sequence[str]) -> Iterator[str]:
    """Without the lines that gcc's entry has already."""
    proc = endbr = False
    for line in body:
        if not proc and line.strip() == _PROC:
            proc = True
        elif not endbr and classify(line) is Line.INSTRUCTION:
            endbr = True
            if line.split()[0] != _ENDBR:
                yield line
        else:
            yield line
