"""Which numbers to put in place of a recorded one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Numbers"]

_EDGES = (
    *(0, 1, -1, 2, -2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 99, 100, 127, 128, 129),
    *(255, 256, 257, 999, 1000, 1001, 32767, 32768, 65535, 65536, -128, -129, -32768),
)
_WIDE_EDGES = (
    *((1 << 31) - 1, -(1 << 31), -(1 << 31) + 1, (1 << 31), (1 << 32) - 1, 1 << 32, 1 << 30),
    *((1 << 63) - 1, -(1 << 63), (1 << 64) - 1, (1 << 62), -(1 << 32)),
)


@dataclass(frozen=True)
class Numbers:
    """``mined`` are constants of the programs; ``recorded`` values that the recordings hold;
    ``differing`` constants that only one of the two programs has."""

    mined: Sequence[int]
    recorded: Sequence[int]
    differing: Sequence[int] = ()

    def constant(self, rng: random.Random) -> int | None:
        """A constant of the programs; None where they have none. Every other time one that tells
        them apart."""
        if self.differing and rng.random() < 0.5:
            return rng.choice(self.differing)
        if not self.mined:
            return None
        # the first ones stand in comparisons
        return self.mined[min(rng.randrange(len(self.mined)) for _ in range(2))]

    def other(self, value: int, rng: random.Random) -> tuple[int, str]:
        """A number in place of ``value``, and what kind of number it is."""
        kind = rng.choice(("near", "near", "edge", "wide", "power", "mined", "seen", "size", "neg"))
        if kind == "edge":
            return rng.choice(_EDGES), kind
        if kind == "wide":
            return rng.choice(_WIDE_EDGES), kind
        if kind == "power":
            return (1 << rng.randrange(63)) + rng.randrange(-1, 2), kind
        if kind == "mined":
            mined = self.constant(rng)
            if mined is not None:
                return mined + rng.choice((0, 0, 0, 1, -1)), kind
        if kind == "seen" and self.recorded:
            return rng.choice(self.recorded), kind
        if kind == "size":
            return self.sized(value, rng), kind
        if kind == "neg":
            return -value, kind
        return value + rng.choice((-1, 1, -1, 1, -2, 2, 10, -10)), "near"

    @staticmethod
    def sized(value: int, rng: random.Random) -> int:
        """Of the same order of magnitude."""
        most = max(2, 2 * abs(value))
        return rng.randrange(-most if value < 0 else 0, most + 1)
