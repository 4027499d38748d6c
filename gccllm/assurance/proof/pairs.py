"""Both versions side by side: each path of the baseline against all paths of the candidate.

A path of the baseline often says what some input is (a loop that ended after three rounds: its
count is three). That is put into the candidate's start, so that its own loops take few paths.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gccllm.assurance.proof.bits import bit_and
from gccllm.assurance.proof.compare import equal
from gccllm.assurance.proof.contract import Contract, differs, reachable, strays
from gccllm.assurance.proof.explore import Explorer, Path
from gccllm.assurance.proof.node import ZERO, Term, const, make
from gccllm.assurance.proof.rebuild import Replacing, solved
from gccllm.assurance.proof.state import STACK, TABLES, Access, State, conjuncts
from gccllm.assurance.proof.stepping import Stepper

__all__ = ["Goal", "Pairing", "Side", "pair_up"]

MOST_ROUNDS = 400
MORE_ROUNDS = 72
"""jumps back of a candidate on top of the baseline's; more are asked about, not walked"""
MOST_FIXED = 80


@dataclass(frozen=True)
class Side:
    """One version: its code, where it begins, where it leaves (address → exit)."""

    stepper: Stepper
    entry: int
    exits: Mapping[int, int]


@dataclass(frozen=True)
class Goal:
    """Something that must not be: ``conditions`` all true. ``rounds``: jumps back of the baseline
    on the path that it belongs to. ``touched``: what the baseline reads and writes there;
    ``fixed``: variables that stand for other terms in it. ``cut``: it says that the candidate goes
    on for long there, which need not be wrong."""

    conditions: tuple[Term, ...]
    rounds: int
    touched: tuple[Access, ...]
    fixed: Mapping[Term, Term]
    cut: bool = False


@dataclass
class Pairing:
    """``complete``: all paths of the baseline with up to so many jumps back are covered; None: all
    that there are."""

    goals: list[Goal] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    """jumps back of each path of the baseline that was paired"""
    by_rewriting: int = 0
    complete: int | None = None
    why: str = ""
    """why it is not complete"""


def pair_up(
    baseline: Side,
    candidate: Side,
    start: State,
    contracts: Mapping[int, Contract],
    feasible: Callable[[Term], bool],
    soon: float,
    deadline: float,
) -> Pairing:
    """All that would have to hold for the versions to differ. Raises Unsupported.

    Ends at ``deadline``, or ``soon`` where there is something for the solvers by then.
    """
    found = Pairing()
    explorer = Explorer(baseline.stepper, baseline.exits, feasible, deadline)
    for path in explorer.paths(baseline.entry, start.copy(), MOST_ROUNDS):
        if not _one_path(path, candidate, start, contracts, feasible, deadline, found):
            found.complete = path.state.rounds - 1
            found.why = "the candidate's paths are too many"
            return found
        found.rounds.append(path.state.rounds)
        if time.monotonic() > (soon if found.goals else deadline):
            found.complete = path.state.rounds - 1
            found.why = "out of time on the paths"
            return found
    found.complete = explorer.complete
    found.why = "the baseline's loops are cut off" if explorer.complete is not None else ""
    return found


def _one_path(
    path: Path,
    candidate: Side,
    start: State,
    contracts: Mapping[int, Contract],
    feasible: Callable[[Term], bool],
    deadline: float,
    found: Pairing,
) -> bool:
    """Adds the goals of one path of the baseline; False: the candidate was not seen to the end."""
    ours, begin, fixed = _fixed(path.state, start)
    if ours.path is ZERO:
        return True
    given = bit_and(ours.path, reachable((*ours.loads, *ours.stores)))
    candidate.stepper.traps.clear()
    explorer = Explorer(candidate.stepper, candidate.exits, feasible, deadline)
    begin.path = ours.path
    begin.rounds = 0
    wrong: list[tuple[Term, State]] = []
    for other in explorer.paths(candidate.entry, begin, path.state.rounds + MORE_ROUNDS):
        if other.exit == path.exit:
            for broken in (
                *differs(contracts[path.exit], ours, other.state),
                strays(ours, other.state),
            ):
                wrong.append((bit_and(other.state.path, broken), other.state))
        else:
            wrong.append((other.state.path, other.state))
    if explorer.complete is not None and time.monotonic() > deadline:
        return False
    cut = frozenset(explorer.cut)
    wrong += [(x, ours) for x in (*candidate.stepper.traps, *explorer.endless, *cut)]
    touched = (*ours.loads, *ours.stores)
    for condition, state in wrong:
        goal = bit_and(condition, given)
        if goal is ZERO:
            found.by_rewriting += 1
            continue
        tables = _tables(ours, state)
        found.goals.append(
            Goal((goal, *tables), path.state.rounds, touched, fixed, condition in cut)
        )
    return True


def _tables(first: State, second: State) -> tuple[Term, ...]:
    return tuple(
        equal(make("select", 8, TABLES, const(address, 64)), const(byte, 8))
        for address, byte in sorted(first.tables | second.tables)
    )


def _fixed(state: State, start: State) -> tuple[State, State, dict[Term, Term]]:
    """The path's end and the start with every variable that the path fixes in place."""
    begin = start.copy()
    fixed: dict[Term, Term] = {}
    for _ in range(MOST_FIXED):
        new = solved(conjuncts(state.path), STACK)
        if not new:
            break
        put = Replacing(new)
        state, begin = _put(put, state), _put(put, begin)
        # A variable that was put in before keeps its first meaning, in today's variables.
        fixed = {**new, **{k: put.of(v) for k, v in fixed.items()}}
    return state, begin, fixed


def _put(put: Replacing, state: State) -> State:
    def accesses(old: tuple[Access, ...]) -> tuple[Access, ...]:
        return tuple(Access(put.of(x.guard), put.of(x.address), x.size) for x in old)

    return replace(
        state,
        registers={name: put.of(term) for name, term in state.registers.items()},
        memory=put.of(state.memory),
        frame=put.of(state.frame),
        path=put.of(state.path),
        loads=accesses(state.loads),
        stores=accesses(state.stores),
    )
