"""Walk a function with what is known of its registers; what the walk never enters nothing enters.

Forward, from the function's entry with nothing known, over all paths that the conditions of its
jumps do not contradict. A label that anything but a direct jump of the function names counts as an
entry, too. A call leaves nothing known but the registers that callees keep, and no knowledge of
memory is kept.

It is taken for granted that a call returns behind itself and that a pointer to code is used as it
is: what writes over return addresses or counts on from them the ABI check refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from iced_x86 import FlowControl

from gccllm.asm.code import ObjectCode, Op, branch_target
from gccllm.asm.flow import NEVER_RETURN
from gccllm.asm.line_code import LineCode, line_code
from gccllm.asm.lines import Line
from gccllm.asm.unit import Unit
from gccllm.assurance.unreachable.cases import impossible
from gccllm.assurance.unreachable.mentions import Mention, mentions, plain
from gccllm.assurance.unreachable.state import State, joined, refined
from gccllm.assurance.unreachable.steps import step

__all__ = ["Unreachable"]

KEPT = frozenset("rbx rbp r12 r13 r14 r15".split())
"""registers that a callee gives back as they were (System V psABI, section 3.2.1)"""
RESERVED = NEVER_RETURN - {"err", "errx", "pthread_exit"}
"""a program may not have functions of its own by these names (C17, section 7.1.3)"""
MOST_VISITS = 3
"""of a place by each way before bounds that still move are given up"""
MOST_STEPS = 50_000
_JUMPS = (FlowControl.CONDITIONAL_BRANCH, FlowControl.UNCONDITIONAL_BRANCH)
_OTHERS = (
    FlowControl.NEXT,
    FlowControl.INDIRECT_CALL,
    FlowControl.RETURN,
    FlowControl.EXCEPTION,
)
_Place = tuple[int, int]


class Unreachable:
    """What nothing can enter in the functions of one unit. ``code``: of the object that is
    assembled from that very unit. ``trusted``: it is gcc's own, and jumps that are computed go
    where the function's tables say; else no function with such jumps is understood."""

    def __init__(self, unit: Unit, code: ObjectCode, *, trusted: bool) -> None:
        self._unit = unit
        self._code = code
        self._trusted = trusted
        self._mentions = mentions(unit)
        self._known: dict[tuple[str, frozenset[int]], frozenset[int]] = {}

    def lines(self, name: str, asked: Collection[int] = ()) -> frozenset[int]:
        """Lines of the unit's text, counted from 1, whose instructions nothing can enter, whatever
        the function is called with. Empty where the function is not understood. The ways to lines
        that are ``asked`` for are looked at more closely, which takes longer."""
        key = name, frozenset(asked)
        if key not in self._known:
            self._known[key] = self._found(*key)
        return self._known[key]

    def _found(self, name: str, asked: Collection[int]) -> frozenset[int]:
        unit = self._unit
        if self._mentions is None or name not in unit.functions:
            return frozenset()
        graph = line_code(unit, name, self._code)
        if graph is None or not graph.ops or not plain(unit, graph.function):
            return frozenset()
        inside = {x for x in graph.code.ops if x[0] != graph.ops[0].section}
        inside.update(x.place for x in graph.ops)
        if not all(self._is_followed(graph, x, inside) for x in range(len(graph.ops))):
            return frozenset()
        entries = {0, *self._entries(graph, self._mentions)}
        known = _entered(graph, entries)
        if known is None:
            return frozenset()
        closed = set(_closed(graph, entries, known, {x - 1 for x in asked}))
        again = _entered(graph, entries, closed) if closed else known
        entered = known if again is None else again
        return frozenset(graph.lines[x] + 1 for x in range(len(graph.ops)) if x not in entered)

    def _is_followed(self, graph: LineCode, node: int, inside: Collection[_Place]) -> bool:
        """Whether it is seen where control goes from here: on, out, or to one of the instructions
        ``inside``. What jumps into padding or the middle of an instruction does not."""
        op = graph.ops[node]
        flow = op.instruction.flow_control
        if flow == FlowControl.INDIRECT_BRANCH:
            return self._trusted and not graph.leaves[node]
        if flow not in _JUMPS and flow != FlowControl.CALL:
            return flow in _OTHERS
        place = branch_target(op)
        return place is None or place in self._code.starts or (flow in _JUMPS and place in inside)

    def _entries(self, graph: LineCode, mentioned: Sequence[Mention]) -> Iterator[int]:
        """Instructions behind labels that something else than a direct jump of the function, or a
        table that it jumps through, names."""
        own = set(graph.lines)
        computed = [x for x in range(len(graph.ops)) if graph.is_computed_jump(x)]
        through = {target for node in computed for target in graph.successors[node]}
        for line, label, jump in mentioned:
            node = graph.labels.get(label, len(graph.ops))
            followed = jump and line in own
            table = self._unit.kinds[line] is Line.DIRECTIVE and node in through
            if node < len(graph.ops) and not followed and not table:
                yield node


def _closed(
    graph: LineCode, entries: Collection[int], known: Mapping[int, State], asked: Collection[int]
) -> Iterator[tuple[int, int]]:
    """Ways of conditional jumps to lines that are asked for which no case takes."""
    for node in sorted(known):
        if not graph.ops[node].instruction.is_jcc_short_or_near or len(graph.successors[node]) != 2:
            continue
        for target in graph.successors[node]:
            wanted = target in known and graph.lines[_goal(graph, target)] in asked
            if wanted and impossible(graph, known, entries, node, target):
                yield node, target


def _goal(graph: LineCode, node: int) -> int:
    """Where control comes to from a jump that stands alone."""
    flow = graph.ops[node].instruction.flow_control
    if flow == FlowControl.UNCONDITIONAL_BRANCH and len(graph.successors[node]) == 1:
        return graph.successors[node][0]
    return node


def _entered(
    graph: LineCode, entries: set[int], closed: Collection[tuple[int, int]] = ()
) -> dict[int, State] | None:
    """All instructions that the walk comes to, and what holds in front of each; None, where it
    takes too long. Nothing goes the ways (from, to) that are ``closed``."""
    meetings = entries | {x for x, ways in enumerate(graph.predecessors) if len(ways) != 1}
    known: dict[int, State] = dict.fromkeys(entries, State())
    visits: Counter[int] = Counter()
    queue = sorted(entries)
    for _ in range(MOST_STEPS):
        if not queue:
            return known
        node = heappop(queue)
        for target, after in _followed_by(graph, node, known[node]):
            if (node, target) in closed:
                continue
            both = after
            if target in meetings:
                visits[target] += 1
                before = known.get(target)
                widen = visits[target] > MOST_VISITS * len(graph.predecessors[target])
                both = joined(before, after, widen=widen)
                if both == before:
                    continue
            known[target] = both
            if target not in queue:
                heappush(queue, target)
    return None


def _followed_by(graph: LineCode, node: int, state: State) -> Iterator[tuple[int, State]]:
    """Where control may go from an instruction, and what is known there."""
    op, following = graph.ops[node], graph.successors[node]
    instruction = op.instruction
    if graph.is_call(node):
        following = () if _ends(op) else following
        after = state.after_call(KEPT)
    elif instruction.flow_control != FlowControl.CONDITIONAL_BRANCH:
        after = step(state, op, graph.effects[node])
    elif instruction.is_jcc_short_or_near and len(following) == 2:
        for target in following:
            found = refined(state, instruction.condition_code, target != node + 1)
            if found is not None:
                yield target, found
        return
    else:  # loop and jrcxz, a jump out or to the next instruction
        after = state.without(graph.effects[node].writes)
    for target in following:
        yield target, after


def _ends(op: Op) -> bool:
    """Whether a call never comes back."""
    symbol = op.relocation.symbol if op.relocation is not None else None
    return symbol is not None and not symbol.section and symbol.name in RESERVED
