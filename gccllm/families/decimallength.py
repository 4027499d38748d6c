"""How many decimal digits a number has: ``while (x) { x /= 10; n++; }``.

gcc keeps the chain of multiplications. Comparing with all powers of ten at once has no chain: nine
compares and adds, 2 to 4 times faster on numbers of nine digits, slower where all are tiny.
Limits: exact for 32-bit numbers; 64-bit ones are divided by 10^9 until they fit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _compares(least: int) -> str:
    """n = 1 if x >= ``least`` else 0, plus one for each power of ten that x reaches."""
    lines = [f"cmpl ${least}, {{y:l}}", "movl $1, {n:l}", "sbbl $0, {n:l}"]
    for k in range(1, 10):
        value = 10**k if 10**k < 1 << 31 else 10**k - (1 << 32)
        lines += [f"cmpl ${value}, {{y:l}}", "sbbl $-1, {n:l}"]
    return "movl {x:l}, {y:l}\n" + "\n".join(lines) + "\n"


_TEXTS = {
    "none for zero": _compares(1),
    "one for zero": _compares(0),
    "less one": _compares(0) + "subl $1, {n:l}\n",
}
_FORMS = tuple(
    Form(f"decimal length by nine compares, {name}", text, "", "x", outputs="n", scratch="y")
    for name, text in _TEXTS.items()
)


def slow(rng: random.Random) -> SlowForm:
    kernel = rng.choice(
        [
            "r = 0; while (x) { x /= 10; r++; }",
            "r = 0; while (x > 0) { r++; x = x / 10; }",
            "r = 1; while (x >= 10) { x /= 10; r++; }",
            "r = 0; do { r++; x /= 10; } while (x);",
            "for (r = 1; x > 9; r++) x /= 10;",
            "for (r = 0; x; x /= 10) r++;",
        ]
    )
    return scalar_function(rng, "decimallength", "unsigned", "int", kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("imul", "mul"):
        yield from _FORMS


FAMILY = Family("decimallength", slow, forms)
