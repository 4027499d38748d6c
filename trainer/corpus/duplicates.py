"""Which programs are copies of each other, so that no split has a copy of another's program.

Three things put programs into one group: the same problem, a cluster of near-duplicates that the
corpus itself names (Project_CodeNet, ``derived/duplicates``; format in its tools/duplicates/
Clusters.md), and C text that is the same but for names, numbers, layout and comments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["Groups", "code_fingerprint", "codenet_clusters", "identical_problems"]

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|\d[\w.]*|\S")
_KEPT = frozenset(
    "break case char const continue default do double else enum extern float for goto if inline int"
    " long register restrict return short signed sizeof static struct switch typedef union unsigned"
    " void volatile while main include define printf scanf".split()
)
_SUBMISSION = re.compile(r"(p\d+)/[^/]+/(s\d+)\.\w+")


class Groups:
    """A partition that grows by merging (union-find). Members are any texts."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def of(self, member: str) -> str:
        """The group's name: its first member in order, so it is the same in any order of merges."""
        parent = self._parents.setdefault(member, member)
        while parent != self._parents[parent]:
            self._parents[parent] = self._parents[self._parents[parent]]
            parent = self._parents[parent]
        self._parents[member] = parent
        return parent

    def merge(self, members: Iterable[str]) -> None:
        """Put all of ``members``, and whatever is in their groups, into one group."""
        roots = sorted({self.of(x) for x in members})
        for root in roots[1:]:
            self._parents[root] = roots[0]


def code_fingerprint(c_code: str) -> str:
    """The same for C texts that differ in names, numbers, strings, layout and comments only."""
    tokens = []
    for word in _TOKEN.findall(_COMMENT.sub(" ", c_code)):
        if word[0].isdigit():
            tokens.append("0")
        elif word[0] in "\"'":
            tokens.append(word[0])
        elif (word[0].isalpha() or word[0] == "_") and word not in _KEPT:
            tokens.append("x")
        else:
            tokens.append(word)
    return hashlib.sha256(" ".join(tokens).encode("utf-8", "replace")).hexdigest()[:16]


def codenet_clusters(codenet: Path) -> Iterator[list[str]]:
    """The near-duplicate clusters of C submissions in a CodeNet tree, as submission ids; single
    ones are left out. Nothing where the tree has no ``derived/duplicates/C``."""
    folder = codenet / "derived" / "duplicates" / "C"
    for path in sorted(x for x in folder.rglob("*clusters*") if x.is_file()):
        cluster: list[str] = []
        for line in [*path.read_text("utf-8", "replace").splitlines(), ""]:
            if line.strip():
                cluster += [x[2] for x in _SUBMISSION.finditer(line)]
            elif cluster:
                if len(cluster) > 1:
                    yield cluster
                cluster = []


def identical_problems(codenet: Path) -> Iterator[list[str]]:
    """Problems of a CodeNet tree that are one and the same, as lists of problem ids."""
    path = codenet / "derived" / "duplicates" / "identical_problem_clusters"
    if path.is_file():
        for line in path.read_text("utf-8", "replace").splitlines():
            found = re.findall(r"p\d+", line)
            if len(found) > 1:
                yield found
