"""A function's text lines and its decoded instructions, one to one, as a control-flow graph.

Nodes are instructions, numbered in the order of the lines. What .p2align inserts is decoded too and
skipped here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from iced_x86 import FlowControl, Mnemonic

from gccllm.asm.code import FunctionCode, ObjectCode, Op, branch_target
from gccllm.asm.effects import Effect, effect_of
from gccllm.asm.lines import Line, label_of, split_statement
from gccllm.asm.unit import Function, Unit

__all__ = ["LineCode", "line_code"]

_CALLS = (FlowControl.CALL, FlowControl.INDIRECT_CALL)
_LEAVING = (FlowControl.RETURN, FlowControl.EXCEPTION)


@dataclass(frozen=True)
class LineCode:
    """``lines[i]`` is the unit's line of instruction i, ``ops[i]`` its decoded form, ``effects[i]``
    what it does. ``successors[i]`` are instructions of the same part; ``leaves[i]`` says that
    control may also leave it there. A cold part in a section of its own is not included.
    """

    function: Function
    code: FunctionCode
    lines: tuple[int, ...]
    ops: tuple[Op, ...]
    effects: tuple[Effect, ...]
    successors: tuple[tuple[int, ...], ...]
    leaves: tuple[bool, ...]
    labels: dict[str, int]
    """local label → the first instruction behind it; len(ops) when there is none"""
    cold: frozenset[int]
    """instructions that jump into the function's cold part, which is not looked at"""

    @cached_property
    def predecessors(self) -> tuple[tuple[int, ...], ...]:
        found: list[list[int]] = [[] for _ in self.ops]
        for node, following in enumerate(self.successors):
            for target in following:
                found[target].append(node)
        return tuple(tuple(x) for x in found)

    def is_call(self, node: int) -> bool:
        return self.ops[node].instruction.flow_control in _CALLS

    def is_return(self, node: int) -> bool:
        return self.ops[node].instruction.flow_control in _LEAVING

    def is_computed_jump(self, node: int) -> bool:
        return self.ops[node].instruction.flow_control == FlowControl.INDIRECT_BRANCH

    def ends_flow(self, node: int) -> bool:
        """True when control never falls through to the next line."""
        flow = self.ops[node].instruction.flow_control
        return flow in (*_LEAVING, FlowControl.UNCONDITIONAL_BRANCH, FlowControl.INDIRECT_BRANCH)


def line_code(unit: Unit, name: str, code: ObjectCode) -> LineCode | None:
    """The graph of a function, None where text and object can't be matched.

    Raises KeyError for a name that the unit lacks.
    """
    function = unit.functions[name]
    decoded = code.functions.get(name)
    entry = next((p for p, n in code.starts.items() if code.functions.get(n) is decoded), None)
    if decoded is None or entry is None or function.obstacles:
        return None
    if any(i for i in function.indices() if unit.kinds[i] is Line.APP):
        return None
    paired = _pair(unit, function, decoded, entry[0])
    if paired is None:
        return None
    lines, ops, labels = paired
    index = {op.place: node for node, op in enumerate(ops)}
    successors: list[tuple[int, ...]] = []
    leaves: list[bool] = []
    for node, op in enumerate(ops):
        following, leaving = _flow(op, node, len(ops), index, decoded)
        successors.append(following)
        leaves.append(leaving)
    return LineCode(
        function,
        decoded,
        lines,
        ops,
        tuple(effect_of(op) for op in ops),
        tuple(successors),
        tuple(leaves),
        labels,
        frozenset(n for n, op in enumerate(ops) if _goes_cold(op, index, decoded)),
    )


def _pair(
    unit: Unit, function: Function, decoded: FunctionCode, section: int
) -> tuple[tuple[int, ...], tuple[Op, ...], dict[str, int]] | None:
    queue = sorted(
        (op for op in decoded.ops.values() if op.section == section), key=lambda op: op.address
    )
    at = 0
    lines: list[int] = []
    ops: list[Op] = []
    labels: dict[str, int] = {}
    for index in function.indices():
        kind = unit.kinds[index]
        if unit.sections[index] != function.section:
            continue
        if kind is Line.LABEL:
            labels[label_of(unit.lines[index]) or ""] = len(ops)
        elif kind is Line.INSTRUCTION:
            word = split_statement(unit.lines[index])[0].split()
            if not word or not word[-1].startswith("nop"):
                while at < len(queue) and _is_padding(queue[at]):
                    at += 1
            if at >= len(queue):
                return None
            lines.append(index)
            ops.append(queue[at])
            at += 1
    if any(not _is_padding(op) for op in queue[at:]):
        return None
    return tuple(lines), tuple(ops), labels


def _goes_cold(op: Op, index: dict[tuple[int, int], int], decoded: FunctionCode) -> bool:
    flow = op.instruction.flow_control
    if flow == FlowControl.INDIRECT_BRANCH:
        return any(t not in index for t in decoded.jumps.get(op.place, ()))
    if flow not in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH):
        return False
    place = branch_target(op)
    return place is not None and place not in index and place in decoded.ops


def _is_padding(op: Op) -> bool:
    instruction = op.instruction
    return instruction.mnemonic == Mnemonic.NOP or (
        instruction.mnemonic == Mnemonic.XCHG
        and instruction.len == 2
        and instruction.op0_register == instruction.op1_register
    )


def _flow(
    op: Op, node: int, count: int, index: dict[tuple[int, int], int], decoded: FunctionCode
) -> tuple[tuple[int, ...], bool]:
    flow = op.instruction.flow_control
    following = (node + 1,) if node + 1 < count else ()
    if flow in _LEAVING:
        return (), True
    if flow == FlowControl.INDIRECT_BRANCH:
        targets = decoded.jumps.get(op.place, ())
        inside = tuple(index[t] for t in targets if t in index)
        return inside, len(inside) < max(len(targets), 1)
    if flow in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH):
        place = branch_target(op)
        target = index.get(place) if place is not None else None
        inner = () if target is None else (target,)
        through = following if flow == FlowControl.CONDITIONAL_BRANCH else ()
        return tuple(dict.fromkeys(inner + through)), target is None
    return following, False
