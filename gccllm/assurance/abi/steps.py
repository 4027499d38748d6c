"""One instruction, read once: what the analysis asks of it at every visit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from iced_x86 import (
    EncodingKind,
    Instruction,
    MemorySizeExt,
    OpKind,
    Register,
    RegisterExt,
    RflagsBits,
)

from gccllm.asm.code import Op, register_name
from gccllm.asm.effects import Effect, Memory, effect_of, mnemonic_of
from gccllm.assurance.abi.actions import (
    ONES,
    WORD_LOADS,
    WORD_SAVES,
    Action,
    action_of,
    calculation,
)
from gccllm.assurance.abi.lanes import lanes_of
from gccllm.assurance.abi.operands import immediate, register_operand, same_last
from gccllm.assurance.abi.values import Lanes, Residue

__all__ = ["Step", "step_of"]


@dataclass(frozen=True)
class Step:
    """``destination`` and ``source`` are the registers of a followed action, "" for none (a push
    or a pop of memory); ``number`` its immediate; ``word`` the control word; ``aligned`` the
    alignment in bytes without which its memory access faults, 1 where it does not. ``x87`` is
    (values needed on the x87 stack, change of their number). ``defines``: registers that it only
    writes for their own sake, so that nobody's reading them makes it a result. Vector registers
    are xmmN, widths bits."""

    op: Op
    action: Action
    mnemonic: str
    reads: tuple[tuple[str, int], ...]
    kills: tuple[tuple[str, int], ...]
    writes: frozenset[str]
    flags_read: frozenset[str]
    flags_set: frozenset[str]
    flags_lost: frozenset[str]
    memory: Memory | None
    destination: str
    source: str
    number: int
    word: str
    aligned: int
    x87: tuple[int, int] | None
    mmx: bool
    dirties: bool
    segment: str
    defines: str
    narrow: Action | None = None
    """what it would be, were it in 64 bits instead of 32"""
    data: Residue | None = None
    """what the object says of the address that its symbolic operand means"""
    lanes: Lanes | None = None
    """the only lanes of a masked instruction's vectors that count"""
    low: str = ""
    """the general register of which it writes one or two bytes"""
    gather: str = ""
    """the mask of a gather: where it chooses every lane, nothing stays of the destination"""

    @property
    def place(self) -> tuple[int, int]:
        return self.op.place


_ALIGNED_VEX = frozenset(
    "vmovaps vmovapd vmovdqa vmovdqa32 vmovdqa64 vmovntdq vmovntdqa vmovntps vmovntpd".split()
)
_UNALIGNED_LEGACY = frozenset(
    "movups movupd movdqu lddqu pcmpestri pcmpestrm pcmpistri pcmpistrm".split()
)
_SAME_IS_CONSTANT = frozenset(
    "sbb pcmpgtb pcmpgtw pcmpgtd pcmpgtq psubb psubw psubd psubq pandn andnps andnpd xor sub "
    "pxor xorps xorpd pcmpeqb pcmpeqw pcmpeqd pcmpeqq pxord pxorq".split()
)
_PASSES_FIRST_ON = ("cvt", "sqrt", "rcp", "rsqrt", "round", "rndscale", "getexp")
_KEEPS_A_PART = frozenset(
    "movhlps movlhps movlps movhps movlpd movhpd insertps pinsrb pinsrw pinsrd pinsrq".split()
)
"""instructions that write a part of a vector register and leave the rest as it is"""
_NO_RESULT = frozenset("pop div idiv mul imul xchg xadd cmpxchg cdq cqo cwd lodsb lodsq".split())


def step_of(op: Op) -> Step:
    """What one instruction does, as the analysis needs it."""
    instruction = op.instruction
    effect = effect_of(op)
    name = mnemonic_of(instruction)
    action, destination, source, number = action_of(op, name, effect)
    narrow = None
    if action is Action.OTHER:
        lower = calculation(instruction, name, effect, 4)
        if lower is not None:
            narrow, destination, source, number = lower
    reads = {_short(r): bits for r, bits in effect.reads.items()}
    reads.pop("rsp", None)
    for ignored in _ignored(instruction, name):
        reads.pop(ignored, None)
    kills = {_short(r): bits for r, bits in effect.kills.items()}
    if name in ("bsf", "bsr"):
        # Undefined for a source of zero; compilers take the result for written all the same.
        kills[destination] = 64
    if action is Action.LEAVE:
        reads = {}
    mmx = "x87" in op.writes and _uses_mmx(instruction)
    lost = _NONE if name in _SHIFTS else _flags(instruction.rflags_undefined)
    return Step(
        op,
        action,
        name,
        tuple(reads.items()),
        tuple(kills.items()),
        frozenset(_short(r) for r in effect.writes),
        effect.flags_read,
        effect.flags_written - lost,
        lost,
        _memory(op, narrow or action, effect),
        destination,
        source,
        number,
        WORD_SAVES.get(name) or WORD_LOADS.get(name) or "",
        _alignment(instruction, name, effect),
        None if mmx else _x87(op, name),
        mmx,
        _dirties(instruction, effect),
        _segment(op),
        _defines(name, effect, kills),
        narrow,
        lanes=lanes_of(instruction, name),
        low=_low(instruction, effect),
        gather=_gather(instruction, name),
    )


_SHIFTS = frozenset(("shl", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd", "sal"))
_FLAG_BITS = {
    RflagsBits.OF: "of",
    RflagsBits.SF: "sf",
    RflagsBits.ZF: "zf",
    RflagsBits.AF: "af",
    RflagsBits.CF: "cf",
    RflagsBits.PF: "pf",
}


def _short(register: str) -> str:
    return f"xmm{register[3:]}" if register.startswith("zmm") else register


def _flags(bits: int) -> frozenset[str]:
    return frozenset(name for bit, name in _FLAG_BITS.items() if bits & bit) if bits else _NONE


_NONE: frozenset[str] = frozenset()


def _ignored(instruction: Instruction, name: str) -> tuple[str, ...]:
    """Registers that iced-x86 says are read, and whose content makes no difference."""
    plain = name.removeprefix("v")
    count = instruction.op_count
    if plain.rstrip("dq") in ("pternlog",) and instruction.immediate8 in (0, 0xFF):
        return tuple({register_operand(instruction, i)[0] for i in range(3)})
    same = same_last(instruction)
    if (plain in _SAME_IS_CONSTANT or name in ONES) and same:
        return (register_name(instruction.op_register(count - 1)) or "",)
    if lanes_of(instruction, name) is not None:
        # The mask says which lanes stay as they were; a source is read all the same.
        kept = register_operand(instruction, 0)[0]
        return () if kept in _registers(instruction, 1) else (kept,)
    if name.startswith("cmov"):
        # Which of the two it takes hangs on the flags.
        return (register_name(instruction.op0_register) or "",)
    first = register_operand(instruction, 0)[0]
    if name in ("and", "or") and first and count == 2:
        number = immediate(instruction)
        if number is not None and number == (0 if name == "and" else -1):
            return (first,)
    if plain in _KEEPS_A_PART:
        kept = register_operand(instruction, 0 if name == plain else 1)[0]
        others = _registers(instruction, 1 if name == plain else 2)
        return () if kept in others else (kept,)
    scalar = plain.startswith(_PASSES_FIRST_ON) and count >= 3
    if scalar and name != plain and instruction.op1_kind == OpKind.REGISTER:
        passed = register_operand(instruction, 1)[0]
        if passed != register_operand(instruction, 2)[0] and plain[-2:] in ("ss", "sd"):
            return (passed,)
    return ()


def _registers(instruction: Instruction, first: int) -> frozenset[str]:
    """Those that are operands, from the ``first`` one on."""
    places = range(first, instruction.op_count)
    return frozenset(register_operand(instruction, i)[0] for i in places)


def _low(instruction: Instruction, effect: Effect) -> str:
    name, size = register_operand(instruction, 0)
    return name if size in (1, 2) and name in effect.writes else ""


def _gather(instruction: Instruction, name: str) -> str:
    if not name.startswith(("vgather", "vpgather")):
        return ""
    return register_name(instruction.op_mask) or register_operand(instruction, 2)[0]


def _memory(op: Op, action: Action, effect: Effect) -> Memory | None:
    """The explicit memory operand."""
    if action is Action.LEA:
        return _address(op)
    if effect.memory is not None and action in (Action.PUSH, Action.CALL):
        # What is stored goes where rsp is.
        return replace(effect.memory, stores=False)
    return effect.memory


def _address(op: Op) -> Memory:
    """The operand of a lea, which accesses nothing."""
    instruction = op.instruction
    displacement = instruction.memory_displacement
    if displacement >= 1 << 63:
        displacement -= 1 << 64
    symbolic = op.relocation is not None or instruction.memory_base == Register.RIP
    return Memory(
        register_name(instruction.memory_base) or "",
        register_name(instruction.memory_index) or "",
        instruction.memory_index_scale,
        displacement,
        0,
        loads=False,
        stores=False,
        symbolic=symbolic,
    )


def _alignment(instruction: Instruction, name: str, effect: Effect) -> int:
    memory = effect.memory
    if memory is None:
        return 1
    size = MemorySizeExt.size(instruction.memory_size)
    if name == "cmpxchg16b":
        return 16
    if size < 16:
        return 1
    if instruction.encoding != EncodingKind.LEGACY:
        return size if name in _ALIGNED_VEX else 1
    vectors = any(x.startswith("xmm") for x in _registers(instruction, 0))
    return size if vectors and name not in _UNALIGNED_LEGACY else 1


def _x87(op: Op, name: str) -> tuple[int, int] | None:
    """(values needed, change of their number), None for what leaves the x87 stack alone."""
    if "x87" not in op.writes and "x87" not in op.reads:
        return None
    instruction = op.instruction
    needed = 0
    for index in range(instruction.op_count):
        if instruction.op_kind(index) == OpKind.REGISTER:
            register = instruction.op_register(index)
            # What is only written need not hold a value, and "fstp %st(i)" reads st(0).
            written = index == 0 and name in ("fst", "fstp")
            if RegisterExt.is_st(register) and not written:
                needed = max(needed, register - Register.ST0 + 1)
    info = instruction.fpu_stack_increment_info()
    change = -info.increment
    if "x87" in op.reads:
        needed = max(needed, 1)
    return max(needed, -change), change


def _uses_mmx(instruction: Instruction) -> bool:
    for index in range(instruction.op_count):
        if instruction.op_kind(index) == OpKind.REGISTER and RegisterExt.is_mm(
            instruction.op_register(index)
        ):
            return True
    return False


def _dirties(instruction: Instruction, effect: Effect) -> bool:
    """Whether it leaves something above bit 127 of one of the first 16 vector registers; the
    others don't matter to legacy instructions."""
    if not instruction.op_count or instruction.op0_kind != OpKind.REGISTER:
        return False
    register = instruction.op0_register
    wide = RegisterExt.is_ymm(register) or RegisterExt.is_zmm(register)
    if not wide or RegisterExt.number(register) >= 16:
        return False
    return f"zmm{RegisterExt.number(register)}" in effect.writes


_SEGMENTS = {Register.FS: "fs", Register.GS: "gs"}


def _segment(op: Op) -> str:
    """ "fs:SYMBOL" or "fs:0x28" of an access relative to fs or gs, "" for the others."""
    instruction = op.instruction
    prefix = _SEGMENTS.get(instruction.memory_segment)
    if prefix is None or not any(
        instruction.op_kind(i) == OpKind.MEMORY for i in range(instruction.op_count)
    ):
        return ""
    if op.relocation is not None:
        return f"{prefix}:{op.relocation.symbol.name or 'section'}"
    return f"{prefix}:{instruction.memory_displacement & 0xFFFFFFFF:#x}"


def _defines(name: str, effect: Effect, kills: dict[str, int]) -> str:
    if name in _NO_RESULT or len(effect.writes) != 1:
        return ""
    register = _short(next(iter(effect.writes)))
    if register == "xmm0":
        return register
    # What sets flags may be there for them alone.
    return register if register == "rax" and not effect.flags_written and kills else ""
