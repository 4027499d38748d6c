"""Samples of the families: one C function each, and the options that gcc gets for it.

Sample N of a family and a seed is always the same function. Which options there are to draw from
may grow; what was drawn stands in every pair's provenance.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from gccllm.families.base import Family, SlowForm
from trainer.corpus.levels import LEVELS

__all__ = ["HELD_OUT", "OPTIONS", "OTHERS", "Sample", "draw_sample", "levels_for"]

HELD_OUT = ("parity", "graydecode", "rotateloop", "bytesum")
"""families that no training pair comes from"""
OPTIONS = (("-O3",), ("-O3",), ("-O3",), ("-O2",), ("-O3", "-fPIC"), ("-O3", "-fwrapv"))
OTHERS = (
    ("-O1",),
    ("-Os",),
    ("-O2", "-fno-tree-pre"),
    ("-O3", "-fno-gcse"),
    ("-O3", "-fno-if-conversion", "-fno-if-conversion2"),
    ("-O3", "-fno-ivopts"),
    ("-O3", "-fno-omit-frame-pointer"),
    ("-O3", "-fno-schedule-insns2"),
    ("-O3", "-fno-split-paths"),
    ("-O3", "-fno-tree-ch"),
    ("-O3", "-march=x86-64-v2"),
    ("-O3", "-march=x86-64-v3"),
    ("-O3", "-mtune=intel"),
    ("-O3", "-mtune=znver3"),
)
"""few users give these, but they write the same loop in the ways in which other code around it,
and other versions of gcc, have it written"""
OTHERS_SHARE = 0.5


@dataclass(frozen=True)
class Sample:
    """Sample ``number`` of ``seed``: the function and gcc's options."""

    family: str
    number: int
    seed: int
    slow: SlowForm
    options: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        return self.family in HELD_OUT


def draw_sample(
    family: Family, number: int, seed: int, options: Sequence[str] | None = None
) -> Sample:
    """The sample, with options drawn too unless they are given."""
    rng = random.Random(f"{seed} {number} {family.name}")
    slow = family.slow(rng)
    if options is None:
        options = rng.choice(OTHERS if rng.random() < OTHERS_SHARE else OPTIONS)
    return Sample(family.name, number, seed, slow, tuple(options))


def levels_for(options: Sequence[str]) -> tuple[str, ...]:
    """The levels that a rewrite of code made with ``options`` may use: not below its own."""
    own = [x.removeprefix("-march=") for x in options if x.startswith("-march=")]
    return LEVELS[LEVELS.index(own[-1]) :] if own else LEVELS
