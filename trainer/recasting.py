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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gccllm.asm.renaming import (
    GENERAL,
    RENAMABLE,
    registers_in,
    renamable,
    renamable_vectors,
    renamed,
    unfixed,
    vectors_in,
)
from gccllm.region_prompt import Facts
from trainer.corpus.answers import one_way
from trainer.packing import Encoded, encode_pairs
from trainer.pairs import Pair

__all__ = ["recast", "recasting"]

TRADED, TAKEN = 0.7, 0.5
"""how often each is done to a pair that is varied"""
_CALLERS = 8
"""vector registers that hold no arguments of a call; those that do are often not free"""


def recast(pair: Pair, rng: random.Random) -> Pair:
    """``pair`` varied at random."""
    if not renamable(pair.prompt) or not renamable(pair.answer):
        return pair
    facts, answer = Facts.parse(pair.prompt), "" if pair.keeps else pair.answer
    if rng.random() < TRADED and unfixed(pair.prompt + answer):
        names = dict(zip(GENERAL, rng.sample(GENERAL, len(GENERAL)), strict=True))
        facts, answer = facts.renamed(names), renamed(answer, names)
    if rng.random() < TAKEN:
        facts = replace(facts, free=frozenset(_fewer(facts, answer, rng)))
    names = facts.names()
    if not renamable_vectors(answer):
        names = {x: y for x, y in names.items() if x in GENERAL}
    facts, answer = facts.renamed(names), renamed(answer, names)
    if not pair.keeps:
        answer = one_way(facts.text, answer, flags=True)
    return replace(pair, prompt=facts.text, answer=answer or pair.answer)


def _fewer(facts: Facts, answer: str, rng: random.Random) -> Iterator[str]:
    """The free registers without some that region and answer do not use. rax, rcx and rdx stay,
    for they may be used unnamed. Of vector registers the first few stay."""
    text = "\n".join((*facts.code, *facts.guard, answer))
    needed = {*facts.live_in, *registers_in(text), *vectors_in(text)}
    chance = rng.random()
    low = rng.choice([_CALLERS, _CALLERS, rng.randint(0, 16)])
    for register in sorted(facts.free):
        if register.startswith("zmm"):
            kept = not int(register[3:]) < 16 or int(register[3:]) < low
        else:
            kept = register not in RENAMABLE or rng.random() < chance
        if kept or register in needed:
            yield register


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
