"""Registers that hold a constant whenever a region is entered.

gcc keeps constants of a loop (a reciprocal, a bit mask, the start of a sum) in registers that are
set above it. Tried with random values there, a region computes nothing in particular; so both
versions that are compared get the constant set in front of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from iced_x86 import Mnemonic, OpKind

from gccllm.asm.code import CALLER_SAVED, ObjectCode, Op
from gccllm.asm.line_code import LineCode, line_code
from gccllm.asm.region_model import Region
from gccllm.asm.unit import Unit

__all__ = ["known_constants", "with_constants"]

_IMMEDIATES = (OpKind.IMMEDIATE32, OpKind.IMMEDIATE64, OpKind.IMMEDIATE32TO64)
_ENTRY = re.compile(r"\bL0\b")
_RENAMED = "L900"


def known_constants(unit: Unit, code: ObjectCode, region: Region) -> Mapping[str, int]:
    """Live-in register → its value in 64 bits, where every definition that reaches the region's
    entry from outside is the same move of a number."""
    lines = line_code(unit, region.function, code)
    if lines is None:
        return {}
    inside = {n for n, line in enumerate(lines.lines) if line in region.lines}
    entered = [(p, n) for n in inside for p in lines.predecessors[n] if p not in inside]
    if not entered or 0 in inside:
        return {}
    found: dict[str, int] = {}
    for register in region.live_in:
        values = _reaching(lines, [p for p, _ in entered], register, inside)
        if len(values) == 1 and None not in values:
            found[register] = next(x for x in values if x is not None)
    return found


def _reaching(
    lines: LineCode, starts: Sequence[int], register: str, inside: set[int]
) -> set[int | None]:
    """Values that a register may have been given behind the nodes ``starts``; None: any."""
    values: set[int | None] = set()
    seen: set[int] = set()
    work = list(starts)
    while work:
        node = work.pop()
        if node in seen:
            continue
        seen.add(node)
        op = lines.ops[node]
        if register in op.writes or (lines.is_call(node) and register in CALLER_SAVED):
            values.add(None if node in inside else _moved(op))
            continue
        if node == 0:
            values.add(None)
        work += lines.predecessors[node]
    return values


def _moved(op: Op) -> int | None:
    """The number that an instruction moves into its register, zero for a xor with itself."""
    instruction = op.instruction
    if instruction.mnemonic == Mnemonic.MOV and instruction.op1_kind in _IMMEDIATES:
        return None if op.relocation is not None else instruction.immediate(1) & (1 << 64) - 1
    if instruction.mnemonic == Mnemonic.XOR and instruction.op1_kind == OpKind.REGISTER:
        return 0 if instruction.op0_register == instruction.op1_register else None
    return None


def with_constants(lines: Sequence[str], constants: Mapping[str, int]) -> list[str]:
    """Canonical lines with the constants set in front of them; still entered at the top."""
    if not constants:
        return list(lines)
    sets = [f"\tmovabsq\t${value}, %{register}" for register, value in constants.items()]
    if any(x.strip() == "L0:" for x in lines):
        enter = [] if lines[0].strip() == "L0:" else [f"\tjmp\t{_RENAMED}"]
        return [*sets, *enter, *(_ENTRY.sub(_RENAMED, x) for x in lines)]
    return [*sets, *lines]
