"""What has to hold where a function calls, and where it is left."""

from __future__ import annotations

from iced_x86 import FlowControl

from gccllm.asm.code import Op
from gccllm.assurance.abi.graph import Exit, callee_of, imported
from gccllm.assurance.abi.kinds import Kind
from gccllm.assurance.abi.notes import Notes, Sight
from gccllm.assurance.abi.state import ARGUMENTS, CALLEE_SAVED, State
from gccllm.assurance.abi.subject import Subject
from gccllm.assurance.abi.transfer import Unsupported
from gccllm.assurance.abi.values import ENTRY_BASE, Entry, Place, Stack, congruence

__all__ = ["AFTER_CALL", "check_call", "check_exit", "hand_on"]

AFTER_CALL = -1
"""the depth of the x87 stack where a call came last: none, or the values that it returns"""

_RESULTS = ("rax", "xmm0")
_STACK_FAILS = ("__stack_chk_fail", "__stack_chk_fail_local")


def check_call(op: Op, state: State, subject: Subject, notes: Notes) -> None:
    """The rules at a call."""
    place = op.place
    callee = callee_of(op, subject.unit)
    if op.instruction.flow_control == FlowControl.INDIRECT_CALL:
        notes.indirect = notes.indirect or place
    symbol = imported(op)
    if symbol in _STACK_FAILS:
        notes.segments.setdefault("__stack_chk_fail", Sight(0, place))
    modulus, remainder = congruence(state.registers["rsp"].value)
    if callee is None or subject.needs_alignment(callee):
        if remainder % 16:
            notes.find(Kind.CALL_ALIGNMENT, "rsp", place, f"rsp is {remainder} modulo {modulus}")
        elif modulus < 16:
            notes.find(
                Kind.CALL_ALIGNMENT, "rsp", place, "rsp's alignment is not known", certain=False
            )
    # Within a unit gcc leaves vzeroupper out where the callee keeps some vector registers.
    _check_units(state, notes, place, "call", uppers=callee is None)
    if state.depth:
        notes.find(Kind.X87_STATE, "call", place, f"{state.depth} values on the x87 stack")
    hand_on(state, notes)
    for register in ARGUMENTS[:6]:
        cell, key = state.registers[register], (callee or symbol, register)
        if cell.above:
            notes.partly.setdefault(key, place)
        elif not cell.junk:
            notes.wholly.add(key)


def check_exit(op: Op, leaves: Exit, state: State, subject: Subject, notes: Notes) -> None:
    """The rules where the function is left; a "stop" is none."""
    place = op.place
    if leaves.kind == "stop":
        return
    if leaves.kind == "falls":
        notes.find(Kind.JUMP_OUT, "end", place, "control runs past the function's end")
        return
    if leaves.kind == "nowhere":
        notes.find(Kind.JUMP_OUT, "cold", place, "a jump to an empty cold part", certain=False)
        return
    notes.leaves = True
    _balance(op, leaves, state, notes)
    for register in CALLEE_SAVED:
        if state.registers[register].value != Entry(register):
            notes.find(Kind.CALLEE_SAVED, register, place, f"{register} is not restored")
    _check_units(state, notes, place, "exit")
    if leaves.kind == "return":
        # What a call may have left as its result can't be told from nothing.
        unknown = state.called and state.depth == 0
        notes.depths.setdefault(AFTER_CALL if unknown else state.depth, place)
        _results(state, notes, place)
        return
    hand_on(state, notes)
    if state.depth:
        notes.find(Kind.X87_STATE, "call", place, f"{state.depth} values on the x87 stack")
    if leaves.kind == "indirect":
        notes.indirect = notes.indirect or place
        if notes.tails.get("") is None:
            notes.tails[""] = place
    elif leaves.symbol:
        notes.tails.setdefault(leaves.symbol, place)
    elif leaves.target not in subject.unit.starts:
        notes.find(Kind.JUMP_OUT, "inside", place, "a jump to no function's start")


def _balance(op: Op, leaves: Exit, state: State, notes: Notes) -> None:
    sp = state.registers["rsp"].value
    if not isinstance(sp, Stack):
        raise Unsupported("rsp can't be followed to an exit")
    if sp != Stack(ENTRY_BASE, 0):
        if sp.base == ENTRY_BASE:
            detail = f"rsp is off by {sp.offset}"
        elif sp.base.kind == "joined":
            detail = "rsp differs between the paths that meet"
        else:
            detail = "rsp is not the entry's"
        notes.find(Kind.STACK_BALANCE, "rsp", op.place, detail)
    if leaves.kind == "return" and op.instruction.op_count:
        notes.find(Kind.STACK_BALANCE, "rsp", op.place, "the return pops arguments")


def _check_units(
    state: State, notes: Notes, place: Place, where: str, *, uppers: bool = True
) -> None:
    if state.backward:
        notes.find(Kind.DIRECTION_FLAG, "", place, f"DF may be set at a {where}")
    if state.uppers and uppers:
        notes.find(Kind.VECTOR_UPPERS, "", place, f"no vzeroupper before this {where}")
    if state.mmx:
        notes.find(Kind.X87_STATE, "mmx", place, f"no emms before this {where}")
    for word in sorted(state.changed):
        notes.find(Kind.CONTROL_WORD, word, place, f"the {word} control word is changed")


def hand_on(state: State, notes: Notes) -> None:
    """A call or tail jump may read every argument register: which arguments may go with it.

    But for r10: nested functions, which it is for, are never rewritten."""
    for register in (x for x in ARGUMENTS if x != "r10"):
        for origin in state.registers[register].junk:
            if origin in ARGUMENTS:
                notes.handed.add(origin)


def _results(state: State, notes: Notes, place: Place) -> None:
    for register in _RESULTS:
        cell = state.registers[register]
        if not cell.junk:
            continue
        # Another register's argument got there by a move: it is the result.
        arguments = cell.junk & set(ARGUMENTS) - {register}
        notes.handed |= arguments
        for origin in arguments:
            notes.returned.setdefault(origin, Sight(0, place, cell.must))
        if arguments == cell.junk:
            continue
        known = notes.unwritten.get(register)
        if known is None or cell.must:
            notes.unwritten[register] = Sight(0, place, cell.must)
