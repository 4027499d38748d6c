"""Trailing zeros: a loop that halves an even number, with or without counting.

gcc 12 keeps the loop at every -march. tzcnt (bsf before BMI) and one shift replace a loop whose end
can't be predicted: 2 to 4 times faster on random numbers, more on multiples of large powers of two.
Limits: for zero the loop does not end, or the C guards it; guarded values are tried as they stand
in the region. A loop with its test at the bottom halves once before it looks, hence two forms.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, scalar_function

__all__ = ["FAMILY"]


def _strip(width: str, shift: str, *, rotated: bool) -> Iterator[Form]:
    """x >>= ctz(x), alone and with the count; ``rotated`` shifts by one before."""
    first = f"{shift}@ $1, {{x:@}}\n" if rotated else ""
    name = "trailing zeros off" + (", halved first" if rotated else "")
    text = first + f"tzcnt@ {{x:@}}, {{n:@}}\n {shift}x@ {{n:@}}, {{x:@}}, {{x:@}}"
    slow_text = first + f"bsf@ {{x:@}}, {{n:@}}\n {shift}@ %cl, {{x:@}}"
    count = "\n addl $1, {n:l}" if rotated else ""
    for needs, body, fixed in (("BMI BMI2", text, ""), ("", slow_text, "n=rcx")):
        yield Form(name, sized(body, width), needs, changes="x", scratch="n", fixed=fixed)
        yield Form(
            name + " and counted",
            sized(body, width) + count,
            needs,
            changes="x",
            outputs="n",
            fixed=fixed,
        )


_STRIPS = tuple(
    form
    for width in "ql"
    for shift in ("shr", "sar")
    for rotated in (False, True)
    for form in _strip(width, shift, rotated=rotated)
)
_COUNTS = tuple(
    Form(
        "trailing zeros",
        sized(f"{before} {word}@ {{x:@}}, {{n:@}}", width),
        needs,
        inputs="x",
        outputs="n",
    )
    for width in "ql"
    for word, needs, before in (
        ("tzcnt", "BMI", "xorl {n:l}, {n:l}\n"),
        ("bsf", "", ""),
    )
)


_ROTATED = tuple(
    Form(
        "trailing zeros of an even number",
        sized(f"mov@ {{x:@}}, {{t:@}}\n shr@ $1, {{t:@}}\n {word}@ {{t:@}}, {{n:@}}\n", width)
        + "addl $1, {n:l}",
        needs,
        inputs="x",
        outputs="n",
        scratch="t",
    )
    for width in "ql"
    for word, needs in (("tzcnt", "BMI"), ("bsf", ""))
)


def _guarded(width: str, default: int) -> Form:
    """ctz(x), or ``default`` for zero."""
    return Form(
        f"trailing zeros or {default}",
        sized(
            f"movl ${default}, {{d:l}}\n tzcnt@ {{x:@}}, {{n:@}}\n cmovcl {{d:l}}, {{n:l}}", width
        ),
        "BMI",
        inputs="x",
        outputs="n",
        scratch="d",
    )


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "unsigned", "unsigned long"])
    default = rng.choice([BITS[kind], 0, -1])
    kernel = rng.choice(
        [
            f"if (!x) r = {default}; else {{ r = 0; while (!(x & 1)) {{ x >>= 1; r++; }} }}",
            f"r = {default}; if (x) {{ r = 0; while ((x & 1) == 0) {{ r++; x /= 2; }} }}",
            f"if (x) {{ for (r = 0; !(x & 1); r++) x >>= 1; }} else r = {default};",
            f"if (x == 0) r = {default}; else {{ r = 0; while (x % 2 == 0) {{ x /= 2; r++; }} }}",
            "r = 0; if (x) { while (x % 2 == 0) x /= 2; } r = x;",
            "r = 3; if (x) while (!(x & 1)) x >>= 1; r = x;",
        ]
    )
    result = kind if kernel.endswith("r = x;") else "int"
    return scalar_function(rng, "ctz", kind, result, kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("shr", "sar", "shl", "sal", "add"):
        return
    yield from _COUNTS
    yield from _ROTATED
    yield from _STRIPS
    for default in sorted({0, -1, 32, 64, *(x for x in hints.immediates if -1000 < x < 1000)})[:12]:
        yield from (_guarded(width, default) for width in "ql")


FAMILY = Family("ctz", slow, forms)
