"""Make an input smaller while something stays true of it (after Zeller and Hildebrandt's ddmin)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from gccllm.assurance.fuzz.shape import Counted, counts_of
from gccllm.assurance.fuzz.text import Text, number_of

__all__ = ["Holds", "shrink"]

Holds = Callable[[Sequence[bytes]], int | None]
"""The number of the first input of which it is true, None for none of them."""

MOST_ROUNDS = 40
AT_ONCE = 24


def shrink(data: bytes, holds: Holds, *, seconds: float) -> bytes:
    """The smallest input found within ``seconds``; ``data`` itself where nothing is smaller."""
    deadline = time.monotonic() + seconds
    for _ in range(MOST_ROUNDS):
        smaller = _first(data, holds, deadline)
        if smaller is None:
            break
        data = smaller
    return data


def _first(data: bytes, holds: Holds, deadline: float) -> bytes | None:
    batch: list[bytes] = []
    seen = {data}

    def tried() -> bytes | None:
        found = holds(batch)
        return None if found is None else batch[found]

    for smaller in _smaller(data):
        if smaller in seen:
            continue
        seen.add(smaller)
        batch.append(smaller)
        if len(batch) == AT_ONCE:
            if time.monotonic() > deadline:
                return None
            found = tried()
            if found is not None:
                return found
            batch.clear()
    return tried() if batch and time.monotonic() <= deadline else None


def _smaller(data: bytes) -> Iterator[bytes]:
    """Smaller inputs, the boldest first: counted pieces, lines, tokens, nearer numbers, bytes."""
    text = Text.of(data)
    yield from _less_counted(text)
    lines = data.splitlines(keepends=True)
    for start, stop in _pieces(len(lines)):
        yield b"".join(lines[:start] + lines[stop:])
    for start, stop in _pieces(len(text.tokens)):
        yield text.replaced(start, stop, []).data
    for index in text.numbers()[:64]:
        value = number_of(text.tokens[index]) or 0
        nearer = (
            0,
            1,
            value // 2 if value > 0 else -(-value // 2),
            value - (1 if value > 0 else -1),
        )
        for new in nearer:
            token = b"%d" % new
            if (abs(new), len(token)) < (abs(value), len(text.tokens[index]) + 1):
                yield text.with_token(index, token).data
    if len(data) <= 256:
        for at in range(len(data)):
            yield data[:at] + data[at + 1 :]


def _less_counted(text: Text) -> Iterator[bytes]:
    """Pieces of what a number counts taken out, and the number adapted."""
    for count in counts_of(text)[:8]:
        if count.what is Counted.BYTES:
            continue
        for start, stop in _pieces(count.units):
            first = count.start + start * count.width
            last = count.start + stop * count.width
            left = text.replaced(first, last, [])
            yield left.with_token(count.index, b"%d" % (count.units - stop + start)).data


def _pieces(length: int) -> Iterator[tuple[int, int]]:
    """Halves, quarters, …, single elements."""
    size = (length + 1) // 2
    while size:
        for start in range(0, length, size):
            yield start, min(start + size, length)
        size //= 2
        if length > 512 and size < length // 64:
            return
