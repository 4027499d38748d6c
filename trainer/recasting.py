"""The same pair, otherwise: in other registers, with fewer to spare.

gcc's habits (sums in eax, counters in edx) are strong, and so are those of the functions that pairs
are drawn from: small ones, in which most registers are free. A model that sees nothing else learns
the habits, and does not know the same loop in the middle of a real program. Prompts name registers
in the order in which they appear, but for rax, rcx and rdx, so that

- all registers may trade places, where no instruction needs one of those three;
- registers that the answer does not need may be taken from the free ones.

The result is named in order again, so a varied pair looks like any other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gccllm.asm.ordering import ordered
from gccllm.asm.renaming import (
    GENERAL,
    RENAMABLE,
    first_seen,
    renamable,
    renamed,
    settled,
    unfixed,
)
from trainer.packing import Encoded, encode_pairs
from trainer.pairs import Pair

__all__ = ["recast", "recasting"]

_LIVE_IN, _LIVE_OUT, _FREE = "<|live_in|>", "<|live_out|>", "<|free|>"
_BEGIN = "<|region|>\n"
_HEAD = 4
TRADED, TAKEN = 0.7, 0.5
"""how often each is done to a pair that is varied"""


def recast(pair: Pair, rng: random.Random) -> Pair:
    """``pair`` varied at random."""
    if not renamable(pair.prompt) or not renamable(pair.answer):
        return pair
    answer = "" if pair.keeps else pair.answer
    head, body = _parted(pair.prompt)
    if rng.random() < TRADED and unfixed(body + answer):
        names = dict(zip(GENERAL, rng.sample(GENERAL, len(GENERAL)), strict=True))
        head, body, answer = (renamed(x, names) for x in (head, body, answer))
    free = _general(head)
    if rng.random() < TAKEN:
        free = _fewer(free, _live_in(head), body + answer, rng)
    guard, _, inside = body.partition(_BEGIN)
    inside = "".join(f"{x}\n" for x in ordered(inside.splitlines()))
    body = guard + _BEGIN + inside
    names = first_seen([inside, guard], free)
    head, body, answer = (renamed(x, names) for x in (_with_free(head, free), body, answer))
    if not pair.keeps:
        spare = set(_general(head)) - _live_in(head)
        answer = "".join(f"{x}\n" for x in settled(answer.splitlines(), spare))
    return replace(pair, prompt=_sorted(head) + body, answer=answer or pair.answer)


def _parted(prompt: str) -> tuple[str, str]:
    """The four lines that say what may be used, and the rest."""
    lines = prompt.splitlines(keepends=True)
    return "".join(lines[:_HEAD]), "".join(lines[_HEAD:])


def _words(head: str, mark: str) -> list[str]:
    return next(x for x in head.splitlines() if x.startswith(mark))[len(mark) :].split()


def _live_in(head: str) -> set[str]:
    return {x[1:].partition(":")[0] for x in _words(head, _LIVE_IN)}


def _general(head: str) -> list[str]:
    """The free general registers."""
    return [x[1:] for x in _words(head, _FREE) if x.startswith("%r")]


def _with_free(head: str, free: Sequence[str]) -> str:
    """``head`` with ``free`` for its general registers."""
    others = [x for x in _words(head, _FREE) if not x.startswith("%r")]
    lines = head.splitlines()
    at = next(n for n, x in enumerate(lines) if x.startswith(_FREE))
    lines[at] = _FREE + " ".join([*(f"%{x}" for x in free), *others])
    return "".join(f"{x}\n" for x in lines)


def _sorted(head: str) -> str:
    """``head`` with its lists in the order that :mod:`gccllm.region_prompt` writes."""
    lines = head.splitlines()
    for at, line in enumerate(lines):
        if line.startswith(_LIVE_IN):
            lines[at] = _LIVE_IN + " ".join(sorted(line[len(_LIVE_IN) :].split()))
        elif line.startswith(_LIVE_OUT):
            exits = [x.split() for x in line[len(_LIVE_OUT) :].split(" / ")]
            lines[at] = _LIVE_OUT + " / ".join(" ".join([*x[:1], *sorted(x[1:])]) for x in exits)
    return _with_free("".join(f"{x}\n" for x in lines), sorted(_general(head)))


def _fewer(free: Sequence[str], known: set[str], text: str, rng: random.Random) -> list[str]:
    """``free`` without some that region and answer, ``text``, do not use. rax, rcx and rdx stay,
    for they may be used unnamed."""
    needed = known.union(x for x in free if x not in RENAMABLE or _named(x, text))
    chance = rng.random()
    return [x for x in free if x in needed or rng.random() < chance]


def _named(register: str, text: str) -> bool:
    """Whether ``text`` names the register at some width."""
    swap = next(x for x in RENAMABLE if x != register)
    return renamed(text, {register: swap}) != text


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
