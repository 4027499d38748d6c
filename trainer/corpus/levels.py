"""The levels of x86-64 that pairs are made for, and what they have."""

from __future__ import annotations

from functools import lru_cache

from gccllm.toolchain import Toolchain

__all__ = ["LEVELS", "features_of", "level_of"]

LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")


def level_of(cc: str, features: frozenset[str]) -> str | None:
    """The lowest level that has all ``features``; None where none has."""
    return next((x for x in LEVELS if features <= features_of(cc, x)), None)


@lru_cache(maxsize=16)
def features_of(cc: str, level: str) -> frozenset[str]:
    """Feature macros of a level, as gcc names them, without underscores."""
    return Toolchain(cc).isa("target", (f"-march={level}",)).features
