"""Blocks that do nothing but end the program: by which function, and with which arguments.

A failed assertion, ``abort()``, ``exit(1)``: two such blocks of different compilers are the same
when the function and its arguments are, for nothing comes after them. Registers, stack and all
else that they leave behind is of no account.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gccllm.asm.unit import Unit

__all__ = ["end_of", "named"]

_ENDS: Mapping[str, int] = {
    "abort": 0,
    "exit": 1,
    "_exit": 1,
    "_Exit": 1,
    # The fourth argument is the function's name, which gcc and clang spell differently.
    "__assert_fail": 3,
}
"""function that does not return → how many of its arguments say how the program ends"""
_ARGUMENTS = (("rdi", "edi"), ("rsi", "esi"), ("rdx", "edx"))
_PLACE = re.compile(r"leaq? ([A-Za-z_.$][\w.$]*)\(%rip\)|mov[lq]? \$([A-Za-z_.$][\w.$]*)")
_NUMBER = re.compile(r"\$(-?(?:0[xX][0-9a-fA-F]+|\d+))")
_TARGET = re.compile(r"(\w+)(?:@PLT)?|\*(\w+)@GOTPCREL\(%rip\)")
_SETS = frozenset("mov movl movq movabs movabsq lea leaq".split())
_CALLS = frozenset("call callq jmp jmpq".split())
_WHOLE = re.compile(r"%(?:r(?:[abcd]x|[sd]i|bp|\d+d?)|e(?:[abcd]x|[sd]i|bp))")
_IDLE = frozenset("nop nopl nopw endbr64 push pushq".split())


def named(end: str) -> bool:
    """Whether it says which place of the source it is."""
    return end.startswith("__assert_fail(")


def end_of(statements: Iterable[tuple[str, str]], unit: Unit) -> str:
    """How a block ends the program, as a text that is equal for equal ends; "" where it does
    anything else, or that can't be told. ``statements``: its instructions as (word, operands)."""
    known: dict[str, str] = {}
    for word, operands in statements:
        fields = [x.strip() for x in operands.split(",")]
        if word in _CALLS:
            return _end(operands, known, unit)
        if word in _IDLE or (word in ("sub", "subq") and fields[1:] == ["%rsp"]):
            continue
        if len(fields) != 2 or _WHOLE.fullmatch(fields[1]) is None:
            return ""
        if word in ("xor", "xorl", "xorq") and fields[0] == fields[1]:
            value = "0"
        elif word in _SETS:
            value = _constant(word, fields[0], unit)
        else:
            return ""
        for names in _ARGUMENTS:
            if fields[1][1:] in names:
                known[names[0]] = value
    return ""


def _end(target: str, known: Mapping[str, str], unit: Unit) -> str:
    found = _TARGET.fullmatch(target)
    name = (found.group(1) or found.group(2)) if found else ""
    if name not in _ENDS or name in unit.functions:
        return ""
    values = [known.get(names[0], "") for names in _ARGUMENTS[: _ENDS[name]]]
    return f"{name}({', '.join(values)})" if all(values) else ""


def _constant(word: str, operand: str, unit: Unit) -> str:
    """A number, or the text that a read-only object begins with; "" for all else."""
    number = _NUMBER.fullmatch(operand)
    if number is not None:
        return str(int(number.group(1), 0) & 0xFFFFFFFF)
    place = _PLACE.fullmatch(f"{word} {operand}")
    found = unit.objects.get(place.group(1) or place.group(2)) if place is not None else None
    if found is None or not found.read_only or not found.content:
        return ""
    size, data = found.content[0]
    if len(data) != 2 * size or "00" not in [data[i : i + 2] for i in range(0, len(data), 2)]:
        return ""
    return repr(bytes.fromhex(data).split(b"\0")[0])
