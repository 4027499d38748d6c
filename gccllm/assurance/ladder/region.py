"""The rung of a rewritten region: it runs beside gcc's own lines on random and edge states.

The states know nothing of the caller's contract, so a difference is no refutation: no program may
ever get there. Agreement says that the new lines were run, and which of their blocks: a version of
the region with a trap in front of a block tells whether the states enter it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gccllm.asm.region_model import Region
from gccllm.assurance.ladder.accounts import Account, Gap, blocks_of
from gccllm.assurance.ladder.rewritten import Rewritten
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.families.layouts import Layout
from gccllm.harness.compare import Harness
from gccllm.harness.comparison import Comparison, ComparisonKind
from gccllm.proposers.idioms import Wirer
from gccllm.types import Json

__all__ = ["FEWEST_STATES", "examine_region"]

STATES = 40_000
TRAP_STATES = 4_000
FEWEST_STATES = 1_000
"""on which both versions came to an end; with less, nothing was learned"""
MOST_TRAPS = 64
SEED = 511_173
"""another one than the proposers use: these are not the states that chose the candidate"""
_TRAP = "\tud2"


class _AnyState(Layout):
    """A layout of whose registers nothing is known: states then go beyond what the function can
    make, into code that was written for other functions, too."""

    def constants(self, region: Region) -> Mapping[str, int]:
        return {}


def examine_region(
    harness: Harness, found: Rewritten, function: str, text: str, account: Account
) -> tuple[Examination, Account]:
    """``text``: the candidate's unit as the proposer gave it; ``account`` is of the unit that it
    was spliced into, whose blocks have the same numbers. Raises SandboxError, ToolchainError."""
    ours, theirs = list(_own(found, account)), list(_candidates(found, function, text, account))
    done, account = _run(harness, found, found.layout, (ours, theirs), account)
    if done.standing is not Standing.PASSED or account.complete:
        return done, account
    if not found.layout.constants(found.region):
        return done, account
    layout = found.layout
    free = _AnyState(layout.unit, layout.code, layout.regions)
    return done, _run(harness, found, free, (ours, theirs), account)[1]


def _run(
    harness: Harness,
    found: Rewritten,
    layout: Layout,
    gaps: tuple[Sequence[tuple[Gap, int]], Sequence[tuple[Gap, int]]],
    account: Account,
) -> tuple[Examination, Account]:
    """``gaps``: those of either version, with their places in the region's lines."""
    wirer = Wirer(harness, frozenset())

    def compare(versions: Sequence[Sequence[str]], states: int) -> list[Comparison]:
        return wirer.compare(layout, found.region, versions, states=states, seed=SEED)

    (done,) = compare([found.candidate], STATES)
    evidence: dict[str, Json] = {
        "states": done.run,
        "skipped": done.skipped,
        "region": found.region.shape.value,
        "rest_is_gccs": found.rest_is_gccs,
    }
    if not done.equal or done.run < FEWEST_STATES:
        why = f"{done.kind.value} on {done.run} states {done.detail}".rstrip()
        if done.state:
            evidence["state"] = done.state
        return _made(Standing.UNKNOWN, f"outside observed inputs: {why}", evidence), account

    def entered(lines: Sequence[str], at: Sequence[tuple[Gap, int]]) -> list[Gap]:
        results = compare([_trapped(lines, x) for _, x in at], TRAP_STATES) if at else []
        faulted = (x.kind is ComparisonKind.FAULTED for x in results)
        return [gap for (gap, _), yes in zip(at, faulted, strict=True) if yes]

    account = account.without(
        "region", entered(found.gcc, gaps[0]), entered(found.candidate, gaps[1])
    )
    where = ", all else is gcc's own" if found.rest_is_gccs else ""
    detail = f"the rewritten lines do as gcc's on {done.run} states{where}"
    return _made(Standing.PASSED, detail, evidence), account


def _made(standing: Standing, detail: str, evidence: dict[str, Json]) -> Examination:
    return Examination(Assurance.FUZZED, standing, detail, evidence)


def _candidates(
    found: Rewritten, function: str, text: str, account: Account
) -> Iterator[tuple[Gap, int]]:
    """Gaps of the candidate that lie in the region, and where in its lines."""
    blocks = {(x.number, x.body): x.line for x in blocks_of(text, function)}
    for gap in account.candidate.gaps[:MOST_TRAPS]:
        line = blocks.get((gap.number, gap.body), 0) if gap.function == function else 0
        if line in found.places:
            yield gap, found.places[line]


def _own(found: Rewritten, account: Account) -> Iterator[tuple[Gap, int]]:
    """Gaps of gcc's version whose instructions stand once in the region."""
    bare = [_bare(x) for x in found.gcc]
    for gap in account.baseline.gaps[:MOST_TRAPS]:
        body = [_bare(x) for x in gap.body]
        at = [i for i in range(len(bare)) if body and _runs(bare, i, body)]
        if len(at) == 1:
            yield gap, at[0]


def _runs(lines: Sequence[str], start: int, body: Sequence[str]) -> bool:
    """Whether the instructions of ``body`` stand from line ``start`` on, labels left out."""
    code = [x for x in lines[start:] if not x.endswith(":")]
    return bool(lines[start]) and not lines[start].endswith(":") and code[: len(body)] == list(body)


def _bare(line: str) -> str:
    """Without the names of labels."""
    words = line.split()
    if words and words[0].startswith("j"):
        return words[0]
    return " ".join(words)


def _trapped(lines: Sequence[str], place: int) -> list[str]:
    return [*lines[:place], _TRAP, *lines[place:]]
