"""The same pair, otherwise: in other registers, other surroundings, with less to spare.

gcc's habits (arguments in rdi and rsi, sums in eax) are strong, and so are those of the functions
that pairs are drawn from: small ones, in which most registers are free. A model that sees nothing
else learns the habits, and does not know the same loop in the middle of a real program. What a
region does is told by its own lines and by the prompt's head, so that

- all registers may be renamed, where no instruction uses one unnamed;
- registers that the answer does not need may be taken from the free ones;
- the lines around the region may be those around another one.

Lists are sorted again, and scratch registers taken in their order again, so a varied pair looks
like any other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gccllm.asm.renaming import RENAMABLE, renamable, renamed, settled
from trainer.packing import Encoded, encode_pairs
from trainer.pairs import Pair

__all__ = ["recast", "recasting"]

_LIVE_IN, _LIVE_OUT, _FREE = "<|live_in|>", "<|live_out|>", "<|free|>"
_BEGIN, _END = "<|region|>\n", "<|/region|>\n"
_HEAD = 4
_LABEL = re.compile(r"\bX\d+\b|\bL\d+\b")
RENAMED, MOVED, TAKEN = 0.7, 0.5, 0.5
"""how often each is done to a pair that is varied"""


def recast(pair: Pair, other: Pair, rng: random.Random) -> Pair:
    """``pair`` varied at random; ``other`` is where other surroundings come from."""
    if rng.random() < MOVED:
        pair = _moved(pair, other)
    if not renamable(pair.prompt) or not renamable(pair.answer):
        return pair
    names = dict(zip(RENAMABLE, RENAMABLE, strict=True))
    if rng.random() < RENAMED:
        names = dict(zip(RENAMABLE, rng.sample(RENAMABLE, len(RENAMABLE)), strict=True))
    answer = "" if pair.keeps else renamed(pair.answer, names)
    lines = renamed(pair.prompt, names).split("\n")
    known: set[str] = set()
    spare: set[str] = set()
    for at, line in enumerate(lines[:_HEAD]):
        if line.startswith(_LIVE_IN):
            words = sorted(line[len(_LIVE_IN) :].split())
            known = {x[1:].partition(":")[0] for x in words}
            lines[at] = _LIVE_IN + " ".join(words)
        elif line.startswith(_LIVE_OUT):
            exits = [x.split() for x in line[len(_LIVE_OUT) :].split(" / ")]
            lines[at] = _LIVE_OUT + " / ".join(" ".join([*x[:1], *sorted(x[1:])]) for x in exits)
        elif line.startswith(_FREE):
            words = line[len(_FREE) :].split()
            general = sorted(x[1:] for x in words if x.startswith("%r"))
            if rng.random() < TAKEN:
                general = _fewer(general, known, answer, rng)
            spare = set(general) - known
            others = [x for x in words if not x.startswith("%r")]
            lines[at] = _FREE + " ".join([*(f"%{x}" for x in general), *others])
    if pair.keeps:
        return replace(pair, prompt="\n".join(lines))
    written = "".join(f"{x}\n" for x in settled(answer.splitlines(), spare))
    return replace(pair, prompt="\n".join(lines), answer=written)


def _fewer(free: Sequence[str], known: set[str], answer: str, rng: random.Random) -> list[str]:
    """``free`` without some that ``answer`` does not need. rax, rcx and rdx stay, for they may be
    used unnamed."""
    needed = known.union(x for x in free if x not in RENAMABLE or _named(x, answer))
    chance = rng.random()
    return [x for x in free if x in needed or rng.random() < chance]


def _named(register: str, text: str) -> bool:
    """Whether ``text`` names the register at some width."""
    swap = next(x for x in RENAMABLE if x != register)
    return renamed(text, {register: swap}) != text


def _moved(pair: Pair, other: Pair) -> Pair:
    """``pair`` with the lines around it that ``other`` has, less those that tell of its exits."""
    head, _, inside, _ = _parts(pair.prompt)
    _, before, _, behind = _parts(other.prompt)
    return replace(pair, prompt=head + _foreign(before) + inside + _foreign(behind))


def _foreign(lines: str) -> str:
    return "".join(x for x in lines.splitlines(keepends=True) if not _LABEL.search(x))


def _parts(prompt: str) -> tuple[str, str, str, str]:
    """Head, lines before, the marked region, lines behind."""
    front, begin, rest = prompt.partition(_BEGIN)
    inside, end, behind = rest.partition(_END)
    lines = front.splitlines(keepends=True)
    return "".join(lines[:_HEAD]), "".join(lines[_HEAD:]), begin + inside + end, behind


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
        other = data[rng.randrange(len(data))].pair
        again, _ = encode_pairs(tokenizer, [recast(data[index].pair, other, rng)], longest)
        return again[0] if again else data[index]

    return at
