"""What one version of a function does, gathered over all its paths.

A forward dataflow analysis to a fixpoint, then one pass over the final states that notes whatever
might matter. Nothing is judged here: :mod:`gccllm.assurance.abi.comparison` does, for much of it
is right if the baseline does it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from iced_x86 import Mnemonic

from gccllm.asm.code import FunctionCode, Op
from gccllm.assurance.abi.accesses import note_access
from gccllm.assurance.abi.actions import Action
from gccllm.assurance.abi.exits import check_call, check_exit
from gccllm.assurance.abi.graph import Block, Graph, callee_of, graph_of, imported
from gccllm.assurance.abi.kinds import Kind
from gccllm.assurance.abi.notes import Notes
from gccllm.assurance.abi.state import ARGUMENTS, State, entry_state
from gccllm.assurance.abi.steps import Step
from gccllm.assurance.abi.subject import Subject
from gccllm.assurance.abi.transfer import SECOND, Unsupported, after_call, apply
from gccllm.assurance.abi.values import Ones, Place, Stack

__all__ = ["watch"]

_VISITS = 30
_COPYING = frozenset((Action.COPY, Action.EXCHANGE, Action.POP))
_RESULTS = ("rax", "xmm0")


def watch(name: str, subject: Subject, stops: Iterable[str] = ()) -> Notes:
    """Watch one function; ``stops`` are symbols of other objects that do not return.

    Raises Unsupported where the analysis does not cover it.
    """
    function = subject.unit.functions.get(name)
    entry = subject.entries.get(function.name) if function is not None else None
    if function is None or entry is None or entry not in function.ops:
        raise Unsupported(f"the object has no code of {name}")
    return _Watch(function, subject, graph_of(function, subject.unit, entry, stops)).run()


class _Watch:
    def __init__(self, function: FunctionCode, subject: Subject, graph: Graph) -> None:
        self.function = function
        self.subject = subject
        self.graph = graph
        self.notes = Notes()
        self.returned: dict[str, set[Place]] = {r: set() for r in _RESULTS}
        self.used: set[Place] = set()

    def run(self) -> Notes:
        states = self._fixpoint()
        for start in self.graph.order:
            if start in states:
                self._note(self.graph.blocks[start], states[start])
        for register, places in self.returned.items():
            for place in places - self.used:
                if self.subject.step(self.function.ops[place]).defines == register:
                    self.notes.results.add(register)
        return self.notes

    def _fixpoint(self) -> dict[Place, State]:
        order, blocks = self.graph.order, self.graph.blocks
        states = {self.graph.entry: entry_state()}
        heap = [(0, self.graph.entry)]
        queued = {self.graph.entry}
        budget = _VISITS * len(blocks) + 100
        while heap:
            budget -= 1
            if budget < 0:
                raise Unsupported("no fixpoint")
            start = heappop(heap)[1]
            queued.discard(start)
            block = blocks[start]
            state = states[start].copy()
            for op in block.ops:
                self._advance(self.subject.step(op), state)
            last = len(block.successors) - 1
            for number, target in enumerate(block.successors):
                after = state if number == last else state.copy()
                if target == block.falls_to:
                    after = self._equal_stack(block, after)
                if target not in states:
                    states[target] = after.copy()
                elif not states[target].absorb(after, target):
                    continue
                if target not in queued:
                    queued.add(target)
                    heappush(heap, (order[target], target))
        return states

    def _advance(self, step: Step, state: State) -> None:
        if step.action is Action.CALL:
            callee = callee_of(step.op, self.subject.unit)
            lost = None if callee is None else self.subject.clobbers(callee)
            after_call(state, lost, callee or imported(step.op) or "")
        else:
            apply(step, state)

    def _equal_stack(self, block: Block, state: State) -> State:
        """The state where "cmp %reg, %rsp; jne" did not jump: rsp is what the register holds.

        That is how loops that probe the stack end (gcc manual, -fstack-clash-protection).
        """
        if len(block.ops) < 2:
            return state
        step = self.subject.step(block.ops[-2])
        jump = self.subject.step(block.ops[-1])
        if step.mnemonic != "cmp" or jump.mnemonic != "jne":
            return state
        pair = {step.destination, step.source}
        if "rsp" not in pair or len(pair) != 2 or "" in pair:
            return state
        other = state.registers[(pair - {"rsp"}).pop()]
        if isinstance(other.value, Stack):
            state = state.copy()
            state.registers["rsp"] = other
        return state

    def _note(self, block: Block, before: State) -> None:
        state = before.copy()
        last = block.ops[-1]
        self.notes.instructions += len(block.ops)
        for op in block.ops:
            step = self.subject.step(op)
            self._note_reads(step, state)
            lost = step.flags_read & state.undefined
            for flag in sorted(lost):
                self.notes.find(Kind.FLAGS_READ, flag, step.place, f"{step.mnemonic} reads {flag}")
            needed = step.x87[0] if step.x87 is not None else 0
            if state.depth is not None and needed > state.depth and not state.called:
                self.notes.find(
                    Kind.X87_STATE, "empty", step.place, "an empty x87 register is read"
                )
            note_access(step, state, self.function, self.subject, self.notes)
            if step.action is Action.CALL:
                check_call(op, state, self.subject, self.notes)
                self._use_definitions(state)
                symbol = imported(op)
                self.notes.calls.add(callee_of(op, self.subject.unit) or symbol or "")
                if symbol:
                    returns = op is not last and not self._padded(op)
                    known = self.notes.imports.get(symbol, False)
                    self.notes.imports[symbol] = known or returns
            if op is last and block.exit is not None:
                check_exit(op, block.exit, state, self.subject, self.notes)
                if block.exit.kind == "return":
                    for register in _RESULTS:
                        self.returned[register] |= state.definitions[register]
                else:
                    self._use_definitions(state)
            self._advance(step, state)

    def _padded(self, op: Op) -> bool:
        """Whether nothing but padding comes between an instruction and a jump's target."""
        place = (op.section, op.address + op.instruction.len)
        while place not in self.graph.targets:
            following = self.function.ops.get(place)
            if following is None or following.instruction.mnemonic != Mnemonic.NOP:
                return following is None
            place = (op.section, following.address + following.instruction.len)
        return True

    def _use_definitions(self, state: State) -> None:
        for places in state.definitions.values():
            self.used |= places

    def _note_reads(self, step: Step, state: State) -> None:
        for register, bits in step.reads:
            if register in state.definitions:
                self.used |= state.definitions[register]
            cell = state.registers.get(register)
            if cell is None or not cell.junk:
                continue
            if step.lanes is not None and step.lanes == cell.value:
                continue
            if step.gather and register == step.destination:
                mask = state.registers[step.gather]
                if mask.value == Ones():
                    continue
            if self._only_moves(step, register):
                self._hand(cell.junk)
                continue
            # Of several origins one may be what the baseline reads there, too.
            certain = cell.must and len(cell.junk) == 1
            for origin in cell.junk:
                self.notes.use(origin, bits, step.place, certain=certain)

    def _only_moves(self, step: Step, register: str) -> bool:
        """Whether the register's content goes elsewhere as a whole and is not computed with."""
        memory = step.memory
        if memory is not None and register in (memory.base, memory.index):
            return False
        if step.action in _COPYING or step.mnemonic == "nop":
            return True
        if step.action is Action.STORE:
            return step.memory is not None
        return step.action is Action.PUSH

    def _hand(self, junk: frozenset[str]) -> None:
        """An argument that is stored may be read from there by someone else."""
        self.notes.handed |= {x for x in junk if x in ARGUMENTS or x.startswith(SECOND)}
