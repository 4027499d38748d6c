"""The operands of one instruction."""

from __future__ import annotations

from iced_x86 import Instruction, OpKind, RegisterExt

from gccllm.asm.code import register_name
from gccllm.asm.effects import IMMEDIATES

__all__ = ["immediate", "register_operand", "same_last"]


def register_operand(instruction: Instruction, index: int) -> tuple[str, int]:
    """(name, bytes) of a general or vector register operand; ("", 0) for anything else."""
    if instruction.op_count <= index or instruction.op_kind(index) != OpKind.REGISTER:
        return "", 0
    register = instruction.op_register(index)
    size = RegisterExt.size(register)
    if RegisterExt.is_gpr(register):
        return register_name(register) or "", size
    if RegisterExt.is_vector_register(register):
        return f"xmm{RegisterExt.number(register)}", size
    return "", 0


def immediate(instruction: Instruction) -> int | None:
    """The second operand as a signed number, None where it is no immediate."""
    if instruction.op_count != 2 or instruction.op1_kind not in IMMEDIATES:
        return None
    value = instruction.immediate(1)
    return value - (1 << 64) if value >= 1 << 63 else value


def same_last(instruction: Instruction) -> bool:
    """Whether the last two operands are one register."""
    count = instruction.op_count
    if count < 2:
        return False
    last = (count - 2, count - 1)
    if any(instruction.op_kind(i) != OpKind.REGISTER for i in last):
        return False
    return instruction.op_register(last[0]) == instruction.op_register(last[1])
