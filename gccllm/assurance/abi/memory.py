"""Memory operands: where in the stack they are, how they are aligned, whose memory it is."""

from __future__ import annotations

from gccllm.asm.effects import Memory
from gccllm.assurance.abi.state import State
from gccllm.assurance.abi.values import (
    ENTRY_BASE,
    WHOLE,
    Derived,
    Entry,
    Place,
    Residue,
    Stack,
    Value,
    added,
    congruence,
    residue,
    scaled,
    sum_of,
)

__all__ = ["address_of", "alignment_of", "is_callers", "owner_of", "slot_of"]


def _base(state: State, memory: Memory) -> Value:
    cell = state.registers.get(memory.base)
    return cell.value if cell is not None else None


def _index(state: State, memory: Memory) -> Value:
    """The index times its scale."""
    cell = state.registers.get(memory.index)
    return scaled(cell.value if cell is not None else None, memory.scale)


def address_of(
    state: State, memory: Memory, data: Residue | None, place: Place, register: str
) -> Value:
    """What ``register`` holds after a lea of ``memory`` at ``place``; ``data`` is what the object
    says of the symbol's address there."""
    if not memory.symbolic:
        address = _base(state, memory) if memory.base else residue(WHOLE, 0)
    elif memory.base:
        address = sum_of(_base(state, memory), data, place, register)
    else:
        address = data
    if memory.index:
        address = sum_of(address, _index(state, memory), place, register)
    return address if memory.symbolic else added(address, memory.displacement)


def slot_of(state: State, memory: Memory) -> Stack | None:
    """The address where it is a known place in the stack."""
    if memory.symbolic or memory.index:
        return None
    value = _base(state, memory)
    return (
        Stack(value.base, value.offset + memory.displacement) if isinstance(value, Stack) else None
    )


def alignment_of(state: State, memory: Memory, data: Residue | None) -> tuple[int, int]:
    """(modulus, remainder) of the address; (1, 0) says nothing."""
    return congruence(address_of(state, memory, data, (0, 0), ""))


def owner_of(state: State, memory: Memory, symbol: str) -> str:
    """Whose memory it is: "stack" for a known place there, the register of the argument that it is
    reckoned from, the symbol, or "?"."""
    if memory.symbolic:
        return symbol or "?"
    for register in (memory.base, memory.index):
        cell = state.registers.get(register)
        value = cell.value if cell is not None else None
        if isinstance(value, Stack):
            open_ = memory.index or value.base.kind in ("moved", "joined")
            return "?" if open_ else "stack"
        if isinstance(value, (Entry, Derived)):
            return value.register
    return "?"


def is_callers(address: Stack, size: int) -> bool:
    """Whether ``size`` bytes at ``address`` reach above the return address."""
    if address.base == ENTRY_BASE:
        return address.offset + size > 8
    # A rounded-down rsp is at or below where it was.
    return address.offset + size > address.base.room
