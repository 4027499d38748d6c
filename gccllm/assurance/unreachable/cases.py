"""Ways that no number can take, found by telling cases apart.

A walk keeps one range for each register, whichever way a conditional move went. Here the straight
piece of code in front of a jump is followed once more, with a case of its own
for each outcome of a conditional move, and with what registers have to do with one another: copies
and negatives. So ``x = a < 0 ? -a : a`` that was made without a jump is seen to have no sign.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from iced_x86 import ConditionCode, FlowControl, Mnemonic

from gccllm.asm.code import Op
from gccllm.asm.effects import Effect
from gccllm.asm.line_code import LineCode
from gccllm.assurance.unreachable.ranges import Range, lowest, met, rest
from gccllm.assurance.unreachable.state import (
    WIDTHS,
    Compared,
    State,
    normal,
    refined,
    without_number,
)
from gccllm.assurance.unreachable.steps import CHOICES, EXTENSIONS, register_operand, step

__all__ = ["impossible"]

LENGTHS = (8, 16, 32, 48)
"""instructions in front of a jump that are followed; a few often do"""
MOST_CASES = 48
ROUNDS = 4
"""of saying what one register says of another one"""
_STRAIGHT = (FlowControl.NEXT, FlowControl.UNCONDITIONAL_BRANCH)


@dataclass(frozen=True)
class _Link:
    """The low ``bits`` of one register are those of the other one, or their negative."""

    one: str
    other: str
    bits: int
    negative: bool = False

    def beside(self, register: str) -> str:
        return self.other if register == self.one else self.one


@dataclass(frozen=True)
class _Case:
    """``holes``: (register, bits, what these low bits are not, as an unsigned number)."""

    state: State
    links: frozenset[_Link] = frozenset()
    holes: frozenset[tuple[str, int, int]] = frozenset()


def impossible(
    graph: LineCode, known: Mapping[int, State], entries: Collection[int], node: int, target: int
) -> bool:
    """Whether the conditional jump ``node`` never leads to its successor ``target``.

    ``known``: what holds in front of each instruction, whatever the function was called with.
    ``entries``: where control may come from elsewhere.
    """
    window = _window(graph, entries, node)
    for length in LENGTHS:
        path = [*window[-length:], node, target]
        cases = _followed(graph, path, known[path[0]])
        if cases is None:
            return False
        if not cases:
            return True
        if length >= len(window):
            return False
    return False


def _window(graph: LineCode, entries: Collection[int], node: int) -> list[int]:
    """The instructions that control comes through to a node, in order, back to where ways meet."""
    found: list[int] = []
    while len(found) < LENGTHS[-1] and node not in entries and len(graph.predecessors[node]) == 1:
        (node,) = graph.predecessors[node]
        if not _is_followed(graph, node):
            break
        found.append(node)
    return found[::-1]


def _is_followed(graph: LineCode, node: int) -> bool:
    instruction = graph.ops[node].instruction
    jumps = instruction.is_jcc_short_or_near and len(graph.successors[node]) == 2
    return jumps or instruction.flow_control in _STRAIGHT


def _followed(graph: LineCode, path: Sequence[int], known: State) -> list[_Case] | None:
    """The cases in which control goes along the path; None where there are too many."""
    cases = [_Case(known)]
    for node, following in pairwise(path):
        op = graph.ops[node]
        after: list[_Case] = []
        for case in cases:
            if op.instruction.is_jcc_short_or_near:
                jumped = following != node + 1
                found = _refined(case, op.instruction.condition_code, jumped)
                after += [] if found is None else [found]
            else:
                after += _stepped(case, op, graph.effects[node])
        cases = []
        for case in after:
            if case not in cases:
                cases.append(case)
        if len(cases) > MOST_CASES:
            return None
    return cases


def _stepped(case: _Case, op: Op, effect: Effect) -> Iterator[_Case]:
    instruction = op.instruction
    target, source = register_operand(instruction, 0), register_operand(instruction, 1)
    if instruction.mnemonic not in CHOICES or target is None or target[1] < 32:
        yield _written(case, op, effect)
        return
    condition = instruction.condition_code
    moved, kept = _refined(case, condition, True), _refined(case, condition, False)
    if moved is not None:
        yield _copied(moved, target, source, step(moved.state, op, effect))
    if kept is not None:
        yield _copied(kept, target, target, step(kept.state, op, effect))


def _written(case: _Case, op: Op, effect: Effect) -> _Case:
    """Behind an instruction that is no conditional move."""
    instruction = op.instruction
    target, source = register_operand(instruction, 0), register_operand(instruction, 1)
    after = step(case.state, op, effect)
    if target is not None and instruction.mnemonic == Mnemonic.NEG:
        return _copied(case, target, target, after, negative=True)
    copies = instruction.mnemonic == Mnemonic.MOV or instruction.mnemonic in EXTENSIONS
    if target is not None and source is not None and copies:
        return _copied(case, target, source, after)
    return replace(_without(case, effect.writes), state=after)


def _without(case: _Case, registers: Collection[str]) -> _Case:
    """These hold anything now."""
    links = frozenset(x for x in case.links if x.one not in registers and x.other not in registers)
    holes = frozenset(x for x in case.holes if x[0] not in registers)
    return replace(case, links=links, holes=holes)


def _copied(
    case: _Case,
    target: tuple[str, int],
    source: tuple[str, int] | None,
    after: State,
    *,
    negative: bool = False,
) -> _Case:
    """The low bits of ``target`` are now what those of ``source`` were, or their negative.
    ``after``: with all else that is known of the target."""
    name = target[0]
    left = replace(_without(case, {name}), state=after)
    if source is None:
        return left
    of, bits = source[0], min(source[1], target[1])
    links = {
        _Link(name, x.beside(of), min(bits, x.bits), x.negative != negative)
        for x in case.links
        if of in (x.one, x.other) and x.beside(of) != name
    }
    if of != name:
        links.add(_Link(name, of, bits, negative))
    state = after
    for width in (x for x in WIDTHS if x <= bits):
        known = _said(case.state.known(of, width), negative)
        both = met(state.known(name, width), **_bounds(known))
        if both is not None and not both.is_whole:
            state = state.with_range(name, both)
    holes = {(name, *x[1:]) for x in case.holes if x[0] == of and x[1] <= bits and not negative}
    return _Case(state, left.links | links, left.holes | holes)


def _said(known: Range, negative: bool) -> Range:
    """Of a register, by what is known of one that it is linked to."""
    return rest(lowest(known.bits, 0, 0), known) if negative else known


def _bounds(known: Range) -> dict[str, int]:
    return {"low": known.low, "high": known.high, "least": known.least, "most": known.most}


def _refined(case: _Case, condition: int, holds: bool) -> _Case | None:
    """With a condition known to hold or not; None where that can't be."""
    state = refined(case.state, condition, holds)
    if state is None:
        return None
    holes, compared = case.holes, case.state.compared
    unequal = normal(condition, holds) == (ConditionCode.E, False)
    if unequal and isinstance(compared, Compared):
        number = compared.number & ((1 << compared.bits) - 1)
        holes |= {(compared.register, compared.bits, number)}
    return _settled(replace(case, state=state, holes=holes))


def _settled(case: _Case) -> _Case | None:
    """With what holes and links say of the ranges."""
    state = case.state
    for _ in range(ROUNDS):
        before = state
        for register, bits, number in case.holes:
            known = state.known(register, bits)
            found = without_number(known, number)
            if found is None:
                return None
            state = state if found == known else state.with_range(register, found)
        for link in case.links:
            told = _told(state, link)
            if told is None:
                return None
            state = told
        if state == before:
            break
    return replace(case, state=state)


def _told(state: State, link: _Link) -> State | None:
    """What the two registers of a link say of each other."""
    for width in (x for x in WIDTHS if x <= link.bits):
        for one, other in ((link.one, link.other), (link.other, link.one)):
            known = state.known(other, width)
            found = met(known, **_bounds(_said(state.known(one, width), link.negative)))
            if found is None:
                return None
            state = state if found == known else state.with_range(other, found)
    return state
