"""How a unit's text names places in its code: by plain labels alone, or in ways that lead anywhere.

What names a label may lead control there. What counts bytes (``f+12``, ``.+5``, ``1b``), or lays
down a place as a number, could lead control to any instruction or between two, and is not followed.
"""

from __future__ import annotations

import re

from gccllm.asm.lines import Line, label_of, split_statement, strip_comment
from gccllm.asm.model import Function, Unit, ignored_section
from gccllm.asm.objects import is_code_section

__all__ = ["Mention", "mentions", "plain"]

Mention = tuple[int, str, bool]
"""(line, label, whether a direct jump goes there)"""

_SYMBOL = r"[A-Za-z_.][\w.$]*"
_NAME = re.compile(_SYMBOL)
_FIELD = re.compile(rf"[$*]?{_SYMBOL}(?:@\w+)?(?:\(%rip\))?|{_SYMBOL}-{_SYMBOL}")
_GOAL = re.compile(rf"({_SYMBOL})(?:@\w+)?|\*.*")
_HERE = re.compile(r"(?<![\w.$@%])\.(?![\w.$])")
_BRANCH = re.compile(r"j[a-z]+|call[lq]?|loop\w*|xbegin")
_SILENT = re.compile(
    r"\.(?:cfi_\w+|string|ascii|asciz|ident|file|loc|type|size|globl|global|weak|local|hidden|comm"
    r"|section|pushsection|popsection|previous|text|data|bss|p2align|align|zero)"
)
"""directives that lay down nothing that depends on a place in the code"""
_INSIDE = re.compile(
    r"\s*\.(?:cfi_\w+|loc|type|size|globl|weak|local|hidden|section|text|previous|pushsection"
    r"|popsection)\b.*|\s*\.p2align\s+\d+(?:,,\d+)?"
)


def mentions(unit: Unit) -> list[Mention] | None:
    """Every mention of a label of the unit's code; None where a place is named otherwise."""
    code = {x for x, line in unit.labels.items() if is_code_section(unit.sections[line])}
    code |= {x for x, value in unit.aliases.items() if value in code}
    found: list[Mention] = []
    for index, kind in enumerate(unit.kinds):
        if kind in (Line.BLANK, Line.COMMENT) or ignored_section(unit.sections[index]):
            continue
        line = strip_comment(unit.lines[index])
        if kind is Line.APP:
            if any(x in code for x in _NAME.findall(line)):
                return None
            continue
        if kind is Line.LABEL:
            if line.partition(f"{label_of(line)}:")[2].strip():
                return None
            continue
        head, operands = split_statement(line)
        word = head.split()[-1] if head.split() else ""
        if kind is Line.DIRECTIVE and _SILENT.fullmatch(word):
            continue
        jump = kind is Line.INSTRUCTION and _BRANCH.fullmatch(word) is not None
        if jump and _GOAL.fullmatch(operands.strip()) is None:
            return None
        named = _named(operands, code)
        if named is None:
            return None
        found += [(index, x, jump and not word.startswith("call")) for x in named]
    return found


def _named(operands: str, code: set[str]) -> list[str] | None:
    """The labels of the code among the operands; None where one is part of a sum, or ``.`` is."""
    if _HERE.search(operands):
        return None
    found = []
    for field in operands.split(","):
        named = [x for x in _NAME.findall(field) if x in code]
        if named and _FIELD.fullmatch(field.strip()) is None:
            return None
        found += named
    return found


def plain(unit: Unit, function: Function) -> bool:
    """Whether a function's lines are instructions and labels with names, and what they assemble to
    does not depend on directives."""
    if not is_code_section(function.section):
        return False
    return all(_is_plain(unit, index) for index in function.indices())


def _is_plain(unit: Unit, index: int) -> bool:
    kind, line = unit.kinds[index], unit.lines[index]
    if kind is Line.DIRECTIVE:
        inside = is_code_section(unit.sections[index]) or index in unit.directives
        return not inside or _INSIDE.fullmatch(strip_comment(line)) is not None
    return kind is not Line.LABEL or not (label_of(line) or "").isdigit()
