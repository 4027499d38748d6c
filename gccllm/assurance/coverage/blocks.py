"""Count basic blocks: assembly text in which every block notes that it was entered.

``movb $1, __gccllm_reached+K(%rip)`` in front of a block's first instruction changes neither flags
nor registers, and nothing on the stack. A block starts at the function's entry, at a label that
something refers to, and behind a conditional jump. A jump alone is none: it only leads from one
block to another, as the two ways of a conditional jump do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.lines import Line, label_of, split_statement
from gccllm.asm.objects import is_code_section
from gccllm.asm.unit import Function, Unit, parse

__all__ = ["COUNTERS", "Block", "Instrumented", "instrument", "instrument_calls"]

COUNTERS = "__gccllm_reached"
_CONDITIONAL = re.compile(r"j(?!mp)[a-z]+|loop\w*", re.I)
_ENTRY_MARKS = frozenset(("endbr64", "endbr32"))
_PREFIXES = frozenset("rep repe repz repne repnz lock notrack bnd data16 cs ds".split())
_DATA = frozenset(".byte .value .short .word .long .quad .ascii .asciz .string .zero .skip".split())
# a distance within the code, or a place counted from here or from a label
_DISTANCE = re.compile(r"\.L[\w.$]*\s*-\s*\.L|(?<![\w.%$])\.\s*[-+]\s*\d")
_BESIDE = re.compile(r"\.L[\w.$]*\s*[-+]\s*\d")


@dataclass(frozen=True)
class Block:
    """A block of ``function`` that starts at ``line`` of the original text, counted from 1."""

    function: str
    line: int
    text: str


@dataclass(frozen=True)
class Instrumented:
    """``text`` with counters: block i of ``blocks`` has number ``first`` + i. ``left_out`` says why
    a function has none."""

    text: str
    first: int
    blocks: tuple[Block, ...]
    left_out: Mapping[str, str]


def instrument(text: str, functions: Sequence[str], first: int = 0) -> Instrumented:
    """Put counters, numbered from ``first``, into the named functions of a unit."""
    unit = parse(text)
    lines = list(unit.lines)
    blocks: list[Block] = []
    before: dict[int, str] = {}
    bearing, left_out = _bearing(unit, functions)
    for function in bearing:
        for index in _starts(unit, function):
            counter = f"{COUNTERS}+{first + len(blocks)}(%rip)"
            before[index] = f"\tmovb\t$1, {counter}"
            blocks.append(Block(function.name, index + 1, lines[index].strip()))
    changed: list[str] = []
    for index, line in enumerate(lines):
        if index in before:
            changed.append(before[index])
        changed.append(line)
    return Instrumented("\n".join(changed), first, tuple(blocks), left_out)


def instrument_calls(text: str, functions: Sequence[str], first: int = 0) -> Instrumented:
    """Count how often the named functions are entered from outside: 8 bytes each, numbered from
    ``first``. Flags hold nothing at a function's entry (System V ABI 3.2.1)."""
    unit = parse(text)
    blocks: list[Block] = []
    behind: dict[int, str] = {}
    bearing, left_out = _bearing(unit, functions)
    for function in bearing:
        # A loop may begin at the first instruction, but not at the function's own name.
        at = next(i for i in function.indices() if label_of(unit.lines[i]) == function.name)
        then = next((i for i in function.indices() if unit.kinds[i] is Line.INSTRUCTION), at)
        if split_statement(unit.lines[then])[0].strip() in _ENTRY_MARKS:
            at = then
        behind[at] = f"\tincq\t{COUNTERS}+{8 * (first + len(blocks))}(%rip)"
        blocks.append(Block(function.name, at + 1, unit.lines[at].strip()))
    changed: list[str] = []
    for index, line in enumerate(unit.lines):
        changed.append(line)
        if index in behind:
            changed.append(behind[index])
    return Instrumented("\n".join(changed), first, tuple(blocks), left_out)


def _bearing(unit: Unit, names: Sequence[str]) -> tuple[list[Function], dict[str, str]]:
    """The functions whose code bears counters, and why the others' does not."""
    bearing: list[Function] = []
    left_out: dict[str, str] = {}
    for name in names:
        function = unit.functions.get(name)
        why = "it is not in the unit" if function is None else _obstacle(unit, function)
        if function is None or why:
            left_out[name] = why
        else:
            bearing.append(function)
    return bearing, left_out


def _obstacle(unit: Unit, function: Function) -> str:
    """Why its blocks can't be counted: "" when they can."""
    for word, meaning in (
        ("inline-asm", "inline assembly hides blocks"),
        ("duplicate-label", "a label is defined twice"),
        ("not-att-64", "not 64-bit code in AT&T syntax"),
        ("no-size", "its end is not marked"),
        ("overlap", "it overlaps another function"),
    ):
        if word in function.obstacles:
            return meaning
    for index in function.indices():
        if not is_code_section(unit.sections[index]):
            continue
        word, operands = split_statement(unit.lines[index])
        kind = unit.kinds[index]
        if kind is Line.DIRECTIVE and word.strip() in _DATA:
            return "data lies in its code"
        if kind is Line.INSTRUCTION:
            branch = word.split()[-1:] and word.split()[-1].startswith(("j", "loop", "call"))
            if _DISTANCE.search(operands) or (branch and _BESIDE.search(operands)):
                return "it counts on the lengths of its instructions"
            if word.split()[-1] in _PREFIXES and not operands.strip():
                return "a prefix stands on a line of its own"
    return ""


def _starts(unit: Unit, function: Function) -> Iterator[int]:
    """The lines in front of which a block starts."""
    entries = {function.name, *function.cold}
    leader = False
    for index in function.indices():
        kind = unit.kinds[index]
        if not is_code_section(unit.sections[index]):
            continue
        if kind is Line.LABEL:
            label = label_of(unit.lines[index]) or ""
            leader |= label in entries or label in unit.references or label.isdigit()
        elif kind is Line.INSTRUCTION:
            word = split_statement(unit.lines[index])[0].split()
            if word and word[-1] in _ENTRY_MARKS:
                continue  # it has to be the first instruction itself
            if leader and not _is_jump_within(function, unit.lines[index]):
                yield index
            leader = bool(word) and _CONDITIONAL.fullmatch(word[-1]) is not None


def _is_jump_within(function: Function, line: str) -> bool:
    word, operands = split_statement(line)
    return word.strip() in ("jmp", "jmpq") and operands.strip() in function.labels
