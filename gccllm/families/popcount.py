"""Population count: a loop over the bits, or over the bits that are set.

gcc 12 turns ``while (x) { x &= x - 1; n++; }`` into popcount only where POPCNT is enabled, and the
loop over all bits never. One instruction against up to 64 rounds: 10 to 20 times faster on random
numbers. Without POPCNT the bits are added in parallel: about 12 instructions, still 3 to 6 times
faster on random numbers, slower where nearly all arguments are tiny.
Limits: none; exact for every argument, 8 to 64 bits wide.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import BITS, scalar_function

__all__ = ["FAMILY"]

_POPCNT = {
    width: Form(
        f"popcount of {bits} bits",
        f"xorl {{n:l}}, {{n:l}}\n popcnt{width} {{x:{width}}}, {{n:{width}}}",
        needs="POPCNT",
        inputs="x",
        outputs="n",
    )
    for width, bits in (("l", 32), ("q", 64))
}
_NARROW = {
    letter: Form(
        f"popcount of {bits} bits",
        f"movz{letter}l {{x:{letter}}}, {{n:l}}\n popcntl {{n:l}}, {{n:l}}",
        needs="POPCNT",
        inputs="x",
        outputs="n",
    )
    for letter, bits in (("b", 8), ("w", 16))
}
_PARALLEL_32 = Form(
    "popcount of 32 bits, in parallel",
    """
    movl {x:l}, {n:l}
    movl {x:l}, {t:l}
    shrl $1, {t:l}
    andl $0x55555555, {t:l}
    subl {t:l}, {n:l}
    movl {n:l}, {t:l}
    andl $0x33333333, {n:l}
    shrl $2, {t:l}
    andl $0x33333333, {t:l}
    addl {t:l}, {n:l}
    movl {n:l}, {t:l}
    shrl $4, {t:l}
    addl {t:l}, {n:l}
    andl $0x0f0f0f0f, {n:l}
    imull $0x01010101, {n:l}, {n:l}
    shrl $24, {n:l}
    """,
    inputs="x",
    outputs="n",
    scratch="t",
)
_PARALLEL_64 = Form(
    "popcount of 64 bits, in parallel",
    """
    movq {x:q}, {n:q}
    movq {x:q}, {t:q}
    shrq $1, {t:q}
    movabsq $0x5555555555555555, {c:q}
    andq {c:q}, {t:q}
    subq {t:q}, {n:q}
    movabsq $0x3333333333333333, {c:q}
    movq {n:q}, {t:q}
    andq {c:q}, {n:q}
    shrq $2, {t:q}
    andq {c:q}, {t:q}
    addq {t:q}, {n:q}
    movq {n:q}, {t:q}
    shrq $4, {t:q}
    addq {t:q}, {n:q}
    movabsq $0x0f0f0f0f0f0f0f0f, {c:q}
    andq {c:q}, {n:q}
    movabsq $0x0101010101010101, {c:q}
    imulq {c:q}, {n:q}
    shrq $56, {n:q}
    """,
    inputs="x",
    outputs="n",
    scratch="t c",
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "unsigned", "unsigned long", "unsigned short"])
    bits = BITS[kind]
    kernel = rng.choice(
        [
            "r = 0; while (x) { r += x & 1; x >>= 1; }",
            "r = 0; while (x != 0) { if (x & 1) r++; x >>= 1; }",
            "for (r = 0; x; x >>= 1) r += x & 1;",
            "r = 0; if (x) do { r += x & 1; x = x >> 1; } while (x);",
            "r = 0; while (x) { r += x % 2; x /= 2; }",
            "r = 0; while (x) { x &= x - 1; r++; }",
            "for (r = 0; x; r++) x &= x - 1;",
            f"r = 0; for (int i = 0; i < {bits}; i++) {{ r += x & 1; x >>= 1; }}",
            f"r = 0; for (int i = 0; i < {bits}; i++) r += (x >> i) & 1;",
        ]
    )
    return scalar_function(rng, "popcount", kind, "int", kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("shr", "sar", "and", "blsr", "bt"):
        return
    yield from (_POPCNT["q"], _POPCNT["l"], _NARROW["w"], _NARROW["b"])
    yield from (_PARALLEL_64, _PARALLEL_32)


FAMILY = Family("popcount", slow, forms)
