"""What one instruction makes of what is known. An instruction that is not understood takes all
knowledge of what it may write with it; memory is never known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from iced_x86 import Instruction, MemorySize, Mnemonic, OpKind, Register, RegisterExt

from gccllm.asm.code import Op, register_name
from gccllm.asm.effects import IMMEDIATES, Effect
from gccllm.assurance.unreachable.ranges import Range, both, hull, lowest, rest, total, whole
from gccllm.assurance.unreachable.state import ALL_FLAGS, COMPARED, LOGICAL, Compared, Pair, State

if TYPE_CHECKING:
    from iced_x86._iced_x86_py import Register as RegisterId

__all__ = ["CHOICES", "EXTENSIONS", "register_operand", "step"]

_HIGH_BYTES = frozenset((Register.AH, Register.BH, Register.CH, Register.DH))
_STATUS = frozenset(("cf", "zf", "sf", "of"))
_LOGICAL = frozenset((Mnemonic.AND, Mnemonic.OR, Mnemonic.XOR))
_SUMS = frozenset((Mnemonic.ADD, Mnemonic.SUB, Mnemonic.INC, Mnemonic.DEC))
_SETS = frozenset(
    getattr(Mnemonic, f"SET{x}") for x in "O NO B AE E NE BE A S NS P NP L GE LE G".split()
)
CHOICES = frozenset(
    getattr(Mnemonic, f"CMOV{x}") for x in "O NO B AE E NE BE A S NS P NP L GE LE G".split()
)
EXTENSIONS = frozenset((Mnemonic.MOVZX, Mnemonic.MOVSX, Mnemonic.MOVSXD))
_CLEARS_ABOVE = frozenset(
    (
        *(Mnemonic.MOV, Mnemonic.LEA, Mnemonic.NEG, Mnemonic.NOT, Mnemonic.IMUL),
        Mnemonic.POPCNT,
        *_LOGICAL,
        *_SUMS,
        *CHOICES,
        *EXTENSIONS,
    )
)
"""with 32 bits they set the upper half of the register to 0, whatever happens (AMD64 Architecture
Programmer's Manual, volume 1, section 3.4.5); shifts by 0 and scans of 0 are best not asked"""
_MEMORY_BITS = {
    MemorySize.UINT8: 8,
    MemorySize.INT8: 8,
    MemorySize.UINT16: 16,
    MemorySize.INT16: 16,
    MemorySize.UINT32: 32,
    MemorySize.INT32: 32,
}


def step(state: State, op: Op, effect: Effect) -> State:
    """What is known behind an instruction that is no jump or call."""
    instruction = op.instruction
    target = register_operand(instruction, 0)
    if target is not None and target[0] not in effect.writes:
        target = None
    found: list[Range] = []
    if target is not None and op.relocation is None:
        found = list(_results(instruction, state, *target))
    after = state.without(effect.writes)
    if target is not None:
        name, bits = target
        if bits == 32 and instruction.mnemonic in _CLEARS_ABOVE:
            after = after.with_range(name, _wide(whole(32)))
        if bits == 8 and found and not state.known(name, 64).high >> 8:
            after = after.with_range(name, _wide(found[0]))
        for known in found:
            after = after.with_range(name, known)
    if effect.flags_written & _STATUS:
        flags, compared = _flags(instruction, op)
        after = replace(after, flags=flags, compared=compared)
    return after


def _wide(known: Range) -> Range:
    """With nothing but zeros above."""
    return lowest(64, known.low, known.high)


def register_operand(instruction: Instruction, operand: int) -> tuple[str, int] | None:
    """A general register that is an operand: its full name, and how many low bits of it."""
    if operand >= instruction.op_count or instruction.op_kind(operand) != OpKind.REGISTER:
        return None
    register: RegisterId = instruction.op_register(operand)
    if not RegisterExt.is_gpr(register) or register in _HIGH_BYTES:
        return None
    return register_name(register) or "", 8 * RegisterExt.size(register)


def _number(instruction: Instruction, operand: int, bits: int) -> int | None:
    """An immediate operand, signed."""
    if operand >= instruction.op_count or instruction.op_kind(operand) not in IMMEDIATES:
        return None
    value = instruction.immediate(operand) & ((1 << bits) - 1)
    return value - (1 << bits) if value >> (bits - 1) else value


def _results(instruction: Instruction, state: State, register: str, bits: int) -> Iterator[Range]:
    """The ranges of what is written into the first operand, and of its low bits."""
    mnemonic, source = instruction.mnemonic, register_operand(instruction, 1)
    if bits == 8 and mnemonic in _SETS:
        yield lowest(8, 0, 1)
    if bits < 32:
        return
    number = _number(instruction, 1, bits)
    if mnemonic in (Mnemonic.XOR, Mnemonic.SUB) and source == (register, bits):
        yield lowest(bits, 0, 0)
    elif mnemonic == Mnemonic.MOV and number is not None:
        yield lowest(bits, number, number)
    elif mnemonic in EXTENSIONS:
        yield from _extended(instruction, state, bits)
    elif mnemonic in (Mnemonic.SHR, Mnemonic.SAR):
        yield from _moved(instruction, state, register, bits)
    else:
        for width in (x for x in (16, 32, 64) if x <= bits):
            found = _low(instruction, state, register, width)
            if found is not None:
                yield found


def _low(instruction: Instruction, state: State, register: str, bits: int) -> Range | None:
    """Of the low bits of a result that depend on those of the operands alone."""
    mnemonic, source = instruction.mnemonic, register_operand(instruction, 1)
    known, number = state.known(register, bits), _number(instruction, 1, bits)
    if mnemonic == Mnemonic.MOV and source is not None:
        return state.known(source[0], bits)
    if mnemonic == Mnemonic.LEA:
        return _address(instruction, state, bits)
    if mnemonic == Mnemonic.NEG:
        return rest(lowest(bits, 0, 0), known)
    if mnemonic in _SUMS:
        return _sum(instruction, state, register, bits)
    if mnemonic == Mnemonic.AND and number is not None:
        return _masked(known, number)
    if mnemonic in CHOICES and source is not None:
        return hull(known, state.known(source[0], bits))
    return None


def _masked(known: Range, number: int) -> Range:
    """Of a bitwise and with a number."""
    if number < 0 and -number & (-number - 1) == 0:  # rounds down to multiples of a power of two
        return Range(known.bits, *(x & number for x in known[1:]))
    most = number & whole(known.bits).high
    return lowest(known.bits, 0, min(known.high, most))


def _sum(instruction: Instruction, state: State, register: str, bits: int) -> Range:
    source, number = register_operand(instruction, 1), _number(instruction, 1, 64)
    if instruction.op_count == 1:
        by = lowest(bits, 1, 1)
    elif source is not None:
        by = state.known(source[0], bits)
    else:
        by = lowest(bits, number, number) if number is not None else whole(bits)
    known = state.known(register, bits)
    down = instruction.mnemonic in (Mnemonic.SUB, Mnemonic.DEC)
    return rest(known, by) if down else total(known, by)


def _extended(instruction: Instruction, state: State, bits: int) -> Iterator[Range]:
    source = register_operand(instruction, 1)
    if source is not None:
        narrow = state.known(*source)
    elif instruction.memory_size in _MEMORY_BITS:
        narrow = whole(_MEMORY_BITS[instruction.memory_size])
    else:
        return
    signed = instruction.mnemonic != Mnemonic.MOVZX
    first, last = (narrow.least, narrow.most) if signed else (narrow.low, narrow.high)
    yield lowest(bits, first, last)
    yield narrow


def _address(instruction: Instruction, state: State, bits: int) -> Range:
    """Registers plus a constant."""
    places = instruction.memory_displacement
    found = lowest(bits, places, places)
    scaled = (
        (instruction.memory_base, 1),
        (instruction.memory_index, instruction.memory_index_scale),
    )
    for register, times in scaled:
        if RegisterExt.is_gpr64(register):
            for _ in range(times):
                found = total(found, state.known(register_name(register) or "", bits))
        elif RegisterExt.size(register):
            return whole(bits)
    return found


def _moved(instruction: Instruction, state: State, register: str, bits: int) -> Iterator[Range]:
    """Shifted to the right by a constant. Where no bit of the filling is among the low bits that
    are asked for, it does not matter what fills."""
    by = (_number(instruction, 1, 8) or 0) & (63 if bits == 64 else 31)
    if not by:
        return
    known = state.known(register, bits)
    unsigned, signed = (known.low >> by, known.high >> by), (known.least >> by, known.most >> by)
    logical = instruction.mnemonic == Mnemonic.SHR
    yield lowest(bits, *(unsigned if logical else signed))
    for width in (x for x in (16, 32) if x <= bits - by):
        yield both(lowest(width, *unsigned), lowest(width, *signed))


def _flags(instruction: Instruction, op: Op) -> tuple[int, Compared | Pair | None]:
    """How the flags can be behind an instruction that writes them, and of what they tell."""
    mnemonic, target = instruction.mnemonic, register_operand(instruction, 0)
    source = register_operand(instruction, 1)
    if mnemonic == Mnemonic.CMP:
        number = _number(instruction, 1, target[1]) if target is not None else None
        if target is not None and source is not None:
            return COMPARED, Pair(target[0], source[0], target[1])
        if target is None or number is None or op.relocation is not None:
            return COMPARED, None
        return COMPARED, Compared(*target, number)
    if mnemonic == Mnemonic.TEST:
        return LOGICAL, Compared(*target, 0) if target is not None and target == source else None
    if mnemonic in _LOGICAL:
        return LOGICAL, Compared(*target, 0) if target is not None else None
    if mnemonic in _SUMS:
        return ALL_FLAGS, Compared(*target, 0, wraps=True) if target is not None else None
    return ALL_FLAGS, None
