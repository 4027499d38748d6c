"""Integer power by repeated multiplication: ``r = 1; while (n--) r *= x``.

gcc 12 keeps the chain of n multiplications of 3 cycles. Squaring needs one round for every bit of
n: 2 times faster for n = 8, 10 times for n = 100, slower below n = 4.
Limits: exact modulo 2^32 or 2^64. The loop may have to run at least once (``bottom``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

_SQUARING = """
    mov@ {x:@}, {s:@}
    mov# {n:#}, {k:#}
    jmp {L.test}
    .p2align 4
    {L.top}:
    imul@ {s:@}, {s:@}
    {L.test}:
    test$ $1, {k:$}
    je {L.even}
    imul@ {s:@}, {r:@}
    {L.even}:
    shr# $1, {k:#}
    jne {L.top}
"""


def _form(width: str, counter: str, first: str) -> Form:
    text = (
        sized(_SQUARING, width).replace("#", counter).replace("test$ $1, {k:$}", "testb $1, {k:b}")
    )
    count = {
        "down": "",
        # i runs from its value to m
        "up": f"sub{counter} {{i:{counter}}}, {{k:{counter}}}\n",
    }[first]
    text = text.replace("jmp {L.test}", count + "jmp {L.test}")
    return Form(
        f"power by squaring, {width}, counting {first}",
        text,
        inputs="x n i" if first == "up" else "x n",
        changes="r",
        scratch="s k",
    )


_FORMS = tuple(
    _form(width, counter, first) for width in "lq" for counter in "lq" for first in ("down", "up")
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "int", "long"])
    count = rng.choice(["unsigned", "unsigned", "unsigned long", "int"])
    kernel = rng.choice(
        [
            f"for ({count} i = 0; i < n; i++) r *= x;",
            "while (n-- > 0) r *= x;",
            "while (n > 0) { r = r * x; n--; }",
            "for (; n; n--) r *= x;" if count != "int" else "for (; n > 0; n--) r = x * r;",
        ]
    )
    params = [f"{kind} x", f"{count} n"]
    rng.shuffle(params)
    return function(
        rng,
        "intpower",
        f"{kind} NAME({', '.join(params)})\n{{\n    {kind} r = 1;\n    {kernel}\n    return r;\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("imul"):
        yield from _FORMS


FAMILY = Family("intpower", slow, forms)
