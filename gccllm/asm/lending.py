"""Registers lent to a region's new lines: what they hold waits in vector registers meanwhile.

In the middle of a function few general registers are free, and lines that do the right thing with
one register too many would be lost. A register that the region neither reads nor writes nor leaves
anything in holds another's value: it is saved before the lines and restored behind them, at every
exit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gccllm.asm.region_model import Region
from gccllm.asm.renaming import registers_in, vectors_in

__all__ = ["lent"]

_LABEL = re.compile(r"\b([LX])(\d+)\b")
_AVX = re.compile(r"^\tv[a-z]", re.M)


def lent(lines: Sequence[str], region: Region) -> list[str]:
    """``lines`` for ``region``, in canonical form, with what they borrow saved and restored.

    They come back as they are where they borrow nothing, where too few vector registers are free
    (those that every level has), or where the entry is not their first line.
    """
    text = "\n".join(lines)
    known = {"rsp", *region.live_in, *region.live_out, *region.writes, *region.free}
    borrowed = [x for x in dict.fromkeys(registers_in(text)) if x not in known]
    named = set(vectors_in(text))
    spare = [
        f"xmm{n}"
        for n in range(16)
        if f"zmm{n}" in region.free and f"zmm{n}" not in {*named, *region.live_in}
    ]
    if not borrowed or len(spare) < len(borrowed) or "L0:" in lines[1:]:
        return list(lines)
    end = next((n for n, x in enumerate(lines) if re.match(r"D\d+:", x)), len(lines))
    code, data = lines[:end], lines[end:]
    move = "vmovq" if _AVX.search(text) else "movq"
    saved = [f"\t{move}\t%{x}, %{y}" for x, y in zip(borrowed, spare, strict=False)]
    restored = [f"\t{move}\t%{y}, %{x}" for x, y in zip(borrowed, spare, strict=False)]

    fresh = 1 + max((int(n) for kind, n in _LABEL.findall(text) if kind == "L"), default=0)
    # The entry is before the values are saved, so a loop's own way back needs another label.
    moved = {"L0": f"L{fresh}"}

    def elsewhere(match: re.Match[str]) -> str:
        label = match[0]
        if label[0] == "X":
            moved.setdefault(label, f"L{fresh + len(moved)}")
        return moved.get(label, label)

    out = [*saved, *(_LABEL.sub(elsewhere, x) for x in code)]
    ways = [(label, at) for label, at in moved.items() if label[0] == "X"]
    falls = not code[-1].startswith("\tjmp\t")
    behind = f"L{fresh + len(moved)}"
    if falls:
        out += restored
        out += [f"\tjmp\t{behind}"] if ways else []
    for label, at in ways:
        out += [f"{at}:", *restored, f"\tjmp\t{label}"]
    return [*out, *([f"{behind}:"] if falls and ways else []), *data]
