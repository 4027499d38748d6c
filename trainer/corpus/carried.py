"""What another compilation's code names: our own symbols for it, or constants that come along."""

from __future__ import annotations

from gccllm.asm.bind import image_of
from gccllm.asm.lines import Line, split_statement, symbols_of
from gccllm.asm.region_model import Region
from gccllm.asm.unit import Unit

__all__ = ["NoFit", "carried"]

MOST_DATA = 128
"""lines of a constant that comes along"""
_PLAIN_DATA = frozenset(".byte .value .short .word .long .int .quad .zero".split())


class NoFit(Exception):
    """A region can't stand in the other's place, or not this way."""


def carried(
    base: Unit, region: Region, unit: Unit, theirs: Region
) -> tuple[dict[str, str], list[str]]:
    """The symbols of ``theirs`` → ours, by what is held there; lines of constants to bring along.
    Raises NoFit for what is neither ours nor a small constant."""
    names: dict[str, str] = {}
    brought: list[tuple[int, str, list[str]]] = []
    for symbol in theirs.symbols:
        datum = unit.objects.get(unit.aliases.get(symbol, symbol))
        same = _same(base, region, unit, symbol)
        if same is not None:
            names[symbol] = same
        elif datum is None or not datum.read_only:
            raise NoFit
        else:
            brought.append((-datum.alignment, symbol, _data(unit, datum.lines)))
    data: list[str] = []
    for number, (_, symbol, lines) in enumerate(sorted(brought)):
        names[symbol] = f"D{number}"
        data += [f"D{number}:", *lines]
    return names, data


def _same(base: Unit, region: Region, unit: Unit, symbol: str) -> str | None:
    """The symbol of ours that names the same thing."""
    if not symbol.startswith(".L") and symbol in region.symbols:
        return symbol
    datum = unit.objects.get(unit.aliases.get(symbol, symbol))
    image = image_of(unit, datum) if datum is not None and datum.read_only else None
    if image is None:
        return None
    for name in region.symbols:
        ours = base.objects.get(base.aliases.get(name, name))
        if ours is not None and ours.read_only and image_of(base, ours) == image:
            return name
    return None


def _data(unit: Unit, span: range) -> list[str]:
    """A small constant's directives. Raises NoFit for anything else."""
    datum = [i for i in span if unit.kinds[i] is Line.DIRECTIVE]
    lines = []
    for index in datum:
        word, operands = split_statement(unit.lines[index])
        if word.strip() in _PLAIN_DATA:
            if any(True for _ in symbols_of(operands)):
                raise NoFit
            lines.append(f"\t{word.strip()}\t{operands.strip()}")
        elif word.strip() in (".ascii", ".asciz", ".string", ".fill", ".octa", ".rept"):
            raise NoFit
    if not 0 < len(lines) <= MOST_DATA:
        raise NoFit
    return lines
