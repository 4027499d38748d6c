"""The digital root: sums of decimal digits until one digit is left.

gcc 12 keeps both loops. A number and its digit sum leave the same remainder by nine, so the root is
1 + (x - 1) % 9, and 0 for 0: 5 to 8 times faster.
Limits: none for unsigned numbers and for signed ones that are not negative; negative ones go gcc's
way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.digitsum import reciprocal
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]

_, _FACTOR_32, _SHIFT_32 = reciprocal(9)
_, _FACTOR_64, _SHIFT_64 = reciprocal(9, 64)

# x - 1 in 64 bits: for x = 0 the borrow leaves the root at nothing.
_TEXTS = {
    "l": f"""
        movl {{x:l}}, {{r:l}}
        movl {{x:l}}, {{u:l}}
        subl $1, {{u:l}}
        jb {{L.none}}
        movl ${_FACTOR_32}, {{t:l}}
        imulq {{u:q}}, {{t:q}}
        shrq ${_SHIFT_32}, {{t:q}}
        leal ({{t:q}},{{t:q}},8), {{t:l}}
        subl {{t:l}}, {{r:l}}
        {{L.none}}:
    """,
    "q": f"""
        movq {{x:q}}, {{r:q}}
        movq {{x:q}}, {{a:q}}
        subq $1, {{a:q}}
        jb {{L.none}}
        movabsq ${_FACTOR_64}, {{d:q}}
        mulq {{d:q}}
        shrq ${_SHIFT_64 - 64}, {{d:q}}
        leaq ({{d:q}},{{d:q}},8), {{d:q}}
        subq {{d:q}}, {{r:q}}
        {{L.none}}:
    """,
}


def _form(width: str, *, signed: bool) -> Form:
    guard = f"test{width} {{x:{width}}}, {{x:{width}}}\n js {{B}}\n" if signed else ""
    return Form(
        f"digital root by the remainder by nine, {width}" + (", not negative" if signed else ""),
        guard + _TEXTS[width],
        inputs="x",
        outputs="r",
        scratch="a d" if width == "q" else "u t",
        fixed="a=rax d=rdx" if width == "q" else "",
    )


_FORMS = {signed: [_form(width, signed=signed) for width in "lq"] for signed in (False, True)}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "int", "unsigned long"])
    some = rng.choice([kind, kind, "unsigned"])
    digits = rng.choice(
        [
            "while (x > 0) { t += x % 10; x /= 10; }",
            "while (x) { t += x % 10; x = x / 10; }",
            "for (; x > 0; x /= 10) t += x % 10;",
            "do { t += x % 10; x /= 10; } while (x);",
        ]
    )
    kernel = rng.choice(
        [
            f"while (x >= 10) {{ {some} t = 0; {digits} x = t; }} r = x;",
            f"while (x > 9) {{ {some} t = 0; {digits} x = t; }} r = x;",
            f"for (; x >= 10;) {{ {some} t = 0; {digits} x = t; }} r = x;",
            f"do {{ {some} t = 0; {digits} x = t; }} while (x > 9); r = x;",
        ]
    )
    return scalar_function(rng, "digitalroot", kind, rng.choice([kind, "int"]), kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("imul", "mul"):
        yield from _FORMS[hints.has("sar")]


FAMILY = Family("digitalroot", slow, forms)
