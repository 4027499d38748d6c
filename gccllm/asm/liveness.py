"""Which caller-saved registers may carry a value across a call site.

A register does when something before the call may have given it a value (forward) and something
after may read it (backward liveness). Errs on the side of yes: a call or jump out may read every
argument register, a function may be passed all of them, a partial write kills nothing. Registers
have their full names (see :mod:`gccllm.asm.code`).
"""

from __future__ import annotations

from iced_x86 import EncodingKind, FlowControl, Mnemonic, OpKind, Register

from gccllm.asm.code import CALLER_SAVED, FunctionCode, ObjectCode, Op, branch_target

__all__ = ["live_after_calls"]

_ARGUMENTS = frozenset(
    ("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax", "r10", *(f"xmm{i}" for i in range(8)))
)
_RESULTS = frozenset(("rax", "rdx", "xmm0", "xmm1"))
_WHOLE_VECTOR = frozenset(
    (
        Mnemonic.MOVAPS,
        Mnemonic.MOVAPD,
        Mnemonic.MOVUPS,
        Mnemonic.MOVUPD,
        Mnemonic.MOVDQA,
        Mnemonic.MOVDQU,
        Mnemonic.MOVD,
        Mnemonic.MOVQ,
        Mnemonic.PSHUFD,
    )
)
_SCALAR_LOADS = frozenset((Mnemonic.MOVSS, Mnemonic.MOVSD))

_Place = tuple[int, int]


def live_after_calls(function: FunctionCode, unit: ObjectCode, callee: str) -> frozenset[str]:
    """Caller-saved registers that may carry a value across a direct call of ``callee``.

    A tail jump to it leaves nothing to be read here. "x87" and "uppers" count as live wherever the
    function uses x87 or wide vector registers at all.
    """
    ops = function.ops
    successors = {place: _successors(function, op) for place, op in ops.items()}
    predecessors: dict[_Place, list[_Place]] = {}
    for place, following in successors.items():
        for target in following:
            predecessors.setdefault(target, []).append(place)
    effects = {place: _effect(op, function, unit) for place, op in ops.items()}
    live: dict[_Place, frozenset[str]] = dict.fromkeys(ops, frozenset())
    work = list(ops)
    while work:
        place = work.pop()
        after = frozenset().union(*(live[t] for t in successors[place]))
        reads, kills = effects[place]
        before = reads | (after - kills)
        if before != live[place]:
            live[place] = before
            work += predecessors.get(place, ())
    held = _held(function, unit, successors)
    always = {"uppers"} if function.wide else set()
    if any("x87" in op.writes or "x87" in op.reads for op in ops.values()):
        always.add("x87")
    found: frozenset[str] = frozenset()
    for place, op in ops.items():
        if _callee(op, unit) == callee:
            after = frozenset().union(*(live[t] for t in successors[place]))
            found = found | (after & held.get(place, frozenset())) | always
    return found & CALLER_SAVED


def _held(
    function: FunctionCode, unit: ObjectCode, successors: dict[_Place, list[_Place]]
) -> dict[_Place, frozenset[str]]:
    """Place → registers that may hold a value with a meaning there: an argument or a result."""
    entry = next((p for p, n in unit.starts.items() if n == function.name), None)
    if entry is None or entry not in function.ops:
        return dict.fromkeys(function.ops, CALLER_SAVED)
    # What a function of the unit is passed is not known; main's arguments are.
    passed = frozenset(("rdi", "rsi", "rdx")) if function.name == "main" else CALLER_SAVED
    held: dict[_Place, frozenset[str]] = {entry: passed}
    work = [entry]
    while work:
        place = work.pop()
        op = function.ops[place]
        after = held[place] | (op.writes & CALLER_SAVED)
        if op.instruction.flow_control in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
            callee = _callee(op, unit)
            lost = CALLER_SAVED if callee is None else unit.clobbers(callee)
            after = (held[place] - lost) | _RESULTS
        for target in successors[place]:
            if target not in held or not after <= held[target]:
                held[target] = held.get(target, frozenset()) | after
                work.append(target)
    return held


def _callee(op: Op, unit: ObjectCode) -> str | None:
    """The unit's function that a direct call reaches."""
    if op.instruction.flow_control != FlowControl.CALL:
        return None
    target = branch_target(op)
    return unit.starts.get(target) if target is not None else None


def _successors(function: FunctionCode, op: Op) -> list[_Place]:
    flow = op.instruction.flow_control
    following = (op.section, op.address + op.instruction.len)
    if flow in (FlowControl.RETURN, FlowControl.EXCEPTION):
        return []
    if flow == FlowControl.INDIRECT_BRANCH:
        return list(function.jumps.get(op.place, ()))
    found = [following] if following in function.ops else []
    if flow in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH):
        target = branch_target(op)
        inner = [target] if target is not None and target in function.ops else []
        return inner + (found if flow == FlowControl.CONDITIONAL_BRANCH else [])
    return found


def _effect(
    op: Op, function: FunctionCode, unit: ObjectCode
) -> tuple[frozenset[str], frozenset[str]]:
    """(registers read, registers certainly overwritten whole)."""
    flow = op.instruction.flow_control
    if flow == FlowControl.RETURN:
        return _RESULTS, frozenset()
    if flow in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
        kills = CALLER_SAVED if _callee(op, unit) is None else frozenset()
        return op.reads | _ARGUMENTS, kills
    leaves = flow in (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH) and (
        branch_target(op) not in function.ops
    )
    if leaves or (flow == FlowControl.INDIRECT_BRANCH and op.place not in function.jumps):
        return op.reads | _ARGUMENTS, frozenset()
    return op.reads, _kills(op, function)


def _kills(op: Op, function: FunctionCode) -> frozenset[str]:
    instruction = op.instruction
    if not instruction.op_count or instruction.op0_kind != OpKind.REGISTER:
        return frozenset()
    written = op.full_writes
    vectors = frozenset(r for r in written if r.startswith("xmm"))
    others = frozenset(r for r in written if not r.startswith(("xmm", "x87", "k")))
    if instruction.encoding != EncodingKind.LEGACY:
        masked = instruction.op_mask != Register.NONE
        return others | (frozenset() if masked else vectors)
    whole = instruction.mnemonic in _WHOLE_VECTOR or (
        instruction.mnemonic in _SCALAR_LOADS and instruction.op1_kind == OpKind.MEMORY
    )
    # Legacy SSE leaves the upper halves alone, which matters where the function uses them.
    return others | (vectors if whole and not function.wide else frozenset())
