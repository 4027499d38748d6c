"""Programs that stay open between questions: the least recently asked for is closed first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Generic, TypeVar

__all__ = ["Shelf"]

Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """At most ``most`` open things by key. Not for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[str, tuple[ExitStack, Kept]] = OrderedDict()

    def get(self, key: str, make: Callable[[], AbstractContextManager[Kept]]) -> Kept:
        """What lies under ``key``, opened now if it is not open."""
        if key not in self._open:
            while len(self._open) >= self._most:
                self._open.popitem(last=False)[1][0].close()
            stack = ExitStack()
            self._open[key] = (stack, stack.enter_context(make()))
        self._open.move_to_end(key)
        return self._open[key][1]

    def close(self) -> None:
        """Close everything, the last first."""
        while self._open:
            self._open.popitem()[1][0].close()
