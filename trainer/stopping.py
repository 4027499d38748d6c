"""Ctrl-C and SIGTERM as a wish: the first one is noted, the second one ends us."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stops"]


@contextmanager
def stops() -> Iterator[list[int]]:
    """A list that the first SIGINT or SIGTERM puts its number into; a second one ends us."""
    caught: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {x: signal.getsignal(x) for x in signals}

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)
        for x in signals:
            signal.signal(x, before[x])

    for x in signals:
        signal.signal(x, note)
    try:
        yield caught
    finally:
        for x in signals:
            signal.signal(x, before[x])
