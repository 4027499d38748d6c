"""What the compared programs themselves look for: their code's immediate operands, and options.

A branch that no recording takes is guarded by a comparison, and the constant of the comparison is
in the code; so is a table of recorded inputs in a candidate that has learned the answers.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from iced_x86 import Decoder, Instruction, Mnemonic, OpKind

from gccllm.asm.effects import IMMEDIATES
from gccllm.asm.elf import ElfError, read_elf

__all__ = ["mine", "one_sided", "spelled_options"]

MOST_CONSTANTS = 256
MOST_DIFFERING = 32
MOST_OPTIONS = 100
_OPTION = re.compile(rb"(?<![\w/.-])(?:-[A-Za-z]|--[a-z][a-z-]{1,24})(?![\w-])")
_TELLING = frozenset(
    (Mnemonic.CMP, Mnemonic.TEST, Mnemonic.SUB, Mnemonic.ADD, Mnemonic.AND, Mnemonic.XOR)
)
"""what precedes a branch; other constants count less"""


def mine(objects: Iterable[Path]) -> tuple[int, ...]:
    """The constants of the objects' code, those of comparisons first, then by frequency.

    Signed values; an object that can't be decoded gives none.
    """
    telling, others = _counted(objects)
    ordered = [value for value, _ in telling.most_common()]
    ordered += [value for value, _ in others.most_common() if value not in telling]
    return tuple(ordered[:MOST_CONSTANTS])


def one_sided(baseline: Iterable[Path], candidate: Iterable[Path]) -> tuple[int, ...]:
    """The constants that one side alone has: what a rewrite looks for, or no longer does. Those of
    comparisons first."""
    found: list[int] = []
    for ours, theirs in zip(_counted(baseline), _counted(candidate), strict=True):
        found += sorted(ours.keys() ^ theirs.keys())
    return tuple(dict.fromkeys(found))[:MOST_DIFFERING]


def spelled_options(objects: Iterable[Path]) -> tuple[str, ...]:
    """Options that stand in the objects' texts, as usage messages and tables of options have them:
    -v, --verbose. In the order in which they are found; none of an object that can't be read."""
    found: dict[str, None] = {}
    for path in objects:
        try:
            sections = read_elf(path).sections
        except (ElfError, OSError):
            continue
        for section in sections:
            if section.name.startswith(".rodata"):
                texts = _OPTION.findall(section.content)
                found.update(dict.fromkeys(x.decode("ascii") for x in texts))
    return tuple(found)[:MOST_OPTIONS]


def _counted(objects: Iterable[Path]) -> tuple[Counter[int], Counter[int]]:
    """How often each constant stands in comparisons and the like, and elsewhere."""
    telling: Counter[int] = Counter()
    others: Counter[int] = Counter()
    for path in objects:
        try:
            state = path.stat()
            found = _of_object(path, state.st_mtime_ns, state.st_size)
        except (ElfError, OSError):
            continue
        telling.update(found[0])
        others.update(found[1])
    return telling, others


@lru_cache(maxsize=1024)
def _of_object(path: Path, changed: int, size: int) -> tuple[Counter[int], Counter[int]]:
    """Of one object, as it was when it was ``changed`` last: most of a program's stay the same.
    Raises ElfError, OSError."""
    del changed, size
    telling: Counter[int] = Counter()
    others: Counter[int] = Counter()
    elf = read_elf(path)
    for index, section in enumerate(elf.sections):
        if not section.executable:
            continue
        relocated = sorted(x.offset for x in elf.relocations.get(index, ()))
        for instruction in Decoder(64, section.content):
            at = bisect_left(relocated, instruction.ip)
            if at == len(relocated) or relocated[at] >= instruction.next_ip:
                into = telling if instruction.mnemonic in _TELLING else others
                into.update(_immediates(instruction))
    return telling, others


def _immediates(instruction: Instruction) -> Iterator[int]:
    for operand in range(instruction.op_count):
        if instruction.op_kind(operand) in IMMEDIATES:
            value = instruction.immediate(operand)
            yield value - (1 << 64) if value >> 63 else value
            if instruction.op_kind(operand) == OpKind.IMMEDIATE32 and value >> 31:
                yield value - (1 << 32)
