"""The same pair in other registers: whatever is right for one allocation is right for any other.

gcc's habits (arguments in rdi and rsi, sums in eax) are strong, and a model that sees nothing else
learns the habits instead of copying the registers that it is given. A pair whose code names all the
registers that it uses may be put under any renaming of them; lists are sorted again, and scratch
registers taken in their order again, so it looks like any other pair.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gccllm.asm.renaming import RENAMABLE, renamable, renamed, settled
from trainer.packing import Encoded, encode_pairs
from trainer.pairs import Pair

__all__ = ["recast", "recasting"]

_LIVE_IN, _LIVE_OUT, _FREE = "<|live_in|>", "<|live_out|>", "<|free|>"


def recast(pair: Pair, rng: random.Random) -> Pair:
    """``pair`` under a random renaming; itself where an instruction uses registers unnamed."""
    if not renamable(pair.prompt) or not renamable(pair.answer):
        return pair
    shuffled = list(RENAMABLE)
    rng.shuffle(shuffled)
    names = dict(zip(RENAMABLE, shuffled, strict=True))
    lines = renamed(pair.prompt, names).split("\n")
    known: set[str] = set()
    spare: set[str] = set()
    for at, line in enumerate(lines):
        if line.startswith(_LIVE_IN):
            words = sorted(line[len(_LIVE_IN) :].split())
            known = {x[1:].partition(":")[0] for x in words}
            lines[at] = _LIVE_IN + " ".join(words)
        elif line.startswith(_LIVE_OUT):
            exits = [x.split() for x in line[len(_LIVE_OUT) :].split(" / ")]
            lines[at] = _LIVE_OUT + " / ".join(" ".join([*x[:1], *sorted(x[1:])]) for x in exits)
        elif line.startswith(_FREE):
            words = line[len(_FREE) :].split()
            general = sorted(x for x in words if x.startswith("%r"))
            others = [x for x in words if not x.startswith("%r")]
            spare = {x[1:] for x in general} - known
            lines[at] = _FREE + " ".join([*general, *others])
            break
    answer = pair.answer
    if not pair.keeps:
        written = renamed(answer, names).splitlines()
        answer = "".join(f"{x}\n" for x in settled(written, spare))
    return replace(pair, prompt="\n".join(lines), answer=answer)


def recasting(
    tokenizer: Any,
    data: Sequence[Encoded],
    *,
    share: float,
    seed: int,
    longest: int,
) -> Callable[[int, int], Encoded]:
    """(index, epoch) → ``data[index]``, or with probability ``share`` the same pair recast. It
    depends on ``seed``, index and epoch alone. One that is over ``longest`` tokens stays."""

    def at(index: int, epoch: int) -> Encoded:
        rng = random.Random(f"{seed} {epoch} {index}")
        if rng.random() >= share:
            return data[index]
        again, _ = encode_pairs(tokenizer, [recast(data[index].pair, rng)], longest)
        return again[0] if again else data[index]

    return at
