"""Recorded inputs that mutants are made from, and the mutants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from gccllm.recordings import Case
from gccllm.sandbox.base import Trial

__all__ = ["MOST_BYTES", "Mutant", "Seedling", "seedlings"]

MOST_BYTES = 1 << 20
MOST_FILES = 64
"""of one case are mutated"""


@dataclass(frozen=True)
class Seedling:
    """A recorded input that mutants are made from; ``number`` is its place in the recording.

    ``files`` are those of the case's files that are small enough to be mutated, ``names`` all paths
    in its folder that an argument may name, written ones and folders too.
    """

    number: int
    name: str
    stdin: bytes
    args: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The mutable files that the arguments name; all, where they name none."""
        found = tuple(x for x in self.files if any(arg.endswith(x) for arg in self.args))
        return found or tuple(self.files)


@dataclass(frozen=True)
class Mutant:
    """A made-up input: ``kind`` is a stable word for counting, ``how`` one line for a person.

    ``files`` holds what the case's files hold instead, by relative path (None: it is not there).
    """

    stdin: bytes
    args: tuple[str, ...]
    case: int
    kind: str
    how: str
    files: Mapping[str, bytes | None] = field(default_factory=dict)

    @property
    def trial(self) -> Trial:
        return Trial(self.stdin, self.args, self.case, self.files)

    @property
    def size(self) -> int:
        """Bytes of the largest part."""
        return max(len(x or b"") for x in (self.stdin, *self.files.values()))


def seedlings(cases: Sequence[Case]) -> list[Seedling]:
    """Every case whose stdin is small enough to make many of. Raises OSError."""
    found = []
    for number, case in enumerate(cases):
        stdin = case.given.stdin.read_bytes() if case.given.stdin is not None else b""
        if len(stdin) <= MOST_BYTES:
            files, names = _small_files(case.given.files)
            names |= dict.fromkeys(case.expected.written)
            found.append(Seedling(number, case.name, stdin, case.given.args, files, tuple(names)))
    return found


def _small_files(folder: Path | None) -> tuple[dict[str, bytes], dict[str, None]]:
    """The first small files by path, and every path."""
    paths = [] if folder is None else [x for x in sorted(folder.rglob("*")) if not x.is_symlink()]
    relative = {str(x.relative_to(folder)): x for x in paths if folder is not None}
    small = (k for k, x in relative.items() if x.is_file() and x.stat().st_size <= MOST_BYTES)
    return {k: relative[k].read_bytes() for k in islice(small, MOST_FILES)}, dict.fromkeys(relative)
