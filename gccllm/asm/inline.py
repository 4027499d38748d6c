"""Inline assembly that says where code lies and nothing else, as zstd's does.

It holds no instruction that does anything, so a function with such a block is what it is without.
An empty block is something else: it keeps the compiler from moving memory accesses over it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["placing_block"]

_IDLE = re.compile(r'\s*|# \d+ "[^"\\]*"(?: \d+)*')
_PLACING = re.compile(r"\s*(?:nop|\.(?:p2align|balign|align)\s+\d+(?:\s*,\s*,\s*\d+)?)\s*")


def placing_block(lines: Sequence[str], start: int) -> int | None:
    """The index of the ``#NO_APP`` that ends the block whose ``#APP`` is at ``start``, where
    nothing but alignments and ``nop`` stands in between; None for any other block."""
    places = False
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if line.strip() == "#NO_APP":
            return index if places else None
        if _PLACING.fullmatch(line):
            places = True
        elif not _IDLE.fullmatch(line):
            return None
    return None
