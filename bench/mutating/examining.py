"""What each rung of the ladder says of one rewrite, and what the rungs earn it together.

The rungs are the product's own (gccllm.assurance.ladder), with what a link of 60 s gives each. All
are asked, also above one that refuses, so that each can be counted for itself. Where gcc has
inlined everything into main, which can't be called, nothing above 'fuzzed' is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench.mutating.workshop import Passed, Workshop
from gccllm.assurance.ladder.accounts import Account
from gccllm.assurance.ladder.earning import earned, shortfall
from gccllm.assurance.ladder.rungs import Place, ProgramRungs
from gccllm.assurance.ladder.shares import Shares
from gccllm.assurance.ladder.words import Combination, Function, Giver
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.recompile import recompile
from gccllm.sandbox import choose
from gccllm.types import Json

__all__ = ["Examiner", "Found"]

BUDGET = 60.0
_LEVELS = {"abi": Assurance.TESTS, "fuzz": Assurance.FUZZED, "region": Assurance.FUZZED}


@dataclass
class Found:
    """``rungs``: name → [standing, detail, seconds]. ``level`` is what the weakest function earns,
    ``short`` why the default ('fuzzed') is not reached, "" where it is."""

    rungs: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    complete: bool = False
    account: str = ""
    level: str = Assurance.TESTS.value
    short: str = ""
    seconds: float = 0.0

    def evidence(self) -> dict[str, Json]:
        rungs: dict[str, Json] = {k: list(v) for k, v in self.rungs.items()}
        return {
            "rungs": rungs,
            "complete": self.complete,
            "account": self.account,
            "level": self.level,
            "short": self.short,
            "seconds": round(self.seconds, 2),
        }


class Examiner:
    """Examines rewrites of one program."""

    def __init__(self, shop: Workshop, budget: float = BUDGET, *, proof: bool = True) -> None:
        scratch = shop.scratch / "ladder"
        scratch.mkdir()
        _, spec = recompile(shop.program, shop.unit, scratch, lambda line: None)
        specs = {shop.unit: spec} if spec is not None else {}
        baseline, recording = shop.judge.baseline.build, shop.judge.arena.recording
        place = Place(shop.program, baseline, recording, choose(), scratch, specs)
        self._rungs = ProgramRungs(place)
        self._shop = shop
        self._shares = Shares(budget)
        self._proof = proof

    def examine(self, passed: Passed) -> Found:
        """Never raises for what a rung does: one that breaks is unknown."""
        started = time.monotonic()
        giver = Giver(passed.candidate.text, passed.candidate.foreign)
        givers = {(self._shop.unit, x): giver for x in passed.functions}
        what = Combination(passed.admitted.texts, passed.admitted.build, givers)
        found = Found()
        rungs, seconds = self._rungs, self._shares.seconds
        abi = {x: _asked(partial(rungs.abi, what, x), "abi") for x in what.functions}
        fuzzed = _asked(lambda: rungs.fuzz(what, seconds("fuzz")), "fuzz")
        accounts: dict[Function, Account] = {}
        if fuzzed.standing is not Standing.REFUTED:
            try:
                accounts = dict(rungs.accounts(what, seconds("coverage")))
            except Exception as error:
                found.account = f"failed: {error}"
        levels, shorts = [], []
        for function in what.functions:
            account = accounts.get(function, Account(unknown="not counted"))
            notes = {"abi": abi[function], "fuzz": fuzzed}
            if self._shop.subject.apart:
                account = self._apart(what, function, account, notes)
            levels.append(earned(notes, account))
            shorts.append(shortfall(notes, account, Assurance.FUZZED))
            found.complete = account.complete
            found.account = found.account or str(account)
            for name, note in notes.items():
                worst = found.rungs.get(name)
                if worst is None or note.standing is Standing.REFUTED:
                    line = (note.standing.value, note.detail[:300], round(note.seconds, 2))
                    found.rungs[name] = line
        refuted = any(x[0] == Standing.REFUTED.value for x in found.rungs.values())
        found.level = "refuted" if refuted else min(levels, key=lambda x: x.rank).value
        found.short = next((": ".join(x) for x in shorts if x[0]), "")[:300]
        found.seconds = time.monotonic() - started
        return found

    def _apart(
        self,
        what: Combination,
        function: Function,
        account: Account,
        notes: dict[str, Examination],
    ) -> Account:
        """The rungs of one function that can be called; the account with what they entered."""
        rungs, seconds = self._rungs, self._shares.seconds
        for name, examine in (("region", rungs.region), ("differential", rungs.differential)):
            try:
                notes[name], account = examine(what, function, account, seconds(name))
            except Exception as error:
                notes[name] = _failed(name, error)
        if self._proof:
            notes["proof"] = _asked(lambda: rungs.proof(what, function, seconds("proof")), "proof")
        return account


def _asked(examine: Callable[[], Examination], name: str) -> Examination:
    try:
        return examine()
    except Exception as error:
        return _failed(name, error)


def _failed(name: str, error: Exception) -> Examination:
    level = _LEVELS.get(name, Assurance.DIFFERENTIAL)
    return Examination(level, Standing.UNKNOWN, f"it failed: {type(error).__name__}: {error}")
