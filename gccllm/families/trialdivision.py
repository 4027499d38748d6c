"""Trial division: ``for (d = 2; d * d <= n; d++) if (n % d == 0) …``.

gcc divides by every number in the width of the variables. Where n is neither even nor a multiple of
three no such d divides it, which leaves a third of the divisions; and a 32-bit division is up to
three times as fast as a 64-bit one. 2 to 4 times faster on primes.
Limits: the fast way is taken for n and d below 2147395600 = 46340², where no product overflows,
and n without the factors 2 and 3; everything else goes gcc's way. Regions that need the last d are
left alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

# n times the inverse of 3 modulo 2^32 is at most (2^32 - 1) / 3 exactly for the multiples of 3.
_GUARD = """
    cmp@ $2147395600, {n:@}
    jae {B}
    cmp@ $2147395600, {d:@}
    jae {B}
    testb $1, {n:b}
    je {B}
    imull $-1431655765, {n:l}, {a:l}
    cmpl $0x55555555, {a:l}
    jbe {B}
"""
_ODD_ONLY = """
    testb $1, {d:b}
    je {B}
"""
# The loop divides by d before it compares: one division of its own.
_FIRST = """
    testl {d:l}, {d:l}
    je {B}
    movl {n:l}, {a:l}
    xorl {e:l}, {e:l}
    divl {d:l}
    testl {e:l}, {e:l}
    je {X.found}
"""
# d goes over the numbers behind it that are 1 or 5 modulo 6. A 32-bit n may have anything above.
_WHEEL = """
    leal 1({d:q}), {d:l}
    movl $0xaaaaaaab, {a:l}
    imulq {d:q}, {a:q}
    shrq $34, {a:q}
    leal ({a:q},{a:q},2), {a:l}
    addl {a:l}, {a:l}
    movl {d:l}, {e:l}
    subl {a:l}, {e:l}
    cmpl $1, {e:l}
    je {L.one}
    ja {L.more}
    addl $1, {d:l}
    jmp {L.one}
    {L.more}:
    addl $5, {d:l}
    subl {e:l}, {d:l}
    jmp {L.five}
    .p2align 4
    {L.one}:
    movl {n:l}, {e:l}
    movq {d:q}, {a:q}
    imulq {d:q}, {a:q}
    cmpq {a:q}, {e:q}
    jb {X.none}
    movl {n:l}, {a:l}
    xorl {e:l}, {e:l}
    divl {d:l}
    addl $4, {d:l}
    testl {e:l}, {e:l}
    je {X.found}
    {L.five}:
    movl {n:l}, {e:l}
    movq {d:q}, {a:q}
    imulq {d:q}, {a:q}
    cmpq {a:q}, {e:q}
    jb {X.none}
    movl {n:l}, {a:l}
    xorl {e:l}, {e:l}
    divl {d:l}
    addl $2, {d:l}
    testl {e:l}, {e:l}
    jne {L.one}
    jmp {X.found}
"""


def _form(width: str, *, divides_first: bool, odd_only: bool) -> Form:
    text = _GUARD + (_ODD_ONLY if odd_only else "") + (_FIRST if divides_first else "")
    return Form(
        f"trial division by numbers prime to six, {width}"
        + (", divides first" if divides_first else "")
        + (", odd" if odd_only else ""),
        sized(text + _WHEEL, width),
        inputs="n d",
        spoiled="d",
        scratch="a e",
        fixed="a=rax e=rdx",
    )


def slow(rng: random.Random) -> SlowForm:
    number = rng.choice(["int", "int", "long", "unsigned"])
    divisor = rng.choice(["long", "long", number])
    start, step = rng.choice([("2", "d++"), ("2", "++d"), ("3", "d += 2"), ("3", "d++")])
    guard = rng.choice(["if (n < 2) return 0;", "if (n <= 1) return 0;"])
    if start == "3":
        guard += " if (n % 2 == 0) return n == 2;"
    body = rng.choice(
        [
            f"for ({divisor} d = {start}; d * d <= n; {step}) if (n % d == 0) return 0; return 1;",
            f"{divisor} d = {start}; while (d * d <= n) {{ if (n % d == 0) return 0; {step}; }}"
            " return 1;",
            f"for ({divisor} d = {start}; d * d <= n; {step}) if (!(n % d)) return 0; return 1;",
        ]
    )
    return function(rng, "trialdivision", f"int NAME({number} n)\n{{\n    {guard}\n    {body}\n}}")


def forms(hints: Hints) -> Iterator[Form]:
    if not (hints.loops and hints.has("div", "idiv") and hints.has("imul")):
        return
    # Whether the loop divides before it compares, and whether it leaves even numbers out, is read
    # off its text: states on which the difference shows are too rare to find by chance.
    entry = hints.lines.index("L0:") if "L0:" in hints.lines else 0
    words = [x.split()[0] for x in hints.lines[entry:] if x.startswith("\t")]
    divides = next((i for i, x in enumerate(words) if "div" in x), len(words))
    compares = next((i for i, x in enumerate(words) if x.startswith("imul")), len(words))
    by_two = any(x.startswith(("\taddl\t$2,", "\taddq\t$2,")) for x in hints.lines)
    for width in "ql":
        yield _form(width, divides_first=divides < compares, odd_only=by_two)


FAMILY = Family("trialdivision", slow, forms)
