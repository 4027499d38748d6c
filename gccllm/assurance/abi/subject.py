"""An object whose functions are watched, with what is asked of it again and again."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from iced_x86 import MemorySizeExt, Register

from gccllm.asm.code import FunctionCode, ObjectCode, Op
from gccllm.asm.elf_format import (
    R_X86_64_32,
    R_X86_64_32S,
    R_X86_64_PC32,
    STB_WEAK,
)
from gccllm.assurance.abi.halves import shifted_out
from gccllm.assurance.abi.steps import Step, step_of
from gccllm.assurance.abi.values import Place, Residue, low_bit, residue

__all__ = ["Subject"]

_ADDRESSES = (R_X86_64_PC32, R_X86_64_32, R_X86_64_32S)


class Subject:
    """``red_zone`` is False where the unit is compiled with -mno-red-zone."""

    def __init__(self, unit: ObjectCode, *, red_zone: bool = True) -> None:
        self.unit = unit
        self.red_zone = red_zone
        self._steps: dict[Place, Step] = {}
        self._clobbers: dict[str, frozenset[str]] = {}
        self._alignment: dict[str, bool] = {}

    @cached_property
    def entries(self) -> dict[str, Place]:
        return {name: place for place, name in self.unit.starts.items()}

    @cached_property
    def imports(self) -> frozenset[str]:
        """Symbols of other objects that any function of the object names."""
        return frozenset(
            op.relocation.symbol.name
            for op in self._ops
            if op.relocation is not None and not op.relocation.symbol.defined
        )

    @cached_property
    def thread_local(self) -> frozenset[str]:
        """Symbols of thread-local variables that any function of the object names."""
        return frozenset(
            op.relocation.symbol.name
            for op in self._ops
            if op.relocation is not None
            and op.instruction.memory_segment in (Register.FS, Register.GS)
        )

    @property
    def _ops(self) -> list[Op]:
        return [op for f in self.functions() for op in f.ops.values()]

    def functions(self) -> list[FunctionCode]:
        """Each function once, whatever aliases it has."""
        return [self.unit.functions[name] for name in self.unit.starts.values()]

    def step(self, op: Op) -> Step:
        if op.place not in self._steps:
            step = replace(step_of(op), data=self._data(op))
            behind = self._by_place.get((op.section, op.address + op.instruction.len))
            vain = shifted_out(op, behind)
            if vain:
                step = replace(step, reads=tuple(x for x in step.reads if x[0] != vain))
            self._steps[op.place] = step
        return self._steps[op.place]

    @cached_property
    def _by_place(self) -> dict[tuple[int, int], Op]:
        return {op.place: op for op in self._ops}

    def clobbers(self, callee: str) -> frozenset[str]:
        if callee not in self._clobbers:
            self._clobbers[callee] = self.unit.clobbers(callee)
        return self._clobbers[callee]

    def needs_alignment(self, callee: str) -> bool:
        if callee not in self._alignment:
            self._alignment[callee] = self.unit.needs_alignment(callee)
        return self._alignment[callee]

    def _data(self, op: Op) -> Residue | None:
        """What its section's alignment says of the address that a symbolic operand means."""
        relocation = op.relocation
        if relocation is None or relocation.kind not in _ADDRESSES:
            return None
        symbol = relocation.symbol
        alignment = self.unit.alignments.get(symbol.section, 1)
        # The linker may take another unit's definition of a weak symbol.
        if alignment <= 1 or symbol.binding == STB_WEAK:
            return None
        return residue(low_bit(alignment), self.symbol_offset(op) or 0)

    @staticmethod
    def symbol_offset(op: Op) -> int | None:
        """Where in its section a symbolic operand lies; None in another object."""
        relocation = op.relocation
        if relocation is None or not relocation.symbol.defined:
            return None
        trailing = 0
        if op.instruction.memory_base == Register.RIP:
            trailing = op.address + op.instruction.len - relocation.offset
        return relocation.symbol.value + relocation.addend + trailing

    @staticmethod
    def bytes_of(op: Op) -> int:
        """Bytes of the memory operand, 64 where its size is open."""
        return MemorySizeExt.size(op.instruction.memory_size) or 64
