"""Memory accesses of one instruction, as far as the ABI has a say in them."""

from __future__ import annotations

from gccllm.asm.code import FunctionCode
from gccllm.assurance.abi.actions import Action
from gccllm.assurance.abi.kinds import Kind
from gccllm.assurance.abi.memory import address_of, alignment_of, is_callers, owner_of, slot_of
from gccllm.assurance.abi.notes import Notes, Sight
from gccllm.assurance.abi.state import State
from gccllm.assurance.abi.steps import Step
from gccllm.assurance.abi.subject import Subject
from gccllm.assurance.abi.values import ENTRY_BASE, Place, Stack

__all__ = ["note_access"]

RED_ZONE_BYTES = 128


def note_access(
    step: Step, state: State, function: FunctionCode, subject: Subject, notes: Notes
) -> None:
    """Note where in the stack an instruction reads and writes, and what alignment it takes for
    granted."""
    if step.segment:
        known = notes.segments.get(step.segment)
        notes.segments[step.segment] = Sight(
            known.amount + 1 if known is not None else 1, known.place if known else step.place
        )
    if step.action is Action.PUSH:
        sp = state.registers["rsp"].value
        if isinstance(sp, Stack):
            _written(Stack(sp.base, sp.offset - 8), 8, step.place, notes)
    if step.action is Action.LEA:
        _address_taken(step, state, notes)
    memory = step.memory
    if memory is None or not (memory.loads or memory.stores) or step.segment:
        return
    if step.aligned > 1:
        _alignment(step, state, subject, notes)
    address = slot_of(state, memory)
    if address is None:
        return
    _below(step, address, state, function, subject, notes)
    if memory.stores:
        _written(address, memory.size, step.place, notes)
    if address.base == ENTRY_BASE and address.offset + memory.size > max(8, notes.caller.amount):
        notes.caller = Sight(address.offset + memory.size, step.place)
    if memory.loads and step.action is not Action.LOAD:
        _junk_loaded(address, memory.size, step.place, state, notes)


def _junk_loaded(address: Stack, size: int, place: Place, state: State, notes: Notes) -> None:
    """Junk that was stored and is loaded again in part is computed with."""
    for (base, offset), (held, cell) in state.slots.items():
        end = min(offset + held, address.offset + size)
        if cell.junk and base == address.base and max(offset, address.offset) < end:
            for origin in cell.junk:
                certain = cell.must and len(cell.junk) == 1
                notes.use(origin, 8 * (end - offset), place, certain=certain)


def _written(address: Stack, size: int, place: Place, notes: Notes) -> None:
    if address.base == ENTRY_BASE and address.offset < 8 and address.offset + size > 0:
        # gcc leaves vector stores past a buffer on paths that its length rules out.
        overrun = size >= 16 and address.offset < 0
        notes.find(
            Kind.RETURN_ADDRESS,
            "",
            place,
            "the return address is written over",
            certain=not overrun,
        )
    elif address.base != ENTRY_BASE and is_callers(address, size):
        notes.find(Kind.CALLER_FRAME, "above", place, "a store above where rsp was rounded down")


def _address_taken(step: Step, state: State, notes: Notes) -> None:
    if step.memory is None or step.destination == "rsp":
        return
    value = address_of(state, step.memory, step.data, step.place, step.destination)
    if isinstance(value, Stack) and value.base == ENTRY_BASE and value.offset >= 8:
        notes.caller_open = True


def _below(
    step: Step,
    address: Stack,
    state: State,
    function: FunctionCode,
    subject: Subject,
    notes: Notes,
) -> None:
    sp = state.registers["rsp"].value
    if not isinstance(sp, Stack) or sp.base != address.base or address.offset >= sp.offset:
        return
    depth = sp.offset - address.offset
    if depth > RED_ZONE_BYTES:
        notes.find(Kind.BELOW_RED_ZONE, "", step.place, f"{depth} bytes below rsp")
    if function.has_call:
        notes.find(Kind.RED_ZONE, "", step.place, "memory below rsp in a function that calls")
    elif not subject.red_zone:
        notes.find(Kind.RED_ZONE, "", step.place, "memory below rsp under -mno-red-zone")


def _alignment(step: Step, state: State, subject: Subject, notes: Notes) -> None:
    memory = step.memory
    if memory is None:
        return
    needed = step.aligned
    symbol = ""
    if memory.symbolic:
        offset = subject.symbol_offset(step.op)
        if offset is not None and not memory.base and not memory.index:
            # How far the section itself is aligned is the splicer's affair.
            if offset % needed:
                notes.find(
                    Kind.MISALIGNED, "data", step.place, f"data that is {offset} modulo {needed}"
                )
            return
        if step.op.relocation is not None:
            symbol = step.op.relocation.symbol.name
    modulus, remainder = alignment_of(state, memory, step.data)
    owner = owner_of(state, memory, symbol)
    if modulus >= needed or remainder:
        if remainder % needed:
            notes.find(
                Kind.MISALIGNED,
                owner,
                step.place,
                f"{step.mnemonic} of an address that is {remainder} modulo {min(modulus, needed)}",
            )
        return
    known = notes.aligned.get(owner)
    if known is None or known.amount < needed:
        notes.aligned[owner] = Sight(needed, step.place)
