"""Integer square roots bit by bit, by bisection, by Newton's steps or by subtracting odd numbers.

gcc 12 keeps these loops: 16 to 32 rounds with a branch that can't be predicted, or a division each.
The floating-point root of a number below 2^52, rounded down, is exact: 2 to 6 times faster.
Limits: exact for 32-bit unsigned arguments. Signed ones below zero, 64-bit ones from 2^52 on, and
zero where the loop runs once before it looks, go gcc's way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import function, scalar_function

__all__ = ["FAMILY"]

_ROOT = """
    pxor {v:x}, {v:x}
    cvtsi2sdq {t:q}, {v:x}
    sqrtsd {v:x}, {v:x}
    cvttsd2siq {v:x}, {t:q}
    mov@ {t:@}, {r:@}
"""
_GUARDS = {
    "32 bits": ("l", "movl {x:l}, {t:l}\n"),
    "32 bits, not zero": ("l", "movl {x:l}, {t:l}\n testl {t:l}, {t:l}\n je {B}\n"),
    "31 bits, not zero": ("l", "movl {x:l}, {t:l}\n testl {t:l}, {t:l}\n jle {B}\n"),
    "32 bits of 64": ("l", "movq {x:q}, {t:q}\n shrq $32, {t:q}\n jne {B}\n movl {x:l}, {t:l}\n"),
    "52 bits": (
        "q",
        "movq {x:q}, {t:q}\n shrq $52, {t:q}\n jne {B}\n movq {x:q}, {t:q}\n",
    ),
}
_FORMS = {
    name: Form(
        f"square root of a double, {name}",
        (guard + _ROOT).replace("@", width),
        inputs="x",
        outputs="r",
        scratch="t",
        vectors="v",
    )
    for name, (width, guard) in _GUARDS.items()
}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "int", "unsigned long"])
    bits = 62 if kind == "unsigned long" else 30
    one = "1ul" if bits == 62 else "1" if kind == "int" else "1u"
    first = f"{one} << {bits // 2 + 1}"
    wide = "long" if kind == "int" else "unsigned long"
    whole = [
        f"r = 0; for ({kind} b = {one} << {bits}; b; b >>= 2) {{ {kind} t = r + b; r >>= 1; "
        "if (x >= t) { x -= t; r += b; } }",
        f"{kind} b = {one} << {bits}; r = 0; while (b) {{ if (r + b <= x) {{ x -= r + b; "
        "r = r / 2 + b; } else r /= 2; b /= 4; }",
        f"r = 0; for ({wide} b = {one} << {bits // 2}; b; b >>= 1) if ((r + b) * (r + b) <= x) "
        "r += b;",
    ]
    kernels = [
        f"{kind} b = {one} << {bits}; r = 0; while (b > x) b >>= 2; "
        "while (b != 0) { if (x >= r + b) { x -= r + b; r = (r >> 1) + b; } else r >>= 1; "
        "b >>= 2; }",
        f"{wide} h = {first}; r = 0; while (r + 1 < h) {{ {wide} c = (r + h) / 2; "
        "if (c * c <= x) r = c; else h = c; }",
        f"{kind} c = 1; r = 0; while (x >= c) {{ x -= c; c += 2; r++; }}",
    ]
    result = "long" if bits == 62 else kind
    if kind == "int" or rng.random() < 0.6:
        return scalar_function(rng, "bitsqrt", kind, result, rng.choice(kernels))
    # gcc unrolls these, and what stands around them can't be told from them then.
    after = rng.choice(["r", "r", "r + v"])
    params = [f"{kind} x", *([f"{rng.choice(['int', 'long'])} v"] if "v" in after else [])]
    rng.shuffle(params)
    return function(
        rng,
        "bitsqrt",
        f"{result} NAME({', '.join(params)})\n{{\n    {result} r;\n    {rng.choice(whole)}\n"
        f"    return {after};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    # gcc unrolls the loops whose number of rounds is known, so there may be none left.
    if not hints.loops and len(hints.instructions) <= 30:
        return
    if hints.has("cmp") and hints.has("sub", "imul"):
        yield from _FORMS.values()


FAMILY = Family("bitsqrt", slow, forms)
