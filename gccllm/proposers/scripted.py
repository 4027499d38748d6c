"""The deterministic proposer: candidates from files. For tests, and for judging code by hand.

Spec ``scripted:DIR``. In DIR, for a unit named ``foo``:

    foo.s            offers all functions that it and the baseline have in common
    foo.bar.s        offers the function ``bar``
    foo.bar.1.s …    more of the same, in numerical order; also foo.1.s

The unit's name may carry its source suffix: ``foo.c`` finds ``foo.c.s`` as well as ``foo.s``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gccllm.errors import ProposerError
from gccllm.proposers.base import Task
from gccllm.types import Candidate

__all__ = ["ScriptedProposer"]


class ScriptedProposer:
    """Yields the files of a folder: whole units first, then functions as the task orders them."""

    name = "scripted"
    refines = False

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def propose(self, task: Task) -> Iterator[Candidate]:
        """Raises ProposerError when the folder can't be listed or a file of it can't be read."""
        try:
            files = sorted(p for p in self.folder.iterdir() if p.suffix == ".s" and p.is_file())
        except OSError as error:
            raise ProposerError(f"scripted:{self.folder}: {error.strerror or error}") from error
        names = [f.name for f in task.functions]
        found = []
        for path in files:
            place = _place(path.name, task.unit, names)
            if place is not None:
                found.append((place, path))
        for (rank, _), path in sorted(found):
            try:
                text = path.read_text(encoding="utf-8", errors="surrogateescape")
            except OSError as error:
                raise ProposerError(f"{path}: {error.strerror or error}") from error
            functions = () if rank < 0 else (names[rank],)
            yield Candidate(self.name, task.unit, functions, text, label=path.name)


def _place(file: str, unit: str, functions: list[str]) -> tuple[int, int] | None:
    """(index of the function or -1, number) of a file, or None where it isn't this task's.

    Names of functions may hold dots (gcc's clones ``f.constprop.0``), so the longest known name
    that fits wins over a shorter one with a number.
    """
    bases = [Path(unit).name]
    if "." in bases[0]:
        bases.append(bases[0].rsplit(".", 1)[0])
    for base in bases:
        for index, name in sorted(enumerate(functions), key=lambda x: -len(x[1])):
            number = _number(file, f"{base}.{name}")
            if number is not None:
                return index, number
        number = _number(file, base)
        if number is not None:
            return -1, number
    return None


def _number(file: str, stem: str) -> int | None:
    match = re.fullmatch(re.escape(stem) + r"(?:\.(\d+))?\.s", file)
    return None if match is None else int(match[1] or 0)
