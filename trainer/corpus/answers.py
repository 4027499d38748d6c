"""The teacher's lines as the answer to a prompt."""

from __future__ import annotations

from collections.abc import Iterable

from gccllm.asm.region_model import Region
from gccllm.asm.renaming import settled
from gccllm.region_prompt import RegionPrompt

__all__ = ["teachers_answer"]


def teachers_answer(prompt: RegionPrompt, region: Region, lines: Iterable[str]) -> str:
    """``lines`` (canonical, in the region's registers) as an answer to ``prompt``, with scratch
    registers taken in one order (:func:`gccllm.asm.renaming.settled`).

    Raises ValueError as :meth:`gccllm.region_prompt.RegionPrompt.answer` does.
    """
    spare = {prompt.names.get(x, x) for x in region.free - region.live_in.keys()}
    return "".join(f"{x}\n" for x in settled(prompt.answer(lines).splitlines(), spare))
