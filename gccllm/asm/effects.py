"""What one instruction reads and writes, with widths, and which status flags.

Registers have full names (see :mod:`gccllm.asm.region_model`), widths are bits. Decoded by
iced-x86; its view is narrowed for scalar floating point, which leaves the upper lanes alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from iced_x86 import (
    EncodingKind,
    Instruction,
    InstructionInfoFactory,
    MemorySizeExt,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RegisterExt,
    RflagsBits,
)

from gccllm.asm.code import Op, register_name

if TYPE_CHECKING:
    from iced_x86._iced_x86_py import Register as RegisterId

__all__ = ["IMMEDIATES", "Effect", "Memory", "effect_of", "full_name", "mnemonic_of"]

IMMEDIATES = frozenset(
    (
        OpKind.IMMEDIATE8,
        OpKind.IMMEDIATE16,
        OpKind.IMMEDIATE32,
        OpKind.IMMEDIATE64,
        OpKind.IMMEDIATE8TO16,
        OpKind.IMMEDIATE8TO32,
        OpKind.IMMEDIATE8TO64,
        OpKind.IMMEDIATE32TO64,
    )
)
"""the kinds of operands that are numbers in the instruction"""

_SCALAR = re.compile(
    r"v?(?:add|sub|mul|div|sqrt|min|max|mov|ucomi|comi|cvtt?(?:ss|sd)2(?:si|ss|sd)|rcp|rsqrt|cmp"
    r"|round|f(?:n)?m(?:add|sub)(?:132|213|231))s[sd]|v?cvtsi2s[sd]|v?cvts[sd]2s[sid]"
    r"|v?cvtts[sd]2si"
)
_SAME_OPERANDS = frozenset(("pcmpeqb", "pcmpeqw", "pcmpeqd", "pcmpeqq"))
_FLAG_BITS = {
    "cf": RflagsBits.CF,
    "pf": RflagsBits.PF,
    "af": RflagsBits.AF,
    "zf": RflagsBits.ZF,
    "sf": RflagsBits.SF,
    "of": RflagsBits.OF,
}
_NO_ACCESS = frozenset((Mnemonic.LEA, Mnemonic.NOP, Mnemonic.PREFETCHT0, Mnemonic.PREFETCHW))
_FACTORY = InstructionInfoFactory()


@dataclass(frozen=True)
class Memory:
    """One explicit memory operand: full names of base and index ("" for none), bytes."""

    base: str
    index: str
    scale: int
    displacement: int
    size: int
    loads: bool
    stores: bool
    symbolic: bool


@dataclass(frozen=True)
class Effect:
    """``reads``: register → bits read. ``kills``: register → its low bits that are certainly
    overwritten (64 also for 32-bit results, which are zero-extended). ``writes``: all that may
    change."""

    reads: dict[str, int]
    kills: dict[str, int]
    writes: frozenset[str]
    flags_read: frozenset[str]
    flags_written: frozenset[str]
    memory: Memory | None
    stores: bool


def full_name(register: RegisterId) -> str | None:
    """The full name of a register's family; None for those of no interest (rip, segments)."""
    name = register_name(register)
    if name is not None and name.startswith("xmm"):
        return f"zmm{name[3:]}"
    return name


@cache
def _mnemonics() -> dict[int, str]:
    return {
        value: name.lower()
        for name, value in vars(Mnemonic).items()
        if isinstance(value, int) and not name.startswith("_")
    }


def mnemonic_of(instruction: Instruction) -> str:
    """The mnemonic in Intel's spelling, lower case: "add", "movzx", "vpaddd"."""
    return _mnemonics()[instruction.mnemonic]


def effect_of(op: Op) -> Effect:
    """The effect of one instruction, calls and returns aside (those are the caller's affair)."""
    instruction = op.instruction
    name = mnemonic_of(instruction)
    scalar = _SCALAR.fullmatch(name) is not None
    reads: dict[str, int] = {}
    kills: dict[str, int] = {}
    writes = {"x87"} & op.writes
    info = _FACTORY.info(instruction)
    for used in info.used_registers():
        register = full_name(used.register)
        if register is None or register == "x87":
            continue
        bits = 8 * RegisterExt.size(used.register)
        if used.register in _HIGH_BYTES:
            bits = 16
        if used.access in _READS:
            width = min(bits, _scalar_bits(name)) if scalar and register[0] == "z" else bits
            reads[register] = max(width, reads.get(register, 0))
        if used.access in _WRITES:
            writes.add(register)
        if used.access == OpAccess.WRITE and used.register not in _HIGH_BYTES:
            kills[register] = max(_killed(instruction, used.register, bits), kills.get(register, 0))
    _narrow(instruction, name, scalar, reads, kills)
    if name in _SAME_OPERANDS and instruction.op0_register == instruction.op1_register:
        register = full_name(instruction.op0_register) or ""
        reads.pop(register, None)
        kills[register] = 128
    if instruction.mnemonic in (Mnemonic.VZEROUPPER, Mnemonic.VZEROALL):
        # What is above bit 127 is lost, which is nobody's value at such a place.
        reads, kills = {}, {}
    access = [used.access for used in info.used_memory()]
    stores = any(a in _WRITES for a in access)
    return Effect(
        reads,
        kills,
        frozenset(writes),
        _flags(instruction.rflags_read),
        _flags(instruction.rflags_modified),
        _memory(op, any(a in _READS for a in access), stores),
        stores,
    )


_READS = frozenset(
    (OpAccess.READ, OpAccess.COND_READ, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE)
)
_WRITES = frozenset(
    (OpAccess.WRITE, OpAccess.COND_WRITE, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE)
)
_HIGH_BYTES = frozenset((Register.AH, Register.BH, Register.CH, Register.DH))


def _flags(bits: int) -> frozenset[str]:
    return frozenset(name for name, bit in _FLAG_BITS.items() if bits & bit)


def _killed(instruction: Instruction, register: RegisterId, bits: int) -> int:
    if RegisterExt.is_gpr(register):
        return 64 if bits >= 32 else bits
    if RegisterExt.is_vector_register(register):
        return bits if instruction.encoding == EncodingKind.LEGACY else 512
    return 64


def _scalar_bits(name: str) -> int:
    if "2s" in name:
        return 32 if "ss2" in name else 64
    return 32 if name.endswith("ss") else 64


def _narrow(
    instruction: Instruction,
    name: str,
    scalar: bool,
    reads: dict[str, int],
    kills: dict[str, int],
) -> None:
    """Scalar instructions of the old encoding keep the upper lanes of what they write."""
    if not scalar or instruction.encoding != EncodingKind.LEGACY:
        return
    if instruction.op0_kind != OpKind.REGISTER:
        return
    target = full_name(instruction.op0_register) or ""
    if not target.startswith("zmm"):
        return
    moves = name in ("movss", "movsd")
    if moves and instruction.op1_kind == OpKind.MEMORY:
        return
    converts = "2s" in name or name.startswith(("sqrt", "rcp", "rsqrt", "round"))
    if moves or converts:
        source = full_name(instruction.op1_register) if instruction.op1_kind == 0 else None
        if source != target:
            reads.pop(target, None)
        kills[target] = 32 if name.endswith("ss") else 64


def _memory(op: Op, loads: bool, stores: bool) -> Memory | None:
    instruction = op.instruction
    if not any(k == OpKind.MEMORY for k in _kinds(instruction)):
        return None
    if instruction.mnemonic in _NO_ACCESS:
        return None
    relative = instruction.memory_base == Register.RIP
    displacement = instruction.memory_displacement
    if displacement >= 1 << 63:
        displacement -= 1 << 64
    return Memory(
        "" if relative else full_name(instruction.memory_base) or "",
        full_name(instruction.memory_index) or "",
        instruction.memory_index_scale,
        0 if op.relocation is not None or relative else displacement,
        MemorySizeExt.size(instruction.memory_size) or 64,
        loads,
        stores,
        relative or op.relocation is not None,
    )


def _kinds(instruction: Instruction) -> Iterator[int]:
    for index in range(instruction.op_count):
        yield instruction.op_kind(index)
