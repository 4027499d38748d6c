"""The machine code of an object's functions: instructions, calls, registers written.

Decoded with iced-x86 from an ELF object; what a caller in the same unit could observe beyond the
ABI (see :mod:`gccllm.asm.rules`) is gathered here as plain facts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from iced_x86 import (
    Code,
    Decoder,
    EncodingKind,
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    MemorySizeExt,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RegisterExt,
)

from gccllm.asm.elf import ElfFile, read_elf
from gccllm.asm.elf_format import (
    SHF_MERGE,
    SHF_STRINGS,
    SHN_LORESERVE,
    STT_FUNC,
    Relocation,
    Section,
)
from gccllm.asm.jump_tables import JumpTables

if TYPE_CHECKING:
    from iced_x86._iced_x86_py import Register as RegisterId

__all__ = [
    "CALLER_SAVED",
    "FunctionCode",
    "ObjectCode",
    "Op",
    "branch_target",
    "functions_of",
    "register_name",
]

_BRANCHES = (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH)
_WRITES = frozenset(
    (OpAccess.WRITE, OpAccess.READ_WRITE, OpAccess.COND_WRITE, OpAccess.READ_COND_WRITE)
)
_UNALIGNED_LEGACY = frozenset((Mnemonic.MOVUPS, Mnemonic.MOVUPD, Mnemonic.MOVDQU, Mnemonic.LDDQU))
_ALIGNED_VEX = frozenset(
    (
        Mnemonic.VMOVAPS,
        Mnemonic.VMOVAPD,
        Mnemonic.VMOVDQA,
        Mnemonic.VMOVDQA32,
        Mnemonic.VMOVDQA64,
        Mnemonic.VMOVNTDQ,
        Mnemonic.VMOVNTDQA,
        Mnemonic.VMOVNTPS,
        Mnemonic.VMOVNTPD,
    )
)
_STACK = (Register.RSP, Register.RBP)
_ALL_REGISTERS: list[RegisterId] = list(
    filter(lambda x: isinstance(x, int), vars(Register).values())
)
_X87 = frozenset(x for x in _ALL_REGISTERS if RegisterExt.is_st(x) or RegisterExt.is_mm(x))
_WIDE = frozenset(x for x in _ALL_REGISTERS if RegisterExt.is_ymm(x) or RegisterExt.is_zmm(x))

_GENERAL = tuple("rax rcx rdx rsi rdi r8 r9 r10 r11".split())
CALLER_SAVED: frozenset[str] = frozenset(
    (*_GENERAL, *(f"xmm{i}" for i in range(32)), *(f"k{i}" for i in range(8)), "x87", "uppers")
)
"""Registers that a call may change under the System V ABI; xmm stands for ymm and zmm too.

"x87" is the x87 and MMX stack; "uppers" the upper halves of all vector registers at once, which
vzeroupper and vzeroall clear."""


def _register_names() -> dict[RegisterId, str]:
    names: dict[RegisterId, str] = {}
    for value in _ALL_REGISTERS:
        full = RegisterExt.full_register(value)
        if RegisterExt.is_gpr(value):
            number = RegisterExt.number(full)
            names[value] = (
                "rax rcx rdx rbx rsp rbp rsi rdi".split()[number] if number < 8 else f"r{number}"
            )
        elif RegisterExt.is_vector_register(value):
            names[value] = f"xmm{RegisterExt.number(value)}"
        elif RegisterExt.is_k(value):
            names[value] = f"k{RegisterExt.number(value)}"
        elif RegisterExt.is_st(value) or RegisterExt.is_mm(value):
            names[value] = "x87"
    return names


_NAMES = _register_names()


def register_name(register: RegisterId) -> str | None:
    """The 64-bit name of a general register, xmmN of a vector register, kN, "x87", or None."""
    return _NAMES.get(register)


@dataclass(frozen=True)
class Op:
    """One instruction at ``address`` of the section with index ``section``, the relocation that
    patches it, and the full names of the registers that it writes (perhaps) and reads."""

    section: int
    address: int
    instruction: Instruction
    relocation: Relocation | None
    writes: frozenset[str]
    reads: frozenset[str]
    full_writes: frozenset[str]
    """registers that it certainly overwrites, general ones in all 64 bits"""

    @property
    def place(self) -> tuple[int, int]:
        return (self.section, self.address)


@dataclass
class FunctionCode:
    """Facts about one function, its cold part included.

    ``writes``: caller-saved registers that its own instructions write. ``callees``: functions of
    the object that it calls or tail-jumps to directly. ``opaque``: it also calls elsewhere (another
    object, a pointer). ``aligned_access``: it touches its stack with an instruction that faults on
    a misaligned address. ``realigns``: it aligns rsp itself. ``wide``: it uses ymm or zmm.
    ``returns``: it holds a return or a jump out.
    """

    name: str
    is_local: bool
    ops: dict[tuple[int, int], Op] = field(default_factory=dict)
    writes: set[str] = field(default_factory=set)
    callees: set[str] = field(default_factory=set)
    opaque: bool = False
    has_call: bool = False
    aligned_access: bool = False
    realigns: bool = False
    red_zone: bool = False
    indexed_below: bool = False
    """a displacement below rsp with an index: mostly an array's element, and the array above rsp"""
    wide: bool = False
    nowhere: set[tuple[int, int]] = field(default_factory=set)
    """where its cold part would be, had it any instruction: gcc takes jumps there for impossible"""
    returns: bool = False
    jumps: dict[tuple[int, int], tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """indirect jump → its jump table's targets; absent for what looks like a tail call"""


@dataclass(frozen=True)
class ObjectCode:
    """An object's functions by name (an alias leads to the same function) and by where they start:
    (section index, address) → name."""

    functions: Mapping[str, FunctionCode]
    starts: Mapping[tuple[int, int], str]
    alignments: Mapping[int, int] = field(default_factory=dict)
    """section index → bytes that an offset in it is sure to keep its alignment to when linked"""

    def clobbers(self, name: str) -> frozenset[str]:
        """Caller-saved registers that a call of ``name`` may write, callees included."""
        found: set[str] = set()
        for function in self.reached(name):
            if function.opaque:
                return CALLER_SAVED
            found |= function.writes
        return frozenset(found)

    def needs_alignment(self, name: str) -> bool:
        """True when ``name`` works only if its caller keeps rsp aligned to 16 bytes.

        Any call out of the object counts, for the ABI promises alignment there.
        """
        seen: set[str] = set()
        queue = [name]
        while queue:
            function = self.functions.get(queue.pop())
            if function is None or function.name in seen:
                continue
            seen.add(function.name)
            if function.realigns:
                continue
            if function.opaque or function.aligned_access:
                return True
            queue += function.callees
        return False

    def reached(self, name: str) -> Iterator[FunctionCode]:
        """``name`` and every function of the object that it reaches by direct calls."""
        seen: set[str] = set()
        queue = [name]
        while queue:
            function = self.functions.get(queue.pop())
            if function is not None and function.name not in seen:
                seen.add(function.name)
                queue += function.callees
                yield function

    def callers(self, name: str) -> frozenset[str]:
        """Functions that call or tail-jump to ``name`` (or an alias of it) directly."""
        function = self.functions.get(name)
        if function is None:
            return frozenset()
        return frozenset(f.name for f in self.functions.values() if function.name in f.callees)


def branch_target(op: Op) -> tuple[int, int] | None:
    """(section, address) that a direct branch goes to; None for a symbol of another object."""
    if op.relocation is None:
        return (op.section, op.instruction.near_branch_target)
    symbol = op.relocation.symbol
    if not 0 < symbol.section < SHN_LORESERVE:
        return None
    trailing = op.address + op.instruction.len - op.relocation.offset
    return (symbol.section, symbol.value + op.relocation.addend + trailing)


def functions_of(path: Path | str) -> ObjectCode:
    """Decode every function of an object. Raises ElfError, and OSError when it can't be read."""
    return _Loader(read_elf(path)).load()


def _kept_alignment(section: Section) -> int:
    if section.flags & SHF_MERGE:
        # Equal constants and tails of strings become one.
        return 1 if section.flags & SHF_STRINGS else min(section.alignment, section.entry_size)
    return section.alignment


class _Loader:
    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.info = InstructionInfoFactory()
        self.starts: dict[tuple[int, int], str] = {}
        self.functions: dict[str, FunctionCode] = {}
        self.tables: dict[str, JumpTables] = {}

    def load(self) -> ObjectCode:
        parts: dict[str, list[tuple[int, int, int]]] = {}
        aliases: dict[str, str] = {}
        symbols = [
            s
            for s in self.elf.symbols
            if s.kind == STT_FUNC and 0 < s.section < len(self.elf.sections)
        ]
        # Of several names at one place the source's own comes first: gcc adds NAME.localalias.
        for symbol in sorted(symbols, key=lambda s: (s.name.endswith(".localalias"), s.name)):
            owner = symbol.name.split(".cold")[0] if ".cold" in symbol.name else symbol.name
            place = (symbol.section, symbol.value)
            if owner == symbol.name:
                first = self.starts.setdefault(place, owner)
                if first != owner:
                    aliases[owner] = first
                    continue
                self.functions[owner] = FunctionCode(owner, symbol.binding == 0)
            parts.setdefault(owner, []).append((*place, symbol.size))
        for name, ranges in parts.items():
            if name in self.functions:
                self._decode(self.functions[name], ranges)
                self.functions[name].nowhere = {(x[0], x[1]) for x in ranges if x[2] == 0}
        for function in self.functions.values():
            self._facts(function)
        for alias, first in aliases.items():
            self.functions[alias] = self.functions[first]
        alignments = {x.index: _kept_alignment(x) for x in self.elf.sections}
        return ObjectCode(self.functions, self.starts, alignments)

    def _decode(self, function: FunctionCode, ranges: list[tuple[int, int, int]]) -> None:
        for index, start, size in ranges:
            code = self.elf.sections[index].content[start : start + size]
            relocations = self.elf.relocations.get(index, ())
            for instruction in Decoder(64, code, ip=start):
                at = bisect_right(relocations, instruction.ip, key=lambda x: x.offset) - 1
                relocation = None
                for candidate in relocations[max(at, 0) : at + 3]:
                    if instruction.ip <= candidate.offset < instruction.next_ip:
                        relocation = candidate
                writes: set[str] = set()
                reads: set[str] = set()
                full: set[str] = set()
                for used in self.info.info(instruction).used_registers():
                    name = _NAMES.get(used.register)
                    if name is None:
                        continue
                    if used.access in _WRITES:
                        writes.add(name)
                    if used.access == OpAccess.WRITE and (
                        not RegisterExt.is_gpr(used.register)
                        or RegisterExt.size(used.register) >= 4
                    ):
                        full.add(name)
                    if used.access not in (OpAccess.WRITE, OpAccess.COND_WRITE):
                        reads.add(name)
                if instruction.mnemonic in (Mnemonic.VZEROUPPER, Mnemonic.VZEROALL):
                    writes = {"uppers"} | (
                        writes if instruction.mnemonic == Mnemonic.VZEROALL else set()
                    )
                registers = _registers(instruction)
                if _touches_x87(instruction, registers):
                    writes.add("x87")
                function.wide |= not _WIDE.isdisjoint(registers)
                function.ops[(index, instruction.ip)] = Op(
                    index,
                    instruction.ip,
                    instruction,
                    relocation,
                    frozenset(writes),
                    frozenset(reads),
                    frozenset(full - reads),
                )

    def _facts(self, function: FunctionCode) -> None:
        for op in function.ops.values():
            instruction = op.instruction
            function.writes |= op.writes & CALLER_SAVED
            self._flow(function, op)
            function.aligned_access |= _aligned_stack_access(instruction)
            if (
                instruction.mnemonic == Mnemonic.AND
                and instruction.op0_kind == OpKind.REGISTER
                and instruction.op0_register == Register.RSP
            ):
                function.realigns = True
            if (
                instruction.memory_base == Register.RSP
                and instruction.memory_displacement >= 1 << 63
                and instruction.mnemonic not in (Mnemonic.LEA, Mnemonic.NOP)
            ):
                indexed = bool(instruction.memory_index)
                function.red_zone |= not indexed
                function.indexed_below |= indexed

    def _flow(self, function: FunctionCode, op: Op) -> None:
        flow = op.instruction.flow_control
        if flow in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
            function.has_call = True
        if flow in (
            FlowControl.CALL,
            FlowControl.UNCONDITIONAL_BRANCH,
            FlowControl.CONDITIONAL_BRANCH,
        ):
            place = branch_target(op)
            if place in function.ops and flow != FlowControl.CALL:
                return
            function.returns |= flow != FlowControl.CALL
            callee = self.starts.get(place) if place is not None else None
            if callee is None:
                function.opaque = True
            else:
                function.callees.add(callee)
        elif flow == FlowControl.INDIRECT_CALL:
            function.opaque = True
        elif flow == FlowControl.INDIRECT_BRANCH:
            targets = self._tables(function).targets(op)
            through_register = op.relocation is None or op.instruction.memory_index != Register.NONE
            if targets and through_register:
                function.jumps[op.place] = targets
            else:
                function.opaque = function.returns = True
        elif flow == FlowControl.RETURN:
            function.returns = True
        elif flow in (FlowControl.INTERRUPT, FlowControl.XBEGIN_XABORT_XEND):
            function.opaque = True

    def _tables(self, function: FunctionCode) -> JumpTables:
        if function.name not in self.tables:
            branches = (
                branch_target(op)
                for op in function.ops.values()
                if op.instruction.flow_control in _BRANCHES
            )
            inner = {x for x in branches if x is not None}
            self.tables[function.name] = JumpTables(self.elf, function.ops, inner)
        return self.tables[function.name]


def _registers(instruction: Instruction) -> list[RegisterId]:
    return [
        instruction.op_register(x)
        for x in range(instruction.op_count)
        if instruction.op_kind(x) == OpKind.REGISTER
    ]


def _touches_x87(instruction: Instruction, registers: Sequence[RegisterId]) -> bool:
    if instruction.code == Code.WAIT:
        return False
    top = instruction.fpu_stack_increment_info().writes_top
    return top or not _X87.isdisjoint(registers)


def _aligned_stack_access(instruction: Instruction) -> bool:
    """An access to memory at rsp or rbp that faults when the address is misaligned."""
    if instruction.memory_base not in _STACK or instruction.mnemonic == Mnemonic.LEA:
        return False
    if MemorySizeExt.size(instruction.memory_size) < 16:
        return False
    if instruction.encoding == EncodingKind.LEGACY:
        return instruction.mnemonic not in _UNALIGNED_LEGACY and any(
            RegisterExt.is_xmm(r) for r in _registers(instruction)
        )
    return instruction.mnemonic in _ALIGNED_VEX
