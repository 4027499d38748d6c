"""Divisors of a number counted or added by trying all numbers up to it.

gcc 12 divides n times. Divisors come in pairs, d and n / d, so trying those up to the root of n is
enough: about sqrt(n) / 2 times fewer divisions, 10 times faster for n = 1000.
Limits: exact for positive n (others go gcc's way) where the loop starts at 1; the sum modulo 2^32
or 2^64. With or without n itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import function

__all__ = ["FAMILY"]

_PAIRS = """
    movl {n:l}, {m:l}
    testl {m:l}, {m:l}
    jle {B}
    %start
    movl $1, {c:l}
    jmp {L.test}
    .p2align 4
    {L.top}:
    movl {m:l}, {a:l}
    xorl {d:l}, {d:l}
    divl {c:l}
    testl {d:l}, {d:l}
    jne {L.next}
    %one
    cmpl {c:l}, {a:l}
    je {L.next}
    %other
    {L.next}:
    addl $1, {c:l}
    {L.test}:
    movq {c:q}, {a:q}
    imulq {c:q}, {a:q}
    cmpq {m:q}, {a:q}
    jbe {L.top}
"""
_KINDS = {
    "counted": ("addl $1, {r:l}", "addl $1, {r:l}"),
    "summed": ("addq {c:q}, {r:q}", "addq {a:q}, {r:q}"),
}


def _form(kind: str, *, proper: bool, result: str) -> Form:
    one, other = _KINDS[kind]
    start = "xorl {r:l}, {r:l}"
    if proper:
        start += "\nsubq {m:q}, {r:q}" if kind == "summed" else "\nsubl $1, {r:l}"
    cut = "movl {r:l}, {r:l}\n" if result == "l" and kind == "summed" else ""
    return Form(
        f"divisors {kind} in pairs" + (", less the number" if proper else "") + f", {result}",
        _PAIRS.replace("%start", start).replace("%one", one).replace("%other", other) + cut,
        inputs="n",
        outputs="r",
        scratch="m c a d",
        fixed="a=rax d=rdx",
    )


_FORMS = tuple(
    _form(kind, proper=proper, result=result)
    for kind, result in (("counted", "l"), ("summed", "l"), ("summed", "q"))
    for proper in (False, True)
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["int", "int", "unsigned"])
    counted = rng.random() < 0.5
    result = "int" if counted else rng.choice([kind, "long"])
    end = rng.choice(["i <= n", "i <= n", "i < n", "i <= n / 2"])
    add = "s++" if counted else rng.choice(["s += i", "s = s + i"])
    asked = rng.choice(["n % i == 0", "!(n % i)"])
    loop = rng.choice(
        [
            f"for ({kind} i = 1; {end}; i++) if ({asked}) {add};",
            f"for ({kind} i = 1; {end}; ++i) {{ if ({asked}) {{ {add}; }} }}",
            f"{kind} i = 1; while ({end}) {{ if ({asked}) {add}; i++; }}",
        ]
    )
    after = rng.choice(["s", "s", "s + v", "s == 2" if counted else "s == n", "s - v"])
    if end == "i <= n / 2":
        after = rng.choice(["s", "s + v"])
    params = [f"{kind} n", *(["int v"] if "v" in after else [])]
    rng.shuffle(params)
    return function(
        rng,
        "divisors",
        f"{result} NAME({', '.join(params)})\n{{\n    {result} s = 0;\n    {loop}\n"
        f"    return {after};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("div", "idiv"):
        yield from _FORMS


FAMILY = Family("divisors", slow, forms)
