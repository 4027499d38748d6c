"""The climb: which rung comes when, for how long, and when it ends.

    ABI check → whole program fuzzed → blocks counted → each function: its region, its calls
        → more inputs where blocks are open → each function: proof

The cheap and the most telling come first, and the first refutation ends it. A rung that fails or
has no time is unknown, with the reason; unknown earns nothing.

A climb to what is wanted may go beyond the link's budget by what is reserved for it, like the last
runs of the clock: what has come so far is worth it. Proofs that nobody asked for may not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from gccllm.assurance.ladder.accounts import Account, Gap
from gccllm.assurance.ladder.earning import earned, shortfall
from gccllm.assurance.ladder.shares import LEAST_SECONDS, Shares
from gccllm.assurance.ladder.words import Climbed, Combination, Function, Known, skipped
from gccllm.assurance.levels import Assurance, Examination, Standing

__all__ = ["Ladder", "Rungs"]

MOST_MORE = 3
LEAST_FOR_MORE = 3.0
"""seconds; a round of inputs and counting takes about so long"""
_Closed = tuple[str, Collection[Gap], Collection[Gap]]

_LEVELS: Mapping[str, Assurance] = {
    "abi": Assurance.TESTS,
    "fuzz": Assurance.FUZZED,
    "coverage": Assurance.FUZZED,
    "region": Assurance.FUZZED,
    "differential": Assurance.DIFFERENTIAL,
    "proof": Assurance.PROVED,
}


class Rungs(Protocol):
    """The rungs over one program. Each may raise; that makes it unknown. ``seconds`` is a wish
    that a rung may overrun by a build and a run, not by more."""

    def abi(self, what: Combination, function: Function) -> Examination: ...

    def fuzz(self, what: Combination, seconds: float) -> Examination:
        """Asked again about the same combination: other inputs."""
        ...

    def accounts(self, what: Combination, seconds: float) -> Mapping[Function, Account]:
        """Of all whole runs so far."""
        ...

    def region(
        self, what: Combination, function: Function, account: Account, seconds: float
    ) -> tuple[Examination, Account]:
        """And the account with what it entered."""
        ...

    def differential(
        self, what: Combination, function: Function, account: Account, seconds: float
    ) -> tuple[Examination, Account]:
        """And the account with what it entered."""
        ...

    def proof(self, what: Combination, function: Function, seconds: float) -> Examination: ...


class Ladder:
    """Examines combinations of one program until ``deadline`` (time.monotonic() seconds)."""

    def __init__(
        self,
        rungs: Rungs,
        wanted: Assurance,
        shares: Shares,
        deadline: float,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.rungs = rungs
        self.wanted = wanted
        self.shares = shares
        self.deadline = deadline
        self.say = say

    @property
    def reserved(self) -> float:
        """Seconds that one climb to what is wanted takes."""
        return self.shares.reserved(self.wanted)

    def doubted(self, what: Combination) -> bool:
        """Whether the ABI check, which is quick, has doubts that only few rungs could settle."""
        if self.wanted is Assurance.TESTS:
            return False
        try:
            examined = [self.rungs.abi(what, x) for x in what.functions]
        except Exception:
            return True
        return any(x.standing is not Standing.PASSED for x in examined)

    def examine(self, what: Combination) -> Climbed:
        """Climb with all functions; never raises for what a rung does."""
        return _Climb(self, what).run()


class _Climb:
    """One climb. ``notes``: function → rung → what it found. ``closed``: what rungs entered of
    a function's blocks that whole runs had not."""

    def __init__(self, ladder: Ladder, what: Combination) -> None:
        self.ladder = ladder
        self.rungs = ladder.rungs
        self.what = what
        self.started = time.monotonic()
        self.until = max(ladder.deadline, self.started + ladder.reserved)
        self.counted: list[str] = []
        self.notes: dict[Function, dict[str, Examination]] = {x: {} for x in what.functions}
        self.accounts: dict[Function, Account] = {}
        self.closed: dict[Function, list[_Closed]] = {x: [] for x in what.functions}

    def run(self) -> Climbed:
        self._climb()
        found = tuple(self._known(x) for x in self.what.functions)
        refuted = tuple(x for x in found if x.refuted)
        spent = time.monotonic() - self.started
        return Climbed(refuted or found, spent, tuple(self.counted))

    def _climb(self) -> None:
        what = self.what
        for function in what.functions:
            check = partial(self.rungs.abi, what, function)
            self.notes[function]["abi"] = self._guarded("abi", check)
        if self._refuted() or not self._fuzzed():
            return
        self._count_blocks()
        for rung, examine in (("region", self._region), ("differential", self._differential)):
            if not self._each(rung, examine):
                return
        for _ in range(MOST_MORE):
            # What the other rungs did not need goes where blocks are still open.
            if not self._open() or self._left() < LEAST_FOR_MORE:
                break
            if not self._fuzzed(more=True):
                return
            self._count_blocks()
        if self.ladder.wanted is not Assurance.PROVED:
            self.until = self.ladder.deadline
        self._each("proof", partial(self.rungs.proof, what))

    def _each(self, rung: str, examine: Callable[[Function, float], Examination]) -> bool:
        """A rung for one function after the other; False at the first refutation.

        One that no run ever called falls anyway, and leaves its time to the others.
        """
        called = [x for x in self.what.functions if self._may_be_called(x)]
        for function in called:
            share = 1 / len(called)
            self.ladder.say(f"examining {function[1]}: {rung}")
            self.notes[function][rung] = self._timed(rung, partial(examine, function), share)
            if self._refuted():
                return False
        return True

    def _may_be_called(self, function: Function) -> bool:
        account = self.accounts[function]
        return account.entered or bool(account.unknown)

    def _fuzzed(self, *, more: bool = False) -> bool:
        """The whole program on mutated inputs; False where that refutes it."""
        self.ladder.say(f"examining {'further' if more else 'mutated'} inputs")
        found = self._timed("fuzz", partial(self.rungs.fuzz, self.what))
        for notes in self.notes.values():
            notes["fuzz"] = _together(notes["fuzz"], found) if more else found
        return found.standing is not Standing.REFUTED

    def _open(self) -> bool:
        """Whether further inputs may help."""
        accounts = self.accounts.values()
        return any(x.entered and not x.complete and not x.unknown for x in accounts)

    def _count_blocks(self) -> None:
        counted: dict[Function, Account] = {}

        def count(seconds: float) -> Examination:
            counted.update(self.rungs.accounts(self.what, seconds))
            return skipped(_LEVELS["coverage"], "its blocks were not counted")

        done = self._timed("coverage", count)
        for function, notes in self.notes.items():
            earlier = self.accounts.get(function, Account(unknown=done.detail))
            account = counted.get(function, earlier)
            for rung, ours, theirs in self.closed[function]:
                account = account.without(rung, ours, theirs)
            self.accounts[function] = account
            notes.setdefault("coverage", done)

    def _region(self, function: Function, seconds: float) -> Examination:
        before = self.accounts[function]
        found, account = self.rungs.region(self.what, function, before, seconds)
        self._note_entered("region", function, account)
        return found

    def _differential(self, function: Function, seconds: float) -> Examination:
        before = self.accounts[function]
        found, account = self.rungs.differential(self.what, function, before, seconds)
        self._note_entered("differential", function, account)
        return found

    def _note_entered(self, rung: str, function: Function, account: Account) -> None:
        before = self.accounts[function]
        ours = set(before.baseline.gaps) - set(account.baseline.gaps)
        theirs = set(before.candidate.gaps) - set(account.candidate.gaps)
        self.closed[function].append((rung, ours, theirs))
        self.accounts[function] = account

    def _left(self) -> float:
        return self.until - time.monotonic()

    def _timed(
        self, rung: str, examine: Callable[[float], Examination], share: float = 1.0
    ) -> Examination:
        """``share``: of what the rung may take for all functions together."""
        left = self._left()
        if left < LEAST_SECONDS:
            self.counted.append(f"{rung}-no-time")
            return skipped(_LEVELS[rung], "no time was left for it", again=True)
        wished = max(self.ladder.shares.seconds(rung) * share, LEAST_SECONDS)
        return self._guarded(rung, partial(examine, min(wished, left)))

    def _guarded(self, rung: str, examine: Callable[[], Examination]) -> Examination:
        """An exception is our own fault or the machine's, never a pass."""
        started = time.monotonic()
        try:
            return replace(examine(), seconds=time.monotonic() - started)
        except Exception as error:
            self.counted.append(f"{rung}-failed")
            why = f"it failed: {type(error).__name__}: {error}"
            return skipped(_LEVELS[rung], why, again=True)

    def _refuted(self) -> bool:
        return any(
            x.standing is Standing.REFUTED for notes in self.notes.values() for x in notes.values()
        )

    def _known(self, function: Function) -> Known:
        notes, account = self.notes[function], self.accounts.get(function)
        if account is not None and not account.unknown:
            standing = Standing.PASSED if account.complete else Standing.UNKNOWN
            seconds = notes["coverage"].seconds
            notes["coverage"] = Examination(Assurance.FUZZED, standing, str(account), {}, seconds)
        for rung, examination in notes.items():
            if examination.standing is Standing.REFUTED:
                detail = f"{rung}: {examination.detail}"
                level = Assurance.TESTS
                return Known(*function, level, notes, account, refuted=rung, why=detail)
        short, why = shortfall(notes, account, self.ladder.wanted)
        return Known(*function, earned(notes, account), notes, account, short=short, why=why)


def _together(first: Examination, further: Examination) -> Examination:
    """Two rounds of one rung; a second one that came to nothing adds nothing, one that raised a
    doubt takes all away."""
    nothing = "applicable" in further.evidence or further.evidence.get("again")
    doubt = further.evidence.get("doubt") or not nothing
    if further.standing is Standing.REFUTED or (further.standing is Standing.UNKNOWN and doubt):
        return further
    if first.standing is not Standing.PASSED or further.standing is not Standing.PASSED:
        return first
    a, b = first.evidence.get("inputs"), further.evidence.get("inputs")
    if not isinstance(a, int) or not isinstance(b, int):
        return first
    detail = f"{first.detail}; then on {b} more, for blocks that were still open"
    evidence = {**first.evidence, "inputs": a + b}
    return replace(first, detail=detail, evidence=evidence, seconds=first.seconds + further.seconds)
