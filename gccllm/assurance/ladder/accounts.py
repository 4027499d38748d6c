"""What was run and what was not: an account of the basic blocks of both versions of a function.

A block that no run entered counts against a rewrite, with four exceptions. One that is in both
versions, instruction for instruction, is gcc's own code, as untried as before. One that does
nothing but end the program does what gcc's own does that ends it so. One may be shown to be beyond
the reach of any call. And calls of the function alone, or runs of a region alone, may enter what
whole programs do not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gccllm.asm.lines import Line, classify, split_statement, strip_comment
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.coverage import Block, Coverage, instrument
from gccllm.assurance.ladder.ends import Stop, end_of, named, numbered
from gccllm.assurance.unreachable import Unreachable
from gccllm.types import Json

__all__ = ["Account", "Gap", "Side", "account", "blocks_of"]

MOST_SHOWN = 12
_LABEL = re.compile(r"\.L[\w.$]*")


@dataclass(frozen=True)
class Gap:
    """A block that no whole run entered: the ``number``-th of ``function``, at ``line`` of that
    version's text. ``body``: its instructions, with local labels made alike, in the text's
    ``lines``. ``end``: how it ends the program, where it does nothing else, else empty."""

    function: str
    number: int
    line: int
    body: tuple[str, ...]
    end: str = ""
    lines: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.line}: {self.body[0] if self.body else ''}"


@dataclass(frozen=True)
class Side:
    """One version. Of its ``blocks``, ``reached`` were entered by whole runs and ``same`` by none,
    but they are in both versions; ``ends`` by none, and end the program as some block of the other
    version does; ``unreachable`` by none, and no call can; ``gaps`` are the rest. ``entered_by``:
    rung → how many more blocks it entered."""

    blocks: int = 0
    reached: int = 0
    same: int = 0
    gaps: tuple[Gap, ...] = ()
    entered_by: Mapping[str, int] = field(default_factory=dict)
    ends: int = 0
    unreachable: int = 0

    def without(self, rung: str, entered: Collection[Gap]) -> Side:
        """With the gaps closed that ``rung`` entered."""
        left = tuple(x for x in self.gaps if x not in entered)
        if len(left) == len(self.gaps):
            return self
        more = {**self.entered_by, rung: len(self.gaps) - len(left)}
        return replace(self, gaps=left, entered_by=more)

    def evidence(self) -> dict[str, Json]:
        shown: list[Json] = [str(x) for x in self.gaps[:MOST_SHOWN]]
        by: dict[str, Json] = dict(self.entered_by)
        return {
            "blocks": self.blocks,
            "reached": self.reached,
            "same": self.same,
            "ends": self.ends,
            "unreachable": self.unreachable,
            "entered_by": by,
            "never": len(self.gaps),
            "shown": shown,
        }

    def __str__(self) -> str:
        parts = [f"{self.reached} of {self.blocks} blocks run"]
        parts += [f"{n} more by {rung}" for rung, n in self.entered_by.items()]
        parts += [f"{self.same} never, but the same in both"] if self.same else []
        parts += [f"{self.ends} never, but they end the program as gcc's do"] if self.ends else []
        parts += [f"{self.unreachable} that nothing can enter"] if self.unreachable else []
        parts += [f"{len(self.gaps)} never"] if self.gaps else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Account:
    """Both versions; ``unknown`` says why there is no account, else it is empty. ``entered``: some
    run called the rewritten function."""

    baseline: Side = Side()
    candidate: Side = Side()
    entered: bool = False
    unknown: str = ""

    @property
    def complete(self) -> bool:
        """Nothing is left that was never run and is in one version only."""
        open_gaps = self.baseline.gaps or self.candidate.gaps
        return not self.unknown and not open_gaps

    def without(
        self, rung: str, baseline: Collection[Gap] = (), candidate: Collection[Gap] = ()
    ) -> Account:
        """With the gaps closed that ``rung`` entered."""
        return replace(
            self,
            baseline=self.baseline.without(rung, baseline),
            candidate=self.candidate.without(rung, candidate),
        )

    def evidence(self) -> dict[str, Json]:
        if self.unknown:
            return {"unknown": self.unknown}
        return {"gcc": self.baseline.evidence(), "candidate": self.candidate.evidence()}

    def __str__(self) -> str:
        if self.unknown:
            return self.unknown
        return f"gcc's: {self.baseline}; the candidate's: {self.candidate}"


def account(
    texts: tuple[str, str],
    baseline: Coverage,
    candidate: Sequence[Coverage],
    unreachable: tuple[Unreachable | None, Unreachable | None] = (None, None),
    stop: Stop = lambda name: None,
    source: Callable[[], str | None] = lambda: None,
) -> Account:
    """``texts``: gcc's unit and the rewritten one. ``candidate``: the function itself first, then
    the helpers that came along with it. ``unreachable``: of both units, where that may be asked.
    ``stop``: what is known of functions of the program's own that never return. ``source``: gcc's
    unit as it is without optimization, if that can be had; it is asked for where it matters."""
    known = [baseline, *candidate]
    unknown = next((x.unknown for x in known if x.unknown), "")
    if unknown or not candidate:
        return Account(unknown=f"its blocks can't be counted: {unknown or 'it is not there'}")
    stop = _alike(parse(texts[0]), parse(texts[1]), stop)
    ours = list(_gaps(texts[0], [baseline], stop))
    theirs = list(_gaps(texts[1], candidate, stop))
    blocks = list(blocks_of(texts[1], *(x.function for x in candidate), stop=stop))
    also = {x.body for x in blocks}
    different = _matched(theirs, ours), [x for x in ours if x.body not in also]
    left_theirs = _ending_otherwise(different[0], different[1], texts[0], stop)
    ends = {x.end for x in blocks}
    left_ours = [x for x in different[1] if not x.end or x.end not in ends]
    sides = []
    for covers, gaps, before, left, ways in (
        ([baseline], ours, different[1], left_ours, unreachable[0]),
        (candidate, theirs, different[0], left_theirs, unreachable[1]),
    ):
        counts = sum(x.blocks for x in covers), sum(x.reached for x in covers)
        same, ending = len(gaps) - len(before), len(before) - len(left)
        kept = tuple(_within_reach(left, ways))
        sides.append(Side(*counts, same, kept, ends=ending, unreachable=len(left) - len(kept)))
    sides[1] = _without_sources(sides[1], source, stop)
    return Account(sides[0], sides[1], candidate[0].reached > 0)


def _without_sources(side: Side, source: Callable[[], str | None], stop: Stop) -> Side:
    """Without blocks that end the program as the source does: what it has and gcc's unit has not,
    gcc knows to pass."""
    if not any(named(x.end) or numbered(x.end) for x in side.gaps):
        return side
    left = tuple(_elsewhere(side.gaps, source() or "", stop))
    return replace(side, gaps=left, ends=side.ends + len(side.gaps) - len(left))


def _alike(ours: Unit, theirs: Unit, stop: Stop) -> Stop:
    """For names that mean the same in both units."""

    def known(name: str) -> Sequence[str] | None:
        same = ours.defines(name) == theirs.defines(name)
        return stop(name) if same and name not in {**ours.aliases, **theirs.aliases} else None

    return known


def _within_reach(gaps: Sequence[Gap], ways: Unreachable | None) -> Iterator[Gap]:
    """Those that something might enter, for all that is known."""
    for gap in gaps:
        asked = [x.lines[0] for x in gaps if x.function == gap.function and x.lines]
        known = ways.lines(gap.function, asked) if ways is not None else frozenset()
        if not gap.lines or not known.issuperset(gap.lines):
            yield gap


def _matched(gaps: Sequence[Gap], others: Sequence[Gap]) -> list[Gap]:
    """Those of ``gaps`` that are not among ``others``, each of which stands for one."""
    there = Counter(x.body for x in others)
    left = []
    for gap in gaps:
        if there[gap.body]:
            there[gap.body] -= 1
        else:
            left.append(gap)
    return left


def _ending_otherwise(gaps: Sequence[Gap], ours: Sequence[Gap], text: str, stop: Stop) -> list[Gap]:
    """Those of the candidate's ``gaps`` that don't end the program as gcc's unit, ``text``, does.

    A failed assertion says where in the source it stands: any block of the unit that fails so is
    gcc's version of it, wherever it was inlined, and how often. So does the number that a function
    of the program's own is told, where the unit has one such block only. All else looks alike: then
    each block stands for one that no run entered in gcc's version of the function, too.
    """
    there = Counter(x.end for x in ours if x.end and not named(x.end))
    left = []
    for gap in _elsewhere(gaps, text, stop):
        if there[gap.end] and gap.end:
            there[gap.end] -= 1
        else:
            left.append(gap)
    return left


def _elsewhere(gaps: Sequence[Gap], text: str, stop: Stop) -> list[Gap]:
    """Those whose end does not say which place of the source it is, or no block of a unit has."""
    places: Counter[str] = Counter()
    if any(named(x.end) or numbered(x.end) for x in gaps):
        places.update(x.end for x in blocks_of(text, *parse(text).functions, stop=stop))
    return [
        x
        for x in gaps
        if not (named(x.end) and places[x.end]) and not (numbered(x.end) and places[x.end] == 1)
    ]


def _gaps(text: str, covers: Sequence[Coverage], stop: Stop) -> Iterator[Gap]:
    missed = {(cover.function, x.line) for cover in covers for x in cover.unreached}
    for block in blocks_of(text, *(x.function for x in covers), stop=stop):
        if (block.function, block.line) in missed:
            yield block


def blocks_of(text: str, *functions: str, stop: Stop = lambda name: None) -> Iterator[Gap]:
    """Every block of the functions, whether it was run or not. ``stop`` as for :func:`account`."""
    lines = text.split("\n")
    blocks = instrument(text, functions).blocks
    starts = {x.line for x in blocks}
    unit = parse(text)
    before: Counter[str] = Counter()
    for block in blocks:
        number = before[block.function]
        before[block.function] += 1
        found = tuple(_statements(lines, block, starts))
        statements = tuple(x for _, x in found)
        body = tuple(" ".join((x, _LABEL.sub(".L", y))).rstrip() for x, y in statements)
        places = tuple(x for x, _ in found)
        yield Gap(block.function, number, block.line, body, end_of(statements, unit, stop), places)


def _statements(
    lines: Sequence[str], block: Block, starts: Collection[int]
) -> Iterator[tuple[int, tuple[str, str]]]:
    """(line, (word, operands))"""
    for number in range(block.line, len(lines) + 1):
        line = lines[number - 1]
        kind = classify(line)
        if (number != block.line and number in starts) or line.lstrip().startswith(".size"):
            return
        if kind is Line.INSTRUCTION:
            head, operands = split_statement(strip_comment(line))
            yield number, (head.strip(), operands.strip())
            if head.split()[-1] in ("jmp", "jmpq", "ret", "retq", "ud2"):
                return
