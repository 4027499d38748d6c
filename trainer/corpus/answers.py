"""The teacher's lines as the answer to a prompt: of what means the same, always the same text.

An answer often ends with a copy of the region, for what its own way does not cover; labels of the
copy have numbers from 1000. What it needs comes in by the region's own live registers, so scratch
registers of the copy and of what stands in front of it are different things, whatever their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gccllm.asm.ordering import ordered_like
from gccllm.asm.region_model import Region
from gccllm.asm.renaming import GENERAL, registers_in, settled
from gccllm.region_prompt import Facts, RegionPrompt

__all__ = ["one_way", "teachers_answer"]

_OF_A_COPY = re.compile(r"L\d{4}:")
_TO_THE_FRONT = re.compile(r"\tj[a-z]+\tL\d{1,3}$")


def teachers_answer(prompt: RegionPrompt, region: Region, lines: Iterable[str]) -> str:
    """``lines`` (canonical, in the region's registers) as the answer to ``prompt``.

    Raises ValueError as :meth:`gccllm.region_prompt.RegionPrompt.answer` does.
    """
    read = any(x.flags for x in region.exits)
    return one_way(prompt.text, prompt.answer(lines), flags=read)


def one_way(prompt: str, answer: str, *, flags: bool = False) -> str:
    """``answer`` as one of those that mean the same, so that a model need not guess what nobody
    told it: operands in the order of ``prompt``, a copy of the region in the region's registers, so
    that it is copied as it stands, and all registers in one order that hold nothing or are only
    borrowed. ``flags``: they are read behind the region, and operands stay."""
    facts = Facts.parse(prompt)
    code = [x for line in facts.code for x in registers_in(line)]
    spare = facts.free - facts.live_in.keys()
    told = {x for line in facts.guard for x in registers_in(line)}.union(code, facts.free)
    told |= facts.live_in.keys() | {x for y in facts.exits for x in y}

    def in_order(lines: Sequence[str], registers: Sequence[str]) -> Sequence[str]:
        return lines if flags else ordered_like(lines, registers)

    front, copy = _parted(answer.splitlines())
    front = settled(in_order(front, [x for x in code if x not in spare]), spare)
    named = in_order(settled(copy, spare, code), code)
    if not all(x in facts.code or x.startswith(("L", "\tj")) for x in named):
        named = in_order(copy, code)
    borrowed = frozenset(GENERAL) - told
    return "".join(f"{x}\n" for x in settled((*front, *named), borrowed))


def _parted(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What stands in front of the region's copy, and the copy."""
    at = next((i for i, x in enumerate(lines) if _OF_A_COPY.match(x)), len(lines))
    if any(_TO_THE_FRONT.match(x) for x in lines[at:]):
        return lines, ()
    return lines[:at], lines[at:]
