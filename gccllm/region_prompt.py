"""The region format: what a model is told of a region, and what may be used in its place.

    <|isa|>x86-64-v3
    <|live_in|>%rdi:64 %rsi:32 %rcx:32=10
    <|live_out|>X0 %rax:32
    <|free|>%r8 %r9 %rcx %rdx %zmm0-5 %zmm8
    \ttestl\t%esi, %esi
    \tje\tX
    <|region|>
    L0:
    …
    <|/region|>

Everything is the canonical text of :mod:`gccllm.asm.region_text`: labels inside the region are L0
(its entry), L1 …, exits X0 …. Live registers carry the width in bits that counts, and the number
that they hold where that is known; vector registers in a row are written as one range. Before the
region stands its guard, where it has one: it is entered only where that does not jump. The answer
is the region's new lines in the same form, or ``keep``.

Registers are renamed in the order in which the region first names them, then the free ones, so that
the same loop is the same text wherever gcc put its values: a model need not learn twelve names for
one thing. :class:`RegionPrompt` keeps the names. Comparisons and sums of registers are written in
one order (:mod:`gccllm.asm.ordering`) where no flags are read behind the region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gccllm.asm.ordering import ordered
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.renaming import (
    first_seen,
    renamable,
    renamable_vectors,
    renamed,
    vectors_first_seen,
)
from gccllm.asm.unit import Unit

__all__ = ["Facts", "RegionPrompt", "region_prompt"]

_ISA, _LIVE_IN, _LIVE_OUT, _FREE = "<|isa|>", "<|live_in|>", "<|live_out|>", "<|free|>"
_BEGIN, _END = "<|region|>", "<|/region|>"
_RANGE = re.compile(r"%([a-z]+)(\d+)-(\d+)")


@dataclass(frozen=True)
class Facts:
    """What a prompt says. Registers have full names; what is live has behind its name what stands
    behind the colon, "64" or "32=10"."""

    level: str
    live_in: Mapping[str, str]
    exits: tuple[Mapping[str, str], ...]
    free: frozenset[str]
    guard: tuple[str, ...]
    code: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> Facts:
        """What :attr:`text` wrote. Raises ValueError for text that is no prompt."""
        lines = text.splitlines()
        try:
            begin, end = lines.index(_BEGIN), lines.index(_END)
            isa, live_in, live_out, free = (
                line[len(mark) :]
                for line, mark in zip(lines, (_ISA, _LIVE_IN, _LIVE_OUT, _FREE), strict=False)
                if line.startswith(mark)
            )
        except ValueError:
            raise ValueError("not a region prompt") from None
        exits = (x.split()[1:] for x in live_out.split(" / "))
        return Facts(
            isa,
            _parsed(live_in.split()),
            tuple(_parsed(x) for x in exits if live_out),
            frozenset(_spelled(free.split())),
            tuple(lines[4:begin]),
            tuple(lines[begin + 1 : end]),
        )

    @property
    def text(self) -> str:
        """The prompt."""
        exits = (" ".join([f"X{n}", *_live(x)]) for n, x in enumerate(self.exits))
        lines = [
            f"{_ISA}{self.level}",
            f"{_LIVE_IN}{' '.join(_live(self.live_in))}",
            f"{_LIVE_OUT}{' / '.join(exits)}",
            f"{_FREE}{' '.join(_ranges(self.free, self.level))}",
            *self.guard,
            _BEGIN,
            *self.code,
            _END,
        ]
        return "".join(f"{x}\n" for x in lines)

    def names(self) -> dict[str, str]:
        """The renaming that puts the registers in order; {} for what can't be renamed."""
        texts = (*self.code, *self.guard)
        whole = "\n".join(texts)
        if not renamable(whole):
            return {}
        names = first_seen(texts, self.free)
        return names | (vectors_first_seen(texts, self.free) if renamable_vectors(whole) else {})

    def renamed(self, names: Mapping[str, str]) -> Facts:
        """The same in other registers."""

        def live(registers: Mapping[str, str]) -> dict[str, str]:
            return {names.get(x, x): width for x, width in registers.items()}

        return replace(
            self,
            live_in=live(self.live_in),
            exits=tuple(live(x) for x in self.exits),
            free=frozenset(names.get(x, x) for x in self.free),
            guard=tuple(renamed(x, names) for x in self.guard),
            code=tuple(renamed(x, names) for x in self.code),
        )


@dataclass(frozen=True)
class RegionPrompt:
    """``text`` as above; ``names``: register of the region → its name in the text, a permutation,
    or empty where nothing is renamed."""

    text: str
    names: Mapping[str, str]

    def answer(self, lines: Iterable[str]) -> str:
        """``lines`` for the region as an answer to this prompt.

        Raises ValueError where they use registers without naming them, and have no such form.
        """
        return self._renamed("".join(f"{x}\n" for x in lines), self.names)

    def lines(self, answer: str) -> list[str]:
        """The region's new lines that an answer stands for. Raises ValueError as above."""
        back = {new: old for old, new in self.names.items()}
        return self._renamed(answer, back).splitlines()

    @property
    def region(self) -> list[str]:
        """The region's own lines, as the text has them."""
        return list(Facts.parse(self.text).code)

    def _renamed(self, text: str, names: Mapping[str, str]) -> str:
        moved = {old[:3] == "zmm" for old, new in names.items() if old != new}
        if (False in moved and not renamable(text)) or (
            True in moved and not renamable_vectors(text)
        ):
            raise ValueError("registers that are used unnamed can't be renamed")
        return renamed(text, names)


def region_prompt(
    unit: Unit, region: Region, level: str, constants: Mapping[str, int]
) -> RegionPrompt:
    """The prompt for ``region``; ``level`` names the instruction set ("x86-64-v3"), ``constants``
    are the live-in registers whose value at the entry is known (64 bits)."""
    code = render(unit, region).splitlines()
    facts = Facts(
        level,
        {x: _width(bits, constants.get(x)) for x, bits in region.live_in.items()},
        tuple({x: _width(bits, None) for x, bits in y.live.items()} for y in region.exits),
        region.free,
        region.guard,
        # A comparison whose flags are read behind the region may be copied, and has to stay.
        tuple(code if any(x.flags for x in region.exits) else ordered(code)),
    )
    names = facts.names()
    return RegionPrompt(facts.renamed(names).text, names)


def _width(bits: int, known: int | None) -> str:
    """A known number is signed, at the register's width."""
    if known is None or bits > 64:
        return str(bits)
    value = known & (1 << bits) - 1
    return f"{bits}={value - (1 << bits) if value >> (bits - 1) else value}"


def _live(registers: Mapping[str, str]) -> list[str]:
    return sorted(f"%{x}:{width}" for x, width in registers.items())


def _parsed(words: Iterable[str]) -> dict[str, str]:
    return {x[1:].partition(":")[0]: x.partition(":")[2] for x in words}


def _ranges(registers: frozenset[str], level: str) -> list[str]:
    """General registers by name, vector and mask registers of the level as ranges."""
    out = sorted(f"%{x}" for x in registers if x.startswith("r"))
    for prefix, count in (("zmm", 32 if level.endswith("v4") else 16), ("k", 8)):
        if prefix == "k" and not level.endswith("v4"):
            continue
        numbers = [n for n in range(count) if f"{prefix}{n}" in registers]
        start = 0
        for at, number in enumerate(numbers):
            if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
                first = numbers[start]
                out.append(f"%{prefix}{first}" + (f"-{number}" if number > first else ""))
                start = at + 1
    return out


def _spelled(words: Iterable[str]) -> Iterator[str]:
    """The registers that :func:`_ranges` wrote."""
    for word in words:
        found = _RANGE.fullmatch(word)
        if found is None:
            yield word[1:]
        else:
            yield from (f"{found[1]}{n}" for n in range(int(found[2]), int(found[3]) + 1))
