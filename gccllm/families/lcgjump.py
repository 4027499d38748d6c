"""A linear congruential generator stepped n times: ``while (n--) x = x * A + C``.

gcc 12 keeps the chain of a multiplication and an addition a step. Steps compose: doubling the step
for every bit of n needs about 2 * log2(n) multiplications, 20 times faster for
hundreds of steps.
Limits: exact modulo 2^32 and 2^64; only the last x may be wanted.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, function

__all__ = ["FAMILY"]

_ADDEND = re.compile(r"^(?:add[lq]\s+\$(-?\d+), |sub[lq]\s+\$(-?\d+), |lea[lq]\s+(-?\d+)\()")
# The step is x -> x * a + c; twice it is x -> x * a^2 + c * (a + 1).
_JUMP = """
    test# {k:#}, {k:#}
    je {X}
    %set ${a}, {a:@}
    %set ${c}, {c:@}
    .p2align 4
    {L.top}:
    testb $1, {k:b}
    je {L.even}
    imul@ {a:@}, {x:@}
    add@ {c:@}, {x:@}
    {L.even}:
    lea@ 1({a:q}), {t:@}
    imul@ {t:@}, {c:@}
    imul@ {a:@}, {a:@}
    shr# $1, {k:#}
    jne {L.top}
"""
_ROUNDS = {
    "down": "mov# {n:#}, {k:#}\n",
    "down to minus one": "lea# 1({n:q}), {k:#}\n",
    "up": "mov# {n:#}, {k:#}\n sub# {i:#}, {k:#}\n",
}


def _form(width: str, counter: str, counting: str, factor: int, addend: int) -> Form:
    bits = 64 if width == "q" else 32
    text = sized(_JUMP, width).replace("%set", "movabsq" if width == "q" else "movl")
    text = text.replace("${a}", f"${factor % (1 << bits)}")
    text = text.replace("${c}", f"${addend % (1 << bits)}")
    return Form(
        f"x * {factor} + {addend} stepped by doubling, {width}, counting {counting} in {counter}",
        (_ROUNDS[counting] + text).replace("#", counter),
        inputs="n i" if counting == "up" else "n",
        changes="x",
        scratch="k a c t",
    )


_FACTORS = {
    32: (1664525, 1103515245, 214013, 22695477, 69069, 134775813),
    64: (6364136223846793005, 2862933555777941757, 3935559000370003845, 1103515245, 25214903917),
}
_ADDENDS = (1013904223, 12345, 2531011, 1, 1442695040888963407, 3037000493, 11)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "unsigned long"])
    bits = BITS[kind]
    suffix = "u" if bits == 32 else "ul"
    factor = rng.choice([*_FACTORS[bits], *_FACTORS[bits], rng.randrange(5, 1 << bits - 1, 4)])
    addend = rng.choice([x for x in (*_ADDENDS, rng.randrange(1, 1 << 31)) if x < 1 << bits])
    count = rng.choice(["int", "unsigned", "unsigned long", "long"])
    step = rng.choice(
        [
            f"x = x * {factor}{suffix} + {addend}{suffix};",
            f"x = {factor}{suffix} * x + {addend}{suffix};",
            f"x *= {factor}{suffix}; x += {addend}{suffix};",
        ]
    )
    loop = rng.choice(
        [
            f"for ({count} i = 0; i < n; i++) {{ {step} }}",
            f"while (n-- > 0) {{ {step} }}",
            f"while (n > 0) {{ {step} n--; }}",
            f"for ({count} i = n; i > 0; i--) {{ {step} }}",
        ]
    )
    after = rng.choice(["x", "x", "x", "x >> 16", "x & 32767", "x % 100", "x ^ y"])
    params = [f"{kind} x", f"{count} n", *(["int y"] if "y" in after else [])]
    rng.shuffle(params)
    return function(
        rng,
        "lcgjump",
        f"{kind} NAME({', '.join(params)})\n{{\n    {loop}\n    return {after};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("imul", "lea", "sal", "add"):
        return
    width = "q" if any(x.startswith("imulq") for x in hints.instructions) else "l"
    addends = {
        sign * int(number)
        for line in hints.instructions
        for match in [_ADDEND.match(line)]
        if match
        for number, sign in zip(match.groups(), (1, -1, 1), strict=True)
        if number and abs(int(number)) > 1
    }
    wide = {x for x in hints.immediates if abs(x) > 1 << 16}
    factors = wide | {x for x in hints.multipliers if x > 4}
    for factor in sorted(factors):
        for addend in sorted(addends | wide | {1}):
            if factor != addend and len(factors) < 6:
                for counting in _ROUNDS:
                    for counter in "lq":
                        yield _form(width, counter, counting, factor, addend)


FAMILY = Family("lcgjump", slow, forms)
