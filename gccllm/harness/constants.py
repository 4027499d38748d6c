"""Read-only data that a region names, for programs that run the region by itself."""

from __future__ import annotations

from collections.abc import Iterator

from gccllm.asm.lines import Line, split_statement, symbols_of
from gccllm.asm.objects import DataObject
from gccllm.asm.unit import Unit

__all__ = ["constant", "constant_label", "symbols_of_data"]

_NOT_DATA = frozenset(".section .type .size .align .p2align .globl .set .data .text .bss".split())


def constant_label(name: str) -> str:
    """The label of the datum ``name`` in such a program."""
    return f".Lc_{name.lstrip('.')}"


def constant(unit: Unit, first: str) -> list[str]:
    """The lines of the unit's object ``first``, under those labels."""
    data = unit.objects[first]
    out = [f"\t.p2align {max(data.alignment.bit_length() - 1, 0)}"]
    out += [f"{constant_label(n)}:" for n in data.names]
    return [*out, *(unit.lines[index] for index, _ in _contents(unit, data))]


def symbols_of_data(unit: Unit, data: DataObject) -> Iterator[tuple[str, str]]:
    """(symbol, @suffix) of the addresses that a datum holds."""
    for _, operands in _contents(unit, data):
        yield from symbols_of(operands)


def _contents(unit: Unit, data: DataObject) -> Iterator[tuple[int, str]]:
    """(line, operands) of the directives that make up a datum."""
    for index in data.lines:
        if unit.kinds[index] is Line.DIRECTIVE:
            word, operands = split_statement(unit.lines[index])
            if word.strip() not in _NOT_DATA:
                yield index, operands
