"""What kind of rewrite is it? Told from what both texts are made of, not from what they mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

__all__ = ["KINDS", "rewrite_kinds"]

_INSTRUCTION = re.compile(r"^\s+(?:(?:lock|rep\w*|notrack)\s+)?([a-z][a-z0-9]*)(?:\s+(.*))?$")
_BITS = re.compile(r"(popcnt|[tl]zcnt|bs[fr]|pext|pdep|andn|bls(?:r|i|msk)|bextr|crc32)[bwlq]?")
_DIVISION = re.compile(r"i?div[bwlq]")
_MULTIPLICATION = re.compile(r"(i?mul|mulx)[bwlq]?")
_CONDITIONAL_JUMP = re.compile(r"j(?!mp)[a-z]{1,4}")
_CHOICE = re.compile(r"(cmov|set)[a-z]+|adc[bwlq]?|sbb[bwlq]?")


class _Text:
    """An assembly text in numbers."""

    def __init__(self, text: str) -> None:
        found = [
            (x[1], x[2] or "") for x in map(_INSTRUCTION.match, text.splitlines()) if x is not None
        ]
        self.words = Counter(word for word, _ in found)
        self.lines = Counter(f"{word} {operands}" for word, operands in found)
        self.total = len(found)
        self.memory = sum("(" in x and not w.startswith("lea") for w, x in found)
        self.calls = sum(w.startswith("call") for w, _ in found)
        self.width = max(
            (s for s, n in ((512, "%zmm"), (256, "%ymm"), (128, "%xmm"))
             if any(n in x for _, x in found)),
            default=0,
        )  # fmt: skip

    def count(self, pattern: re.Pattern[str]) -> int:
        return sum(n for word, n in self.words.items() if pattern.fullmatch(word))


KINDS: dict[str, Callable[[_Text, _Text], bool]] = {
    "bit-counting instructions": lambda a, b: b.count(_BITS) > a.count(_BITS),
    "vectors where there were none": lambda a, b: a.width == 0 < b.width,
    "wider vectors": lambda a, b: 0 < a.width < b.width,
    "no division": lambda a, b: b.count(_DIVISION) < a.count(_DIVISION),
    "less multiplication": lambda a, b: b.count(_MULTIPLICATION) < a.count(_MULTIPLICATION),
    "choice instead of a jump": lambda a, b: (
        b.count(_CHOICE) > a.count(_CHOICE)
        and b.count(_CONDITIONAL_JUMP) < a.count(_CONDITIONAL_JUMP)
    ),
    "unrolled": lambda a, b: (
        b.total >= 1.5 * a.total and b.count(_CONDITIONAL_JUMP) <= a.count(_CONDITIONAL_JUMP) + 2
    ),
    "fewer calls": lambda a, b: b.calls < a.calls,
    "less memory traffic": lambda a, b: b.memory < a.memory,
    "fewer instructions": lambda a, b: b.total < a.total,
}
"""name → whether a rewrite from the first to the second text is of it"""


def rewrite_kinds(before: str, after: str) -> tuple[str, ...]:
    """All that a rewrite is, of :data:`KINDS`; "another order" where both have the same lines, and
    "other" where nothing else fits."""
    one, two = _Text(before), _Text(after)
    if one.lines == two.lines:
        return ("another order",)
    return tuple(name for name, fits in KINDS.items() if fits(one, two)) or ("other",)
