"""Collatz steps: halve while even, 3x + 1 when odd, counted.

gcc takes a branch on parity that can't be predicted and halves one step at a time. All halvings
between two odd numbers are one tzcnt and one shift (bsf before BMI): about 3 times faster.
Limits: none; wraps modulo 2^32 or 2^64 exactly as the loop does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

# One round does the odd step and all the halvings behind it. The number behind an odd step is even,
# so a test for 1 is needed behind halvings only.
_STEPS = """
    test@ $1, {x:@}
    jne {L.odd}
    {L.even}:
    tzcnt@ {x:@}, {t:@}
    shrx@ {t:@}, {x:@}, {x:@}
    add# {t:#}, {n:#}
    cmp@ $1, {x:@}
    je {X}
    .p2align 4
    {L.odd}:
    lea@ 1({x:q},{x:q},2), {x:@}
    tzcnt@ {x:@}, {t:@}
    shrx@ {t:@}, {x:@}, {x:@}
    lea# 1({n:q},{t:q}), {n:#}
    cmp@ $1, {x:@}
    jne {L.odd}
"""


def _form(width: str, counter: str, *, bottom: bool, bmi: bool) -> Form:
    """``bottom``: the test for 1 stands at the loop's end, so the first step is always taken."""
    text = _STEPS
    if not bottom:
        text = "cmp@ $1, {x:@}\n je {X}\n" + text
    if not bmi:
        text = text.replace("tzcnt@", "bsf@").replace("shrx@ {t:@}, {x:@},", "shr@ %cl,")
    return Form(
        "Collatz by trailing zeros" + ("" if bottom else ", tested first"),
        sized(text, width).replace("#", counter),
        "BMI BMI2" if bmi else "",
        inputs="x",
        spoiled="x",
        changes="n",
        counts="n",
        scratch="t",
        fixed="" if bmi else "t=rcx",
    )


_FORMS = tuple(
    _form(width, counter, bottom=bottom, bmi=bmi)
    for width in "ql"
    for counter in "lq"
    for bottom in (True, False)
    for bmi in (True, False)
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned long", "unsigned long", "unsigned"])
    odd = rng.choice(["x = 3 * x + 1;", "x = x * 3 + 1;", "x += 2 * x + 1;"])
    even = rng.choice(["x = x / 2;", "x >>= 1;", "x /= 2;"])
    step = rng.choice(
        [
            f"if (x % 2 == 0) {even} else {odd} n++;",
            f"if (x & 1) {odd} else {even} n++;",
            f"n++; if (x % 2) {odd} else {even}",
            f"if (!(x & 1)) {{ {even} }} else {{ {odd} }} n += 1;",
        ]
    )
    count = rng.choice(["int", "long", "unsigned"])
    guard = rng.choice(["", "", "if (x == 0) return 0;"])
    loop = rng.choice([f"while (x != 1) {{ {step} }}", f"for (; x != 1;) {{ {step} }}"])
    body = f"    {count} n = 0;\n    {guard}\n    {loop}\n    return n;\n"
    return function(rng, "collatz", f"{count} NAME({kind} x)\n{{\n{body}}}")


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("shr") and hints.has("lea"):
        yield from _FORMS


FAMILY = Family("collatz", slow, forms)
