"""Decimal digits in reverse order: ``r = r * 10 + x % 10; x /= 10``, as in palindrome tests.

gcc 12 divides by ten once a digit, and each quotient waits for the one before. Two digits a step
halve that chain and the branches: 1.1 to 1.3 times faster. With 64-bit numbers that won nothing.
Limits: exact modulo 2^32 for unsigned arguments of 32 bits, and for signed ones that are not
negative (a negative one goes gcc's way).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.digitsum import reciprocal
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]

_, _FACTOR, _SHIFT = reciprocal(100)

# y gives its last two digits, t, to r: in u the tens, in t the ones. Behind the last pair one digit
# may be left, and none is where there was an even number.
_TEXT = f"""
    movl {{x:l}}, {{y:l}}
    xorl {{r:l}}, {{r:l}}
    cmpl $9, {{y:l}}
    jbe {{L.last}}
    {{L.top}}:
    imulq ${_FACTOR}, {{y:q}}, {{a:q}}
    shrq ${_SHIFT}, {{a:q}}
    imull $100, {{a:l}}, {{u:l}}
    movl {{y:l}}, {{t:l}}
    subl {{u:l}}, {{t:l}}
    movl {{a:l}}, {{y:l}}
    imull $205, {{t:l}}, {{u:l}}
    shrl $11, {{u:l}}
    leal ({{u:q}},{{u:q}},4), {{a:l}}
    addl {{a:l}}, {{a:l}}
    subl {{a:l}}, {{t:l}}
    leal ({{t:q}},{{t:q}},4), {{t:l}}
    leal ({{u:q}},{{t:q}},2), {{t:l}}
    imull $100, {{r:l}}, {{r:l}}
    addl {{t:l}}, {{r:l}}
    cmpl $9, {{y:l}}
    ja {{L.top}}
    testl {{y:l}}, {{y:l}}
    je {{X}}
    {{L.last}}:
    leal ({{r:q}},{{r:q}},4), {{r:l}}
    leal ({{y:q}},{{r:q}},2), {{r:l}}
"""


def _form(*, signed: bool) -> Form:
    return Form(
        "digits reversed, two a step" + (", not negative" if signed else ""),
        ("testl {x:l}, {x:l}\n js {B}\n" if signed else "") + _TEXT,
        inputs="x",
        outputs="r",
        scratch="y t u a",
    )


_FORMS = {signed: _form(signed=signed) for signed in (False, True)}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "int"])
    kernel = rng.choice(
        [
            "r = 0; while (x > 0) { r = r * 10 + x % 10; x /= 10; }",
            "for (r = 0; x > 0; x /= 10) r = 10 * r + x % 10;",
            f"r = 0; while (x > 0) {{ {kind} d = x % 10; r *= 10; r += d; x = x / 10; }}",
            f"r = 0; while (x > 0) {{ {kind} q = x / 10; r = r * 10 + (x - q * 10); x = q; }}",
            "r = 0; do { r = r * 10 + x % 10; x /= 10; } while (x > 0);",
        ]
    )
    compared = rng.random() < 0.3
    if compared:
        kernel = f"{kind} v = x; {kernel} r = r == v;"
    return scalar_function(rng, "digitreverse", kind, kind, kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("imul", "mul"):
        yield _FORMS[hints.has("sar")]


FAMILY = Family("digitreverse", slow, forms)
