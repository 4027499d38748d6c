"""Instructions that VEX models in a way that hides what they do, or wrongly, modelled here instead.

VEX counts bits in a tree of masks and tests single bits by way of memory below the stack pointer.
It does not know that a narrow division traps when the quotient does not fit, nor which results the
manuals leave open: a 16-bit double shift by more than 16, and the upper half after a 32-bit search
for a bit of zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iced_x86 import Instruction, MemorySizeExt, Mnemonic, OpKind, RegisterExt

from gccllm.asm.code import register_name
from gccllm.assurance.proof.bits import (
    bit_and,
    bit_not,
    bit_or,
    bit_xor,
    concat,
    extract,
    ite,
    zext,
)
from gccllm.assurance.proof.compare import equal
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.flags import call
from gccllm.assurance.proof.node import Term, const, var
from gccllm.assurance.proof.operations import leading_zeros, ones, trailing_zeros
from gccllm.assurance.proof.shifts import shift_left, shift_right
from gccllm.assurance.proof.state import State
from gccllm.assurance.proof.sums import subtract

if TYPE_CHECKING:
    from iced_x86._iced_x86_py import Register as RegisterId

__all__ = ["own_model"]

_CHANGES = {Mnemonic.BTS: bit_or, Mnemonic.BTC: bit_xor}
_NARROW_DIVISIONS = (Mnemonic.DIV, Mnemonic.IDIV)
_DOUBLE_SHIFTS = (Mnemonic.SHLD, Mnemonic.SHRD)
_SEARCHES = {Mnemonic.BSF: trailing_zeros, Mnemonic.BSR: leading_zeros}
_BIT_TESTS = (Mnemonic.BT, Mnemonic.BTR, *_CHANGES)


def own_model(instruction: Instruction, state: State) -> bool:
    """Runs an instruction that is modelled here; False: it is left to VEX. Raises Unsupported."""
    mnemonic = instruction.mnemonic
    width = 8 * _operand_bytes(instruction)
    if mnemonic in _NARROW_DIVISIONS and width < 32:
        raise Unsupported("a division of 8 or 16 bits")
    if mnemonic in _DOUBLE_SHIFTS and width < 32 and instruction.op2_kind == OpKind.REGISTER:
        raise Unsupported("a double shift of 16 bits by a register")
    if mnemonic in _SEARCHES and width == 32:
        if instruction.op1_kind != OpKind.REGISTER:
            raise Unsupported("a search for a bit in memory")
        _search(instruction, state)
        return True
    if mnemonic == Mnemonic.POPCNT and instruction.op1_kind == OpKind.REGISTER:
        source = _read(state, instruction.op1_register)
        _write(state, instruction.op0_register, ones(source))
        zero = zext(equal(source, const(0, source.width)), 58)
        _set_flags(state, concat(zero, const(0, 6)))
        return True
    if mnemonic in _BIT_TESTS and instruction.op0_kind == OpKind.REGISTER:
        _test_bit(instruction, state)
        return True
    return False


def _operand_bytes(instruction: Instruction) -> int:
    """Bytes of the first operand."""
    if instruction.op0_kind == OpKind.REGISTER:
        return RegisterExt.size(instruction.op0_register)
    return MemorySizeExt.size(instruction.memory_size)


def _search(instruction: Instruction, state: State) -> None:
    """bsf and bsr of 32 bits: of zero, the low half stays and the upper half is anything."""
    source = _read(state, instruction.op1_register)
    name = _name(instruction.op0_register)
    old = state.registers[name]
    upper = var(f"undefined {source.number} {old.number}", 32)
    at = _SEARCHES[instruction.mnemonic](source)
    if instruction.mnemonic == Mnemonic.BSR:
        at = subtract(const(31, 32), at)
    is_zero = equal(source, const(0, 32))
    state.registers[name] = ite(is_zero, concat(upper, extract(old, 31, 0)), zext(at, 64))
    _set_flags(state, concat(zext(is_zero, 58), const(0, 6)))


def _test_bit(instruction: Instruction, state: State) -> None:
    """All flags but carry stay; what is undefined of them is known elsewhere."""
    base = _read(state, instruction.op0_register)
    width = base.width
    if instruction.op1_kind == OpKind.REGISTER:
        index = _read(state, instruction.op1_register)
    else:
        index = const(instruction.immediate(1), width)
    index = bit_and(index, const(width - 1, width))
    chosen = shift_left(const(1, width), index)
    carry = extract(shift_right(base, index), 0, 0)
    thunk = [state.registers[x] for x in ("cc_op", "cc_dep1", "cc_dep2", "cc_ndep")]
    flags = call("amd64g_calculate_rflags_all", thunk)
    if instruction.mnemonic == Mnemonic.BTR:
        _write(state, instruction.op0_register, bit_and(base, bit_not(chosen)))
    elif instruction.mnemonic in _CHANGES:
        change = _CHANGES[instruction.mnemonic]
        _write(state, instruction.op0_register, change(base, chosen))
    _set_flags(state, concat(extract(flags, 63, 1), carry))


def _set_flags(state: State, word: Term) -> None:
    zero = const(0, 64)
    state.registers.update(cc_op=zero, cc_dep1=word, cc_dep2=zero, cc_ndep=zero)


def _name(register: RegisterId) -> str:
    name = register_name(register)
    assert name is not None
    return name


def _read(state: State, register: RegisterId) -> Term:
    return extract(state.registers[_name(register)], 8 * RegisterExt.size(register) - 1, 0)


def _write(state: State, register: RegisterId, value: Term) -> None:
    name = _name(register)
    if value.width < 32:
        value = concat(extract(state.registers[name], 63, value.width), value)
    state.registers[name] = zext(value, 64)
