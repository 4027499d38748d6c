"""Where a function's indirect jumps lead: the tables of its switches.

gcc and clang write one as ``leaq table(%rip), %rdx; movslq (%rdx,%rax,4), %rax; addq %rdx, %rax;
jmp *%rax`` with entries relative to the table (GCC's ASM_OUTPUT_ADDR_DIFF_ELT), or as a jump
through absolute entries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from iced_x86 import FlowControl

from gccllm.asm.elf_format import R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32

if TYPE_CHECKING:
    from gccllm.asm.code import Op
    from gccllm.asm.elf import ElfFile

__all__ = ["JumpTables"]

_Place = tuple[int, int]
_FALLING = (FlowControl.NEXT, FlowControl.CONDITIONAL_BRANCH)


class JumpTables:
    """The tables that one function's instructions refer to. ``branches``: where its direct jumps
    lead."""

    def __init__(
        self, elf: ElfFile, ops: Mapping[_Place, Op], branches: Collection[_Place]
    ) -> None:
        self._elf = elf
        self._ops = ops
        self._branches = branches

    def targets(self, jump: Op) -> tuple[_Place, ...]:
        """Where ``jump`` may lead: by the table in front of it, else by any of the function's.
        Empty where there is none."""
        near = self._in_front_of(jump)
        return self._everything if near is None else tuple(sorted(set(self._tables[near])))

    @cached_property
    def _tables(self) -> dict[_Place, tuple[_Place, ...]]:
        """(section, offset) → targets."""
        starts = {x for x in map(self._reference, self._ops.values()) if x is not None}
        tables = sorted(x for x in starts if next(self._entries(*x), None) is not None)
        found: dict[_Place, tuple[_Place, ...]] = {}
        for number, (index, start) in enumerate(tables):
            following = tables[number + 1 : number + 2]
            # One may follow the other without a gap, and its entries are relative to itself.
            end = following[0][1] if following and following[0][0] == index else None
            found[index, start] = tuple(self._entries(index, start, end))
        return found

    @cached_property
    def _everything(self) -> tuple[_Place, ...]:
        return tuple(sorted({x for targets in self._tables.values() for x in targets}))

    @cached_property
    def _order(self) -> list[_Place]:
        return sorted(self._ops)

    @cached_property
    def _entered(self) -> frozenset[_Place]:
        """Where other ways than falling through lead."""
        return frozenset((*self._branches, *self._everything))

    def _in_front_of(self, jump: Op) -> _Place | None:
        """The table whose address goes into a jump on the only way to it."""
        following, feeding = jump.place, jump.reads
        for number in range(bisect_left(self._order, jump.place) - 1, -1, -1):
            op = self._ops[self._order[number]]
            straight = (op.section, op.address + op.instruction.len) == following
            if following in self._entered or not straight:
                return None
            if op.instruction.flow_control not in _FALLING:
                return None
            if op.writes & feeding:
                if self._reference(op) in self._tables:
                    return self._reference(op)
                feeding = (feeding - op.full_writes) | op.reads
            following = op.place
        return None

    def _reference(self, op: Op) -> _Place | None:
        """(section, offset) of the data that an instruction refers to."""
        reference = op.relocation
        if reference is None or not 0 < reference.symbol.section < len(self._elf.sections):
            return None
        if self._elf.sections[reference.symbol.section].executable:
            return None
        start = reference.symbol.value + reference.addend
        if reference.kind in (R_X86_64_PC32, R_X86_64_PLT32):
            start += op.address + op.instruction.len - reference.offset
        return reference.symbol.section, start

    def _entries(self, index: int, start: int, end: int | None = None) -> Iterator[_Place]:
        """The targets of one table up to ``end``, or as far as entries make sense."""
        expected = start
        relocations = self._elf.relocations.get(index, ())
        first = bisect_left(relocations, start, key=lambda x: x.offset)
        for entry in islice(relocations, first, None):
            if entry.offset != expected or entry.kind not in (R_X86_64_PC32, R_X86_64_64):
                return
            relative = entry.kind == R_X86_64_PC32
            if entry.offset == end and relative:
                return
            value = entry.symbol.value + entry.addend
            place = entry.symbol.section, value - (entry.offset - start) if relative else value
            if place not in self._ops:
                return
            yield place
            expected += 4 if relative else 8
