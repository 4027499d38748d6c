"""One question from end to end: paths, queries, counterexamples, and what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.assurance.proof.bits import bit_and
from gccllm.assurance.proof.compare import any_of, equal
from gccllm.assurance.proof.contract import Contract, apart_from_stack
from gccllm.assurance.proof.counterexample import read_model, replay
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.explore import Explorer
from gccllm.assurance.proof.image import symbol_base
from gccllm.assurance.proof.native import Concrete
from gccllm.assurance.proof.node import Term, const
from gccllm.assurance.proof.pairs import Goal, Pairing, Side, pair_up
from gccllm.assurance.proof.smtlib import script
from gccllm.assurance.proof.solvers import Solvers, installed
from gccllm.assurance.proof.state import State
from gccllm.sandbox.base import Sandbox
from gccllm.toolchain import Toolchain
from gccllm.types import Json

__all__ = ["Expected", "Question", "examine"]

Expected = Callable[[Concrete], bool]
"""Whether a caller may ever hand over such a state."""

PATHS_SHARE = 0.45
"""of the time may go by before the solvers are asked"""
MOST_SHARE = 0.95
"""where there is nothing to ask them"""
QUICK_SECONDS = 0.8
FEASIBLE_SECONDS = 0.4
LEAST_LENGTHS = 8
"""paths of so many different lengths have to be covered by a bounded proof; less says too little"""


@dataclass(frozen=True)
class Question:
    """``guard``: code in front; what leaves it by exit 0 goes on. ``code``: address → (bytes,
    executable), for replays; ``symbols``: name → the address that stands for it there."""

    baseline: Side
    candidate: Side
    start: State
    contracts: Mapping[int, Contract]
    code: Mapping[int, tuple[bytes, bool]]
    symbols: Mapping[str, int]
    guard: Side | None = None


@dataclass
class _Work:
    solvers: Solvers
    deadline: float
    started: float
    notes: dict[str, Json] = field(default_factory=dict)

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    def report(self, standing: Standing, detail: str) -> Examination:
        counts: dict[str, Json] = dict(self.solvers.counts)
        notes = {**self.notes, "solvers": counts}
        seconds = time.monotonic() - self.started
        return Examination(Assurance.PROVED, standing, detail, notes, seconds)


def examine(
    question: Question,
    seconds: float,
    expected: Expected | None,
    tools: Toolchain,
    sandbox: Sandbox | None,
    bounds: Mapping[str, tuple[int, int]],
) -> Examination:
    """PASSED: equal on all paths, or on all with a stated number of jumps back. REFUTED: a state
    was run on which they differ. Raises SandboxError, ToolchainError."""
    started = time.monotonic()
    work = _Work(Solvers(), started + seconds, started)
    if bounds:
        work.notes["within"] = {k: f"{low:#x}..{high:#x}" for k, (low, high) in bounds.items()}
    if not installed():
        return work.report(Standing.UNKNOWN, "no solver: pip install 'gccllm[proof]'")

    def feasible(condition: Term) -> bool:
        limit = min(FEASIBLE_SECONDS, work.left)
        answers = work.solvers.quick([script([condition])], FEASIBLE_SECONDS, limit + 0.1)
        return answers[0].kind != "unsat"

    try:
        start = _guarded(question, feasible, work.deadline)
        pairing = pair_up(
            question.baseline,
            question.candidate,
            start,
            question.contracts,
            feasible,
            started + PATHS_SHARE * seconds,
            started + MOST_SHARE * seconds,
        )
    except Unsupported as error:
        return work.report(Standing.UNKNOWN, f"not supported: {error}")
    except RecursionError:
        return work.report(Standing.UNKNOWN, "not supported: terms nested too deeply")
    work.notes |= {
        "paths": len(pairing.rounds),
        "queries": len(pairing.goals),
        "by_rewriting": pairing.by_rewriting,
    }
    return _decide(question, pairing, work, expected, tools, sandbox)


def _guarded(question: Question, feasible: Callable[[Term], bool], deadline: float) -> State:
    """The start, where the guard lets control through."""
    start = question.start
    guard = question.guard
    if guard is None:
        return start
    explorer = Explorer(guard.stepper, guard.exits, feasible, deadline)
    through = [x.state.path for x in explorer.paths(guard.entry, start.copy(), 0) if x.exit == 0]
    return replace(start, path=bit_and(start.path, any_of(*through)))


def _decide(
    question: Question,
    pairing: Pairing,
    work: _Work,
    expected: Expected | None,
    tools: Toolchain,
    sandbox: Sandbox | None,
) -> Examination:
    goals = pairing.goals
    scripts = [script(x.conditions) for x in goals]
    answers = work.solvers.quick(scripts, QUICK_SECONDS, max(0.5 * work.left, 0.0))
    complete, why = pairing.complete, pairing.why
    for number in sorted(range(len(goals)), key=lambda n: goals[n].rounds):
        answer, rounds = answers[number], goals[number].rounds
        if complete is not None and rounds > complete:
            break
        if answer.kind == "unknown":
            answer = work.solvers.race(scripts[number], work.left)
        if answer.kind == "sat":
            found = _refute(question, goals[number], work, expected, tools, sandbox)
            if found is not None and not goals[number].cut:
                return found
            if found is not None and found.standing is Standing.REFUTED:
                return found
            if found is not None:
                complete, why = rounds - 1, "the candidate's loops are cut off"
                break
        if answer.kind == "unknown":
            complete, why = rounds - 1, "the solvers do not decide it in time"
            break
    if not pairing.rounds:
        return work.report(Standing.UNKNOWN, why or "no path of the baseline comes to its end")
    if complete is None:
        work.notes["bound"] = None
        return work.report(
            Standing.PASSED, f"equal on all paths ({len(pairing.rounds)} of the baseline)"
        )
    work.notes["bound"] = complete
    if len({x for x in pairing.rounds if x <= complete}) >= LEAST_LENGTHS:
        return work.report(
            Standing.PASSED, f"equal up to {complete} jumps back of the baseline; then {why}"
        )
    return work.report(Standing.UNKNOWN, f"{why}; equal up to {max(complete, 0)} jumps back only")


def _refute(
    question: Question,
    goal: Goal,
    work: _Work,
    expected: Expected | None,
    tools: Toolchain,
    sandbox: Sandbox | None,
) -> Examination | None:
    """What comes of a goal that can be met; None: only by a stack that there can't be."""
    rsp = question.start.registers["rsp"]
    above = question.baseline.stepper.private_above
    goal = replace(goal, conditions=(*goal.conditions, apart_from_stack(goal.touched, rsp, above)))
    asked = script(goal.conditions)
    answer = work.solvers.race(asked, max(work.left, 2.0))
    if answer.kind == "unsat":
        return None
    if question.symbols and answer.kind == "sat":
        # The same with every symbol where its code can be run.
        places = tuple(
            equal(symbol_base(name), const(address, 64))
            for name, address in question.symbols.items()
        )
        goal = replace(goal, conditions=(*goal.conditions, *places))
        asked = script(goal.conditions)
        answer = work.solvers.race(asked, max(work.left, 2.0))
    if answer.kind != "sat":
        return work.report(Standing.UNKNOWN, "a counterexample that can't be placed")
    model = read_model(asked, answer, goal, question.start)
    if not model.holds:
        return _not_replayed(work, f"{answer.solver}'s model does not hold")
    if expected is not None and not expected(model.state):
        work.notes["state"] = str(model.state)
        return work.report(Standing.UNKNOWN, "differs outside observed inputs")
    entries = (question.baseline.entry, question.candidate.entry)
    exits = {**question.baseline.exits, **question.candidate.exits}
    found = replay(tools, sandbox, question.code, entries, exits, question.contracts, model)
    work.notes["state"] = str(found.state)
    if not found.differs:
        return _not_replayed(work, found.why)
    work.notes["difference"] = found.differs
    return work.report(Standing.REFUTED, f"{found.differs}; from {found.state}")


def _not_replayed(work: _Work, why: str) -> Examination:
    work.notes["not_replayed"] = 1
    return work.report(Standing.UNKNOWN, f"counterexample does not replay: {why}")
