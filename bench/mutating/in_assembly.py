"""Mistakes in assembly: each operator yields versions of a function's lines with one thing wrong.

Lines go in and come out, of one function; a version that as does not take is the caller's to drop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from gccllm.asm.renaming import GENERAL, registers_in, renamed

__all__ = ["OPERATORS", "Mistake"]

Mistake = tuple[list[str], str]
"""(the function's lines, what is wrong with them)"""

_OTHER_SIGN = {
    **{
        a: b
        for x, y in (("l", "b"), ("le", "be"), ("g", "a"), ("ge", "ae"))
        for a, b in ((x, y), (y, x))
    },
}
_LOOSER = {"l": "le", "le": "l", "g": "ge", "ge": "g", "b": "be", "be": "b", "a": "ae", "ae": "a"}
_CONDITIONAL = re.compile(r"^\t(j|set|cmov)(le|ge|be|ae|l|g|b|a)([lqw]?\t.*)$")
_IMMEDIATE = re.compile(r"\$(-?\d+)\b")
_DISPLACEMENT = re.compile(r"(?<=[\t ,])(-?\d+)(?=\(%)")
_LONG = re.compile(r"^\t(add|sub|imul|and|or|xor|cmp|test|mov|lea|neg|sal|sar|shr)q\t(.*)$")
_EXTENDS = {
    "movslq": "mov",
    "movzbl": "movsbl",
    "movsbl": "movzbl",
    "movzwl": "movswl",
    "movswl": "movzwl",
    "movsbq": "movzbq",
    "movswq": "movzwq",
}
_FILLS = re.compile(r"^\t(?:xorl\t(%\w+), \1|mov[lq]\t\$-?\d+, %\w+|pxor\t(%\w+), \2)$")
_SAVED = ("rbx", "r12", "r13", "r14", "rbp")


def _replaced(lines: Sequence[str], at: int, *new: str) -> list[str]:
    return [*lines[:at], *new, *lines[at + 1 :]]


def _said(line: str, new: str = "") -> str:
    return f"{line.strip()} → {new.strip() or 'nothing'}".replace("\t", " ")


def _each(lines: Sequence[str], change: Callable[[str], Iterator[str | None]]) -> Iterator[Mistake]:
    """Every line in turn as ``change`` has it; None drops the line."""
    for at, line in enumerate(lines):
        for new in change(line) if line.startswith("\t") else ():
            if new != line:
                yield _replaced(lines, at, *([] if new is None else [new])), _said(line, new or "")


def off_by_one(lines: Sequence[str]) -> Iterator[Mistake]:
    """An immediate or a displacement differs by one, a condition takes in one more or less."""

    def change(line: str) -> Iterator[str]:
        for found in (*_IMMEDIATE.finditer(line), *_DISPLACEMENT.finditer(line)):
            for by in (1, -1):
                yield f"{line[: found.start(1)]}{int(found[1]) + by}{line[found.end(1) :]}"
        condition = _CONDITIONAL.match(line)
        if condition:
            yield f"\t{condition[1]}{_LOOSER[condition[2]]}{condition[3]}"

    yield from _each(lines, change)


def signedness(lines: Sequence[str]) -> Iterator[Mistake]:
    """A condition or a shift is of the other sign."""

    def change(line: str) -> Iterator[str]:
        condition = _CONDITIONAL.match(line)
        if condition:
            yield f"\t{condition[1]}{_OTHER_SIGN[condition[2]]}{condition[3]}"
        for one, other in (("sar", "shr"), ("shr", "sar")):
            if re.match(rf"\t{one}[lqw]\t", line):
                yield line.replace(one, other, 1)

    yield from _each(lines, change)


def width(lines: Sequence[str]) -> Iterator[Mistake]:
    """An operation on 64 bits is one on 32."""

    def change(line: str) -> Iterator[str]:
        found = _LONG.match(line)
        if found and "%rsp" not in line and "%rip" not in line:
            # Addresses keep their width.
            parts = re.split(r"(\([^)]*\))", found[2])
            yield f"\t{found[1]}l\t" + "".join(x if x[:1] == "(" else _narrow(x) for x in parts)

    yield from _each(lines, change)


def missing_extension(lines: Sequence[str]) -> Iterator[Mistake]:
    """A value is not extended, or with the other sign."""

    def change(line: str) -> Iterator[str | None]:
        word = line.split("\t")[1]
        if word in ("cltq", "cwtl"):
            yield None
        if word == "movslq" and "(" not in line:
            source, target = re.findall(r"%\w+", line)
            yield f"\tmovl\t{source}, {_narrow(target)}"
        elif word in _EXTENDS and word != "movslq":
            yield line.replace(word, _EXTENDS[word], 1)

    yield from _each(lines, change)


def wrong_register(lines: Sequence[str]) -> Iterator[Mistake]:
    """One register of one instruction is another that the function uses."""
    used = list(dict.fromkeys(registers_in("\n".join(lines))))

    def change(line: str) -> Iterator[str]:
        for register in dict.fromkeys(registers_in(line)):
            for other in used:
                if other != register and {register, other} <= set(GENERAL):
                    yield renamed(line, {register: other})

    yield from _each(lines, change)


def uninitialised_read(lines: Sequence[str]) -> Iterator[Mistake]:
    """What fills a register at first is left out."""
    yield from _each(lines, lambda line: iter([None] if _FILLS.match(line) else []))


def dropped_branch(lines: Sequence[str]) -> Iterator[Mistake]:
    """A conditional jump is never taken, or always."""

    def change(line: str) -> Iterator[str | None]:
        found = re.match(r"\tj(?!mp)\w+\t(.*)$", line)
        if found:
            yield None
            yield f"\tjmp\t{found[1]}"

    yield from _each(lines, change)


def clobber(lines: Sequence[str]) -> Iterator[Mistake]:
    """A register that the caller counts on is used for something else."""
    text = "\n".join(lines)
    saved = [x for x in _SAVED if x not in registers_in(text)]
    for register in dict.fromkeys(registers_in(text)):
        if register in ("r8", "r9", "r10", "r11", "rdi", "rsi", "rdx", "rcx") and saved:
            start = next(i for i, x in enumerate(lines) if x.startswith("\t") and x[1] not in ".")
            taken = [renamed(x, {register: saved[0]}) for x in lines[start:]]
            first = f"\tmovq\t%{register}, %{saved[0]}"
            yield [*lines[:start], first, *taken], f"{saved[0]} in place of {register}, not saved"


def _narrow(text: str) -> str:
    """Registers of 64 bits as those of 32."""
    text = re.sub(r"%r(\d+)\b", r"%r\1d", text)
    return re.sub(r"%r([abcd]x|[sd]i|bp)\b", r"%e\1", text)


OPERATORS: Mapping[str, Callable[[Sequence[str]], Iterator[Mistake]]] = {
    "off by one": off_by_one,
    "signedness": signedness,
    "width": width,
    "missing extension": missing_extension,
    "wrong register": wrong_register,
    "uninitialised read": uninitialised_read,
    "dropped branch": dropped_branch,
    "clobber": clobber,
}
