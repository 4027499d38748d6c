"""Forward dataflow over one function: callee-saved registers, rsp, vector state, direction flag.

An abstract value is where a register's content comes from: ("entry", register) as at entry,
("stack", offset) the address rsp-at-entry + offset, None anything. A function that the analysis
does not cover (rsp unknown, an unresolved jump, no fixpoint) yields no findings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from iced_x86 import (
    FlowControl,
    Instruction,
    MemorySizeExt,
    Mnemonic,
    OpKind,
    RegisterExt,
)

from gccllm.asm.code import FunctionCode, ObjectCode, Op, branch_target, register_name

__all__ = ["NEVER_RETURN", "Finding", "findings"]

Finding = tuple[str, str]
"""(kind, one line of detail); kinds: callee-saved, stack-balance, direction-flag, vzeroupper"""

_Value = tuple[str, "str | int"] | None
_CALLEE_SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")
_GENERAL = (*_CALLEE_SAVED, *"rax rcx rdx rsi rdi rsp r8 r9 r10 r11".split())
NEVER_RETURN = frozenset(
    "abort exit _exit _Exit __assert_fail __stack_chk_fail __fortify_fail __chk_fail longjmp "
    "_longjmp siglongjmp __longjmp_chk err errx pthread_exit quick_exit".split()
)
_MOVES = frozenset((Mnemonic.MOV, Mnemonic.MOVQ, Mnemonic.VMOVQ))


class _Unsupported(Exception):
    pass


@dataclass(frozen=True)
class _State:
    registers: dict[str, _Value]
    stack: dict[int, _Value]
    upper: bool

    def join(self, other: _State) -> _State:
        return _State(
            {k: (v if other.registers.get(k) == v else None) for k, v in self.registers.items()},
            {k: v for k, v in self.stack.items() if k in other.stack and other.stack[k] == v},
            self.upper or other.upper,
        )


def findings(function: FunctionCode, unit: ObjectCode) -> list[Finding]:
    """What one function gets wrong; [] also where the analysis does not cover it."""
    try:
        return _Flow(function, unit).run()
    except _Unsupported:
        return []


class _Flow:
    def __init__(self, function: FunctionCode, unit: ObjectCode) -> None:
        self.function = function
        self.unit = unit
        self.found: dict[Finding, None] = {}

    def run(self) -> list[Finding]:
        entry = next((p for p, n in self.unit.starts.items() if n == self.function.name), None)
        if entry is None or entry not in self.function.ops:
            return []
        registers: dict[str, _Value] = {r: ("entry", r) for r in _GENERAL}
        registers["rsp"] = ("stack", 0)
        states = {entry: _State(registers, {}, False)}
        work = deque([entry])
        budget = 40 * len(self.function.ops) + 1000
        while work:
            budget -= 1
            if budget < 0:
                raise _Unsupported
            place = work.popleft()
            after, successors = self._step(self.function.ops[place], states[place])
            for target in successors:
                joined = states[target].join(after) if target in states else after
                if target not in states or joined != states[target]:
                    states[target] = joined
                    work.append(target)
        self.found.clear()
        for place, state in states.items():
            self._judge(self.function.ops[place], state)
        return list(self.found)

    def _step(self, op: Op, state: _State) -> tuple[_State, list[tuple[int, int]]]:
        instruction = op.instruction
        following = (op.section, op.address + instruction.len)
        flow = instruction.flow_control
        successors = [following] if following in self.function.ops else []
        if flow in (FlowControl.RETURN, FlowControl.EXCEPTION):
            return state, []
        if flow == FlowControl.INDIRECT_BRANCH:
            return state, list(self.function.jumps.get(op.place, ()))
        if flow in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH):
            target = self._target(op)
            inner = [target] if target is not None else []
            return state, inner + (successors if flow == FlowControl.CONDITIONAL_BRANCH else [])
        if flow in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
            return self._after_call(state), [] if self._never_returns(op) else successors
        if flow not in (FlowControl.NEXT, FlowControl.INTERRUPT):
            raise _Unsupported
        return self._transfer(op, state), successors

    def _target(self, op: Op) -> tuple[int, int] | None:
        """The place inside the function that a direct branch goes to, None outside of it."""
        place = branch_target(op)
        return place if place is not None and place in self.function.ops else None

    def _never_returns(self, op: Op) -> bool:
        if op.relocation is not None and op.relocation.symbol.section == 0:
            return op.relocation.symbol.name in NEVER_RETURN
        place = branch_target(op)
        callee = self.unit.functions.get(self.unit.starts.get(place or (0, 0), ""))
        return callee is not None and not callee.returns

    @staticmethod
    def _after_call(state: _State) -> _State:
        registers = {
            k: (v if k in _CALLEE_SAVED or k == "rsp" else None) for k, v in state.registers.items()
        }
        return _State(registers, state.stack, False)

    def _transfer(self, op: Op, state: _State) -> _State:
        registers = dict(state.registers)
        stack = dict(state.stack)
        instruction = op.instruction
        mnemonic = instruction.mnemonic
        sp = registers["rsp"]
        destination = _operand_register(instruction, 0)
        source = _operand_register(instruction, 1)
        results: dict[str, _Value] = dict.fromkeys(op.writes & set(_GENERAL))
        if mnemonic == Mnemonic.PUSH:
            offset = _offset(sp) - 8
            results["rsp"] = ("stack", offset)
            _forget(stack, offset, 8)
            stack[offset] = registers[destination] if destination else None
        elif mnemonic == Mnemonic.POP:
            offset = _offset(sp)
            results["rsp"] = ("stack", offset + 8)
            if destination:
                results[destination] = stack.get(offset)
        elif mnemonic == Mnemonic.LEAVE:
            offset = _offset(registers["rbp"])
            results["rbp"] = stack.get(offset)
            results["rsp"] = ("stack", offset + 8)
        elif mnemonic in _MOVES and instruction.op_count == 2:
            wide = _is_64(instruction)
            if destination and source:
                results[destination] = registers[source] if wide else None
            elif destination and instruction.op1_kind == OpKind.MEMORY:
                offset_or_none = _address(instruction, registers)
                if wide and offset_or_none is not None:
                    results[destination] = stack.get(offset_or_none)
            elif instruction.op0_kind == OpKind.MEMORY:
                self._store(instruction, registers, stack)
                offset_or_none = _address(instruction, registers)
                if source and wide and offset_or_none is not None:
                    stack[offset_or_none] = registers[source]
        elif mnemonic == Mnemonic.XCHG and destination and source and _is_64(instruction):
            results[destination] = registers[source]
            results[source] = registers[destination]
        elif mnemonic == Mnemonic.LEA and destination and _is_64(instruction):
            offset_or_none = _address(instruction, registers)
            results[destination] = None if offset_or_none is None else ("stack", offset_or_none)
        elif mnemonic in (Mnemonic.ADD, Mnemonic.SUB) and destination and _is_64(instruction):
            value = registers[destination]
            amount = _immediate(instruction)
            if value is not None and value[0] == "stack" and amount is not None:
                sign = 1 if mnemonic == Mnemonic.ADD else -1
                results[destination] = ("stack", int(value[1]) + sign * amount)
        elif instruction.op_count and instruction.op0_kind == OpKind.MEMORY:
            self._store(instruction, registers, stack)
        registers.update(results)
        upper = state.upper
        if mnemonic in (Mnemonic.VZEROUPPER, Mnemonic.VZEROALL):
            upper = False
        elif _writes_wide(instruction):
            upper = True
        return _State(registers, stack, upper)

    @staticmethod
    def _store(
        instruction: Instruction, registers: dict[str, _Value], stack: dict[int, _Value]
    ) -> None:
        if instruction.mnemonic in (Mnemonic.CMP, Mnemonic.TEST, Mnemonic.NOP, Mnemonic.BT):
            return
        offset = _address(instruction, registers)
        if offset is not None:
            _forget(stack, offset, MemorySizeExt.size(instruction.memory_size) or 64)

    def _judge(self, op: Op, state: _State) -> None:
        instruction = op.instruction
        flow = instruction.flow_control
        if instruction.mnemonic == Mnemonic.STD:
            self.found[("direction-flag", "std")] = None
        leaves = flow == FlowControl.RETURN
        if flow == FlowControl.INDIRECT_BRANCH:
            leaves = op.place not in self.function.jumps
        elif flow in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH):
            leaves = self._target(op) is None
        calls = flow in (FlowControl.CALL, FlowControl.INDIRECT_CALL)
        if (leaves or calls) and state.upper:
            self.found[("vzeroupper", "upper halves are dirty at a call or return")] = None
        if not leaves:
            return
        if state.registers["rsp"] is None:
            raise _Unsupported
        if state.registers["rsp"] != ("stack", 0):
            self.found[("stack-balance", f"rsp is off by {state.registers['rsp'][1]}")] = None
        for register in _CALLEE_SAVED:
            if state.registers[register] != ("entry", register):
                self.found[("callee-saved", f"{register} is not restored")] = None


def _operand_register(instruction: Instruction, index: int) -> str | None:
    if instruction.op_count <= index or instruction.op_kind(index) != OpKind.REGISTER:
        return None
    name = register_name(instruction.op_register(index))
    return name if name in _GENERAL else None


def _is_64(instruction: Instruction) -> bool:
    for index in range(min(instruction.op_count, 2)):
        if instruction.op_kind(index) == OpKind.REGISTER:
            return RegisterExt.size(instruction.op_register(index)) == 8
    return False


def _immediate(instruction: Instruction) -> int | None:
    kind = instruction.op1_kind
    if kind in (OpKind.IMMEDIATE8TO64, OpKind.IMMEDIATE32TO64, OpKind.IMMEDIATE64):
        value = instruction.immediate(1)
        return value - (1 << 64) if value >= 1 << 63 else value
    return None


def _offset(value: _Value) -> int:
    if value is None or value[0] != "stack":
        raise _Unsupported
    return int(value[1])


def _address(instruction: Instruction, registers: dict[str, _Value]) -> int | None:
    """The stack offset of the memory operand, where it is known."""
    if register_name(instruction.memory_index) is not None:
        return None
    base = register_name(instruction.memory_base)
    value = registers.get(base) if base else None
    if value is None or value[0] != "stack":
        return None
    displacement = instruction.memory_displacement
    return int(value[1]) + (displacement - (1 << 64) if displacement >= 1 << 63 else displacement)


def _forget(stack: dict[int, _Value], offset: int, size: int) -> None:
    for key in [k for k in stack if offset - 8 < k < offset + size]:
        del stack[key]


def _writes_wide(instruction: Instruction) -> bool:
    if not instruction.op_count or instruction.op0_kind != OpKind.REGISTER:
        return False
    register = instruction.op0_register
    return RegisterExt.is_ymm(register) or RegisterExt.is_zmm(register)
