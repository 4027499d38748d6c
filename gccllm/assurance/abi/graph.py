"""The control flow of one version of a function: what follows what, and where it is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iced_x86 import FlowControl

from gccllm.asm.code import FunctionCode, ObjectCode, Op, branch_target
from gccllm.asm.elf_format import SHN_UNDEF
from gccllm.asm.flow import NEVER_RETURN
from gccllm.assurance.abi.values import Place

__all__ = ["Block", "Exit", "Graph", "callee_of", "graph_of", "imported", "last_calls"]

_NEVER_RETURN = NEVER_RETURN | frozenset("__assert_perror_fail verr verrx _Unwind_Resume".split())


@dataclass(frozen=True)
class Exit:
    """A place where the function is left: ``kind`` is "return", "tail" (a jump out), "indirect"
    (a jump through a register or memory that is no jump table's), "falls" (no instruction follows),
    "nowhere" (a jump to its empty cold part) or "stop" (ud2 and its like). ``target`` is where a
    direct jump goes in this object, ``symbol`` where it goes in another one."""

    kind: str
    target: Place | None = None
    symbol: str = ""


@dataclass
class Block:
    """Instructions that run one after the other. ``exit`` is that of its last one, if any."""

    ops: list[Op]
    successors: tuple[Place, ...]
    exit: Exit | None
    falls_to: Place | None
    """where its last instruction, a conditional jump, goes when it does not jump"""


@dataclass(frozen=True)
class Graph:
    """Blocks that can be reached, by the place of their first instruction, in reverse postorder.

    ``targets``: where jumps lead within the function.
    """

    entry: Place
    blocks: Mapping[Place, Block]
    order: Mapping[Place, int]
    targets: frozenset[Place]


def imported(op: Op) -> str:
    """The symbol of another object that a direct call or jump goes to, "" for none."""
    if op.relocation is None or op.relocation.symbol.section != SHN_UNDEF:
        return ""
    return op.relocation.symbol.name


def callee_of(op: Op, unit: ObjectCode) -> str | None:
    """The object's own function that a direct call or jump goes to."""
    if op.instruction.flow_control not in _DIRECT:
        return None
    place = branch_target(op)
    return None if place is None else unit.starts.get(place)


_DIRECT = (
    FlowControl.CALL,
    FlowControl.UNCONDITIONAL_BRANCH,
    FlowControl.CONDITIONAL_BRANCH,
)
_JUMPS = (
    FlowControl.UNCONDITIONAL_BRANCH,
    FlowControl.CONDITIONAL_BRANCH,
    FlowControl.INDIRECT_BRANCH,
)
_CALLS = (FlowControl.CALL, FlowControl.INDIRECT_CALL)


def last_calls(functions: Iterable[FunctionCode]) -> frozenset[str]:
    """Symbols of other objects that don't return, for a function ends with a call of them."""
    found = set()
    for function in functions:
        for op in function.ops.values():
            if op.relocation is None or op.instruction.flow_control != FlowControl.CALL:
                continue
            if (op.section, op.address + op.instruction.len) not in function.ops:
                found.add(imported(op))
    return frozenset(found - {""})


def graph_of(
    function: FunctionCode, unit: ObjectCode, entry: Place, stops: Iterable[str] = ()
) -> Graph:
    """``stops`` are symbols of other objects that do not return, beside those known here."""
    never = _NEVER_RETURN | frozenset(stops)
    flow = {place: _next(op, function, unit, never) for place, op in function.ops.items()}
    targets = frozenset(
        target
        for place, (following, _, falls) in flow.items()
        for target in following
        if target != falls and function.ops[place].instruction.flow_control in _JUMPS
    )
    blocks: dict[Place, Block] = {}
    work = [entry]
    while work:
        start = work.pop()
        if start in blocks:
            continue
        place, ops = start, [function.ops[start]]
        while True:
            following, leaves, falls = flow[place]
            straight = len(following) == 1 and leaves is None and following[0] not in targets
            if not straight:
                break
            place = following[0]
            ops.append(function.ops[place])
        blocks[start] = Block(ops, following, leaves, falls)
        work += following
    return Graph(entry, blocks, _reverse_postorder(entry, blocks), targets)


def _next(
    op: Op, function: FunctionCode, unit: ObjectCode, never: frozenset[str]
) -> tuple[tuple[Place, ...], Exit | None, Place | None]:
    """(successors, how it leaves the function if it may, fall-through of a conditional jump)."""
    flow = op.instruction.flow_control
    following = (op.section, op.address + op.instruction.len)
    inside = following in function.ops
    if flow == FlowControl.RETURN:
        return (), Exit("return"), None
    if flow == FlowControl.EXCEPTION or op.instruction.is_invalid:
        return (), Exit("stop"), None
    if flow == FlowControl.INDIRECT_BRANCH:
        table = function.jumps.get(op.place)
        return (table, None, None) if table else ((), Exit("indirect"), None)
    if flow in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH):
        target = branch_target(op)
        own = target if target is not None and target in function.ops else None
        kind = "nowhere" if target in function.nowhere else "tail"
        out = None if own is not None else Exit(kind, target, imported(op))
        inner = (own,) if own is not None else ()
        if flow == FlowControl.UNCONDITIONAL_BRANCH:
            return inner, out, None
        if not inside:
            return inner, out or Exit("falls"), None
        return (*inner, following), out, following
    if flow in _CALLS:
        callee = callee_of(op, unit)
        returns = imported(op) not in never
        if callee is not None:
            returns = unit.functions[callee].returns
        if not returns:
            return (), Exit("stop"), None
    if not inside:
        return (), Exit("falls"), None
    return (following,), None, None


def _reverse_postorder(entry: Place, blocks: Mapping[Place, Block]) -> dict[Place, int]:
    order: list[Place] = []
    seen = {entry}
    stack = [(entry, iter(blocks[entry].successors))]
    while stack:
        place, rest = stack[-1]
        target = next((x for x in rest if x not in seen), None)
        if target is None:
            order.append(place)
            stack.pop()
        else:
            seen.add(target)
            stack.append((target, iter(blocks[target].successors)))
    return {place: number for number, place in enumerate(reversed(order))}
