"""Parity of a number, bit by bit.

gcc 12 keeps the loop. popcnt and one bit of it, or the parity flag after three foldings, replace up
to 64 rounds: 10 to 20 times faster on random numbers.
Limits: none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, scalar_function

__all__ = ["FAMILY"]

_FOLDS = {
    "q": "movq {x:q}, {t:q}\n shrq $32, {t:q}\n xorl {x:l}, {t:l}\n",
    "l": "movl {x:l}, {t:l}\n",
    "w": "movzwl {x:w}, {t:l}\n",
}


def _forms() -> Iterator[Form]:
    for width in "ql":
        count = sized("xorl {n:l}, {n:l}\n popcnt@ {x:@}, {n:@}\n", width)
        yield Form("parity by popcnt", count + "andl $1, {n:l}", "POPCNT", "x", outputs="n")
        # r ^= parity, as loops with r = !r and r ^= x & 1 do
        yield Form(
            "parity by popcnt, turned over",
            sized("popcnt@ {x:@}, {n:@}\n", width) + "andl $1, {n:l}\n xorl {n:l}, {r:l}",
            "POPCNT",
            inputs="x",
            changes="r",
            scratch="n",
        )
    for width, start in _FOLDS.items():
        fold = "movl {t:l}, {n:l}\n shrl $16, {n:l}\n xorl {n:l}, {t:l}\n" if width != "w" else ""
        flag = (
            start
            + fold
            + "movl {t:l}, {n:l}\n shrl $8, {n:l}\n xorb {t:b}, {n:b}\n"
            + "setnp {n:b}\n movzbl {n:b}, {n:l}\n"
        )
        yield Form(f"parity by the parity flag, {width}", flag, "", "x", outputs="n", scratch="t")
        yield Form(
            f"parity by the parity flag, {width}, turned over",
            flag + "xorl {n:l}, {r:l}",
            inputs="x",
            changes="r",
            scratch="t n",
        )


_FORMS = tuple(_forms())


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "unsigned", "unsigned long", "unsigned short"])
    kernel = rng.choice(
        [
            "r = 0; while (x) { r ^= x & 1; x >>= 1; }",
            "r = 0; while (x != 0) { if (x & 1) r = !r; x >>= 1; }",
            "for (r = 0; x; x >>= 1) r ^= x & 1;",
            "r = 0; if (x) do { r ^= x & 1; x = x >> 1; } while (x);",
            f"r = 0; for (int i = 0; i < {BITS[kind]}; i++) {{ r ^= x & 1; x >>= 1; }}",
            "r = 0; while (x) { r = !r; x &= x - 1; }",
        ]
    )
    return scalar_function(rng, "parity", kind, "int", kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("xor"):
        yield from _FORMS


FAMILY = Family("parity", slow, forms)
