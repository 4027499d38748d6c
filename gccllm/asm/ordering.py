"""Operands put in one order where either order means the same.

gcc compares a with b or b with a, and adds base to index or index to base, as its registers fall.
In text that is only to be understood one of the two is enough: memory is compared with a register
as ``cmp memory, register``, and of two registers the one that the text names first comes first.
Code that is to run can be written so, too, where nothing else reads the flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gccllm.asm.renaming import registers_in

__all__ = ["ordered", "ordered_like"]

_COMPARE = re.compile(r"(\tcmp[bwlq]\t)(%\w+), ([^$].*)")
_JUMP = re.compile(r"\tj([a-z]+)(\t.+)")
_READS_FLAGS = re.compile(r"\t(?:j(?!mp)|set|cmov|adc|sbb|rc[lr]|lahf|pushf)")
_SETS_FLAGS = re.compile(
    r"\t(?:cmp|test|add|sub|and|or|xor|inc|dec|neg|sh[lr]|sa[lr]|ro[lr]|bt|bs[fr]|[tl]zcnt|popcnt|i?mul"
    r"|v?u?comis|v?ptest|kor?test|bls|andn|bextr|bzhi)"
)
_SUM = re.compile(r"(?<=\()(%r(?!sp)\w+),(%r\w+)(?=\))")
_SWAPPED = {
    **{x: x for x in ("e", "ne", "z", "nz")},
    "l": "g",
    "g": "l",
    "le": "ge",
    "ge": "le",
    "b": "a",
    "a": "b",
    "be": "nb",
    "nb": "be",
    "ae": "be",
    "c": "a",
    "nc": "be",
}
"""jump after cmp a, b → the same jump after cmp b, a"""


def ordered(lines: Sequence[str]) -> list[str]:
    """``lines`` with the operands of ``cmp`` in front of a jump, and base and index without a
    scale, in the order in which ``lines`` first name them. What compares for more than one jump,
    and two registers that are new in one place, stay as they are."""
    return _ordered(lines, {})


def ordered_like(lines: Sequence[str], registers: Iterable[str]) -> list[str]:
    """``lines`` in the order of ``registers``, then in that in which they name others: what is
    copied from text that names those first is then written as there. For code that runs, and behind
    which nobody reads flags; it stays as it is where they are not read right behind what sets them.
    """
    seen = {register: at for at, register in enumerate(dict.fromkeys(registers))}
    plain = all(
        _SETS_FLAGS.match(before) or _READS_FLAGS.match(before)
        for before, line in zip(["", *lines], lines, strict=False)
        if _READS_FLAGS.match(line)
    )
    return _ordered(lines, seen) if plain else list(lines)


def _ordered(lines: Sequence[str], seen: dict[str, int]) -> list[str]:
    """``seen``: register → how many were named before it, filled further."""
    out: list[str] = []

    def first(one: str, other: str) -> bool:
        """Whether ``one`` is known to come before ``other``."""
        a, b = (next(registers_in(x), x) for x in (one, other))
        return a in seen and seen[a] < seen.get(b, len(seen))

    jumps: dict[int, str] = {}
    for at, line in enumerate(lines):
        new = jumps.get(at, line)
        compare = _COMPARE.fullmatch(line)
        if compare is not None:
            jump = _JUMP.fullmatch(lines[at + 1]) if at + 1 < len(lines) else None
            behind = lines[at + 2] if at + 2 < len(lines) else ""
            alone = jump is not None and jump[1] in _SWAPPED and not _READS_FLAGS.match(behind)
            memory = compare[3][0] != "%"
            if jump is not None and alone and (memory or first(compare[3], compare[2])):
                new = f"{compare[1]}{compare[3]}, {compare[2]}"
                jumps[at + 1] = f"\tj{_SWAPPED[jump[1]]}{jump[2]}"
        new = _SUM.sub(lambda m: f"{m[2]},{m[1]}" if first(m[2], m[1]) else m[0], new)
        for register in registers_in(new):
            seen.setdefault(register, len(seen))
        out.append(new)
    return out
