"""Mutations that keep the input well-formed: other lengths, other contents of the same shape."""

from __future__ import annotations

import random
from collections.abc import Sequence

from gccllm.assurance.fuzz.numbers import Numbers
from gccllm.assurance.fuzz.shape import Count, Counted, counts_of, resized
from gccllm.assurance.fuzz.text import Text, number_of

__all__ = ["change_contents", "change_length", "regenerate"]

_LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 63, 64, 65, 100, 127, 129)
_CONTENTS = (
    *("equal", "ascending", "descending", "zero", "negative", "alternating", "edge", "mined"),
    *("one odd", "last odd", "first odd", "small", "random", "wide"),
)
MOST_UNITS = 300


def change_length(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """A count and what it counts change together."""
    found = counts_of(text)
    if not found:
        return None
    count = rng.choice(found)
    units = rng.choice(_LENGTHS) if rng.random() < 0.6 else count.units + rng.randrange(-4, 5)
    mined = numbers.constant(rng) if rng.random() < 0.1 else None
    if mined is not None:
        units = abs(mined) + rng.randrange(-1, 2)
    units = min(max(units, 1 if count.what is Counted.BYTES else 0), MOST_UNITS)
    if units == count.units:
        return None
    changed = resized(text, count, units, rng)
    return changed, f"{count.units} to {units} {count.what.value} (token {count.index})"


def change_contents(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """All counted numbers follow a pattern: equal, sorted, one that stands out, edges."""
    count = _payload(text, rng)
    if count is None:
        return None
    width = count.width if count.what is Counted.GROUPS else 1
    column = rng.randrange(width)
    places = [
        index
        for index in range(count.start + column, count.stop, width)
        if number_of(text.tokens[index]) is not None
    ]
    if len(places) < 2:
        return None
    how = rng.choice(_CONTENTS)
    old = [number_of(text.tokens[index]) or 0 for index in places]
    tokens = list(text.tokens)
    for index, value in zip(places, _pattern(how, old, numbers, rng), strict=True):
        tokens[index] = b"%d" % value
    return Text(tuple(tokens), text.gaps), f"contents from token {count.start}: {how}"


def regenerate(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """Another length and then other contents: a new input of the recorded shape."""
    first = change_length(text, numbers, rng)
    if first is None:
        return None
    second = change_contents(first[0], numbers, rng)
    return first if second is None else (second[0], f"{first[1]}; {second[1]}")


def _payload(text: Text, rng: random.Random) -> Count | None:
    """What to fill: something counted; without that, everything behind the first line."""
    found = [x for x in counts_of(text) if x.what is not Counted.BYTES and x.units > 1]
    if found:
        return rng.choice(found)
    lines = text.lines()
    if len(lines) < 2:
        return None
    start = lines[0].stop
    return Count(0, Counted.TOKENS, start, len(text.tokens) - start)


def _pattern(how: str, old: Sequence[int], numbers: Numbers, rng: random.Random) -> list[int]:
    low, high = min(old), max(old)
    one = rng.choice(old)

    def edge() -> int:
        return numbers.other(one, rng)[0]

    odd = {"one odd": rng.randrange(len(old)), "first odd": 0, "last odd": len(old) - 1}
    if how in odd:
        return [edge() if i == odd[how] else (one if i % 2 else x) for i, x in enumerate(old)]
    if how == "equal":
        return [one] * len(old)
    if how == "zero":
        return [0] * len(old)
    if how == "ascending":
        return sorted(old)
    if how == "descending":
        return sorted(old, reverse=True)
    if how == "negative":
        return [-abs(x) - 1 for x in old]
    if how == "alternating":
        return [abs(x) if i % 2 else -abs(x) for i, x in enumerate(old)]
    if how == "edge":
        return [edge()] * len(old)
    if how == "mined":
        return [x if mined is None else mined for x in old for mined in [numbers.constant(rng)]]
    if how == "small":
        return [rng.randrange(-1, 3) if low < 0 else rng.randrange(3) for _ in old]
    if how == "wide":
        return [rng.randrange(-(1 << 31), 1 << 31) for _ in old]
    return [rng.randrange(low, high + 1) for _ in old]
