"""How often a number can be divided by a base: ``while (x >= b) { x /= b; n++; }``.

gcc 12 divides by the variable base every round, 10 to 40 cycles each. Multiplying a power of the
base up to x takes 3 or 4: 1.2 times faster on random bases, which need few rounds, more on small
ones.
Limits: exact for unsigned bases of 2 and more (other bases, where the loop divides by zero or does
not end, go gcc's way), and for signed numbers that are not negative.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]

# p = b^k while it is at most x; p and x are compared in 64 bits, so that 32-bit powers can't wrap.
_TEXTS = {
    "l": """
        movl {b:l}, {c:l}
        movl {x:l}, {y:l}
        %guard
        cmpl $1, {c:l}
        jbe {B}
        movl ${start}, {n:l}
        movq {c:q}, {p:q}
        cmpq {p:q}, {y:q}
        jb {L.done}
        .p2align 4
        {L.top}:
        addl $1, {n:l}
        imulq {c:q}, {p:q}
        cmpq {y:q}, {p:q}
        jbe {L.top}
        {L.done}:
    """,
    "q": """
        movq {b:q}, {c:q}
        movq {x:q}, {y:q}
        %guard
        cmpq $1, {c:q}
        jbe {B}
        movl ${start}, {n:l}
        movq {c:q}, {p:q}
        cmpq {p:q}, {y:q}
        jb {L.done}
        .p2align 4
        {L.top}:
        addl $1, {n:l}
        mulq {c:q}
        jo {L.done}
        cmpq {y:q}, {p:q}
        jbe {L.top}
        {L.done}:
    """,
}


def _form(width: str, start: int, *, signed: bool) -> Form:
    guard = sized("mov@ {c:@}, {p:@}\n or@ {y:@}, {p:@}\n js {B}\n", width) if signed else ""
    name = {0: "divisions until it is below the base", 1: "divisions until it is zero"}[start]
    return Form(
        f"{name}, by powers, {width}" + (", not negative" if signed else ""),
        _TEXTS[width].replace("%guard", guard).replace("{start}", str(start)),
        inputs="x b",
        outputs="n",
        scratch="c y p" if width == "l" else "c y p d",
        fixed="" if width == "l" else "p=rax d=rdx",
    )


# x = 0 is divided once where the loop looks behind its division, as the digits of 0 are one.
_FORMS = {
    signed: [_form(width, start, signed=signed) for width in "lq" for start in (0, 1)]
    for signed in (False, True)
}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "unsigned long", "int"])
    kernel = rng.choice(
        [
            "r = 0; while (x >= m) { x /= m; r++; }",
            "r = 0; for (; x >= m; x /= m) r++;",
            "r = 0; while (x > 0) { x /= m; r++; }",
            "r = 0; do { x /= m; r++; } while (x > 0);",
            "for (r = 1; x >= m; r++) x = x / m;",
            "r = 0; while (x > 0) { r++; x = x / m; }",
        ]
    )
    return scalar_function(rng, "ilog", kind, "int", kernel, [f"{kind} m"])


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("div", "idiv"):
        yield from _FORMS[hints.has("idiv")]


FAMILY = Family("ilog", slow, forms)
