"""Sum of decimal digits: a division by ten for every digit.

The digit sum of x is x - 9 * (x/10 + x/100 + x/1000 + …), and these quotients don't wait for each
other: nine multiplications in a row take as long as two or three rounds of gcc's loop, whose last
branch can't be predicted on top. About 2 to 3 times faster on numbers of nine digits, slower
where all arguments have one or two.
Limits: none; exact for all 32-bit and 64-bit unsigned arguments, and for the signed ones that
are not negative (the loop of a negative argument ends at once or sums negative digits).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import scalar_function

__all__ = ["FAMILY", "reciprocal"]


def reciprocal(divisor: int, bits: int = 32) -> tuple[int, int, int]:
    """(pre, factor, shift) with ``x // divisor == ((x >> pre) * factor) >> shift`` for all
    unsigned x of ``bits`` bits; the product fits 2 * bits bits.

    Granlund and Montgomery, 'Division by Invariant Integers using Multiplication', section 4.
    """
    pre = 0
    while True:
        reduced, width = divisor >> pre, bits - pre
        for extra in range(reduced.bit_length() + 1):
            shift = width + extra
            factor = -(-(1 << shift) // reduced)
            if factor.bit_length() <= bits and factor * reduced - (1 << shift) <= 1 << extra:
                return pre, factor, shift
        if divisor >> pre & 1:
            raise ValueError(f"no factor of {bits} bits divides by {divisor}")
        pre += 1


def _sum_of_quotients(register: str) -> str:
    """``{q:l}`` = sum of x / 10^k for k from 1 to 9, from the 32-bit ``register`` zero-extended."""
    lines = []
    for k in range(1, 10):
        pre, factor, shift = reciprocal(10**k)
        target = "q" if k == 1 else "t"
        if pre:
            lines += [f"movl {{{register}:l}}, {{{target}:l}}", f"shrl ${pre}, {{{target}:l}}"]
            if factor < 1 << 31:
                lines.append(f"imulq ${factor}, {{{target}:q}}, {{{target}:q}}")
            else:
                lines += [f"movl ${factor}, {{u:l}}", f"imulq {{u:q}}, {{{target}:q}}"]
        elif factor < 1 << 31:
            lines.append(f"imulq ${factor}, {{{register}:q}}, {{{target}:q}}")
        else:
            lines += [f"movl ${factor}, {{{target}:l}}", f"imulq {{{register}:q}}, {{{target}:q}}"]
        lines.append(f"shrq ${shift}, {{{target}:q}}")
        if k > 1:
            lines.append("addl {t:l}, {q:l}")
    return "\n".join(lines) + "\n"


_SUM_32 = Form(
    "digit sum by nine reciprocals",
    "movl {x:l}, {y:l}\n"
    + _sum_of_quotients("y")
    + "leal ({q:q},{q:q},8), {q:l}\n movl {y:l}, {n:l}\n subl {q:l}, {n:l}\n",
    inputs="x",
    outputs="n",
    scratch="y q t u",
)
# Nine digits a round: x = high * 10^9 + low.
_SUM_64 = Form(
    "digit sum by nine reciprocals a round",
    """
    movq {x:q}, {h:q}
    xorl {n:l}, {n:l}
    {L.top}:
    movl {h:l}, {y:l}
    cmpq {y:q}, {h:q}
    je {L.small}
    movq {h:q}, {a:q}
    shrq $9, {a:q}
    movabsq $19342813113834067, {d:q}
    mulq {d:q}
    shrq $11, {d:q}
    imulq $1000000000, {d:q}, {a:q}
    subq {a:q}, {h:q}
    movq {h:q}, {y:q}
    movq {d:q}, {h:q}
    jmp {L.part}
    {L.small}:
    xorl {h:l}, {h:l}
    {L.part}:
    """
    + _sum_of_quotients("y")
    + """
    leal ({q:q},{q:q},8), {q:l}
    addl {y:l}, {n:l}
    subl {q:l}, {n:l}
    testq {h:q}, {h:q}
    jne {L.top}
    """,
    inputs="x",
    outputs="n",
    scratch="y q t u h a d",
    fixed="a=rax d=rdx",
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "r = 0; while (x > 0) { r += x % 10; x /= 10; }",
            "r = 0; while (x) { r += x % 10; x = x / 10; }",
            "for (r = 0; x != 0; x /= 10) r += x % 10;",
            "r = 0; do { r += x % 10; x /= 10; } while (x);",
            f"r = 0; while (x) {{ {kind} q = x / 10; r += x - q * 10; x = q; }}",
            "r = 0; while (x >= 10) { r += x % 10; x /= 10; } r += x;",
        ]
    )
    return scalar_function(rng, "digitsum", kind, rng.choice(["int", "unsigned"]), kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("imul", "mul"):
        return
    yield from (_SUM_32, _SUM_64)


FAMILY = Family("digitsum", slow, forms)
