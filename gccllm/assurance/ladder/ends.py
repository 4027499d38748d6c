"""Blocks that do nothing but end the program: by which function, and with which arguments.

A failed assertion, ``abort()``, ``exit(1)``: two such blocks of different compilers are the same
when the function and its arguments are, for nothing comes after them. Registers, stack and all
else that they leave behind is of no account. A call of a function of the program's own that never
returns is such an end, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from gccllm.asm.unit import Unit
from gccllm.assurance.ladder.stops import ENDS, TARGET

__all__ = ["Stop", "end_of", "named", "numbered"]

Stop = Callable[[str], Sequence[str] | None]
"""function of the program's own → the registers with all that it is told, where it never returns
(see :mod:`gccllm.assurance.ladder.stops`)"""
_NAMES = {
    **{f"{x}{y}": f"r{y}" for x in "re" for y in "ax bx cx dx si di bp".split()},
    **{f"r{x}{y}": f"r{x}" for x in range(8, 16) for y in ("", "d")},
}
"""names of general registers, whole and half"""
_PLACE = re.compile(r"leaq? ([A-Za-z_.$][\w.$]*)\(%rip\)|mov[lq]? \$([A-Za-z_.$][\w.$]*)")
_NUMBER = re.compile(r"\$(-?(?:0[xX][0-9a-fA-F]+|\d+))")
_SETS = frozenset("mov movl movq movabs movabsq lea leaq".split())
_CALLS = frozenset("call callq jmp jmpq".split())
_SPILL = re.compile(r"-?\d*\(%rsp\)")
_IDLE = frozenset("nop nopl nopw endbr64 push pushq vzeroupper".split())
_STACK = frozenset("sub subq add addq".split())
_POPS = frozenset(("pop", "popq"))


def named(end: str) -> bool:
    """Whether it says which place of the source it is."""
    return end.startswith("__assert_fail(")


def numbered(end: str) -> bool:
    """Whether a function of the program's own is told by a number why it is called."""
    return bool(end) and not end.endswith("()") and end.partition("(")[0] not in ENDS


def end_of(statements: Iterable[tuple[str, str]], unit: Unit, stop: Stop) -> str:
    """How a block ends the program, as a text that is equal for equal ends; "" where it does
    anything else, or that can't be told. ``statements``: its instructions as (word, operands)."""
    known: dict[str, str] = {}
    for word, operands in statements:
        fields = [x.strip() for x in operands.split(",")]
        if word in _CALLS:
            return _end(operands, known, unit, stop)
        if word in _IDLE or (word in _STACK and fields[1:] == ["%rsp"]):
            continue
        if word in _POPS and len(fields) == 1:
            known.pop(fields[0][1:], "")
            continue
        if word in _SETS and len(fields) == 2 and _SPILL.fullmatch(fields[1]):
            continue
        target = _NAMES.get(fields[-1][1:], "")
        if len(fields) != 2 or not target:
            return ""
        if word in ("xor", "xorl", "xorq") and fields[0] == fields[1]:
            value = "0"
        elif word in _SETS and fields[0][1:] in _NAMES:
            value = known.get(_NAMES[fields[0][1:]], "")
        elif word in _SETS:
            value = _constant(word, fields[0], unit)
        else:
            return ""
        known[target] = value
    return ""


def _end(target: str, known: Mapping[str, str], unit: Unit, stop: Stop) -> str:
    found = TARGET.fullmatch(target)
    name = (found.group(1) or found.group(2)) if found else ""
    if name in ENDS and name not in unit.functions:
        told: Sequence[str] | None = ("rdi", "rsi", "rdx")[: ENDS[name]]
    else:
        told = stop(name)
    if told is None:
        return ""
    values = [known.get(x, "") for x in told]
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
