"""Euclid's algorithm with remainders → binary gcd.

A division costs 10 to 40 cycles and every round needs the one before. The binary algorithm halves
by tzcnt and subtracts: about 5 cycles a round, 1.5 to 3 times faster on 32-bit and more on 64-bit
numbers where division is slow.
Limits: exact for unsigned arguments, zero included. Signed loops give results of either sign for
negative arguments; those forms take the slow way there (a loop of their own with idiv).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

# |x - y| by the borrow of the subtraction, so that all 32 or 64 bits may be used.
_STEIN = """
    test@ {y:@}, {y:@}
    je {L.first}
    test@ {x:@}, {x:@}
    je {L.second}
    mov@ {x:@}, {t:@}
    or@ {y:@}, {t:@}
    tzcnt@ {t:@}, {k:@}
    tzcnt@ {x:@}, {t:@}
    shrx@ {t:@}, {x:@}, {x:@}
    tzcnt@ {y:@}, {t:@}
    shrx@ {t:@}, {y:@}, {y:@}
    .p2align 4
    {L.top}:
    mov@ {y:@}, {d:@}
    mov@ {x:@}, {t:@}
    sub@ {x:@}, {d:@}
    je {L.done}
    sub@ {y:@}, {x:@}
    cmovb@ {d:@}, {x:@}
    cmovb@ {t:@}, {y:@}
    tzcnt@ {d:@}, {d:@}
    shrx@ {d:@}, {x:@}, {x:@}
    jmp {L.top}
    {L.done}:
    shlx@ {k:@}, {x:@}, {g:@}
    jmp {X}
    {L.first}:
    mov@ {x:@}, {g:@}
    jmp {X}
    {L.second}:
    mov@ {y:@}, {g:@}
"""
_SIGNED_GUARD = """
    mov@ {x:@}, {t:@}
    or@ {y:@}, {t:@}
    jns {L.positive}
    mov@ {x:@}, {a:@}
    test@ {y:@}, {y:@}
    je {L.negative}
    {L.slow}:
    %extend
    idiv@ {y:@}
    mov@ {y:@}, {a:@}
    mov@ {e:@}, {y:@}
    test@ {e:@}, {e:@}
    jne {L.slow}
    {L.negative}:
    mov@ {a:@}, {g:@}
    jmp {X}
    {L.positive}:
"""


def _unsigned(width: str) -> Form:
    return Form(
        f"binary gcd {width}",
        sized(_STEIN, width),
        "BMI BMI2",
        inputs="x y",
        spoiled="x y",
        outputs="g",
        scratch="t k d",
    )


def _signed(width: str) -> Form:
    guard = _SIGNED_GUARD.replace("%extend", {"l": "cltd", "q": "cqto"}[width])
    return Form(
        f"binary gcd {width}, negative numbers by division",
        sized(guard + _STEIN, width),
        "BMI BMI2",
        inputs="x y",
        spoiled="x y",
        outputs="g",
        scratch="t k d a e",
        fixed="a=rax e=rdx",
    )


_FORMS = tuple(make(width) for width in "lq" for make in (_unsigned, _signed))


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "int", "long"])
    loop = rng.choice(
        [
            f"while (b) {{ {kind} t = a % b; a = b; b = t; }} return a;",
            f"while (b != 0) {{ {kind} t = b; b = a % b; a = t; }} return a;",
            f"for (;;) {{ if (!b) return a; {kind} t = a % b; a = b; b = t; }}",
            f"if (!b) return a; {kind} t; do {{ t = a % b; a = b; b = t; }} while (t); return a;",
        ]
    )
    return function(rng, "gcd", f"{kind} NAME({kind} a, {kind} b)\n{{\n    {loop}\n}}")


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("div", "idiv"):
        signed = hints.has("idiv")
        yield from (x for x in _FORMS if ("negative" in x.label) == signed)


FAMILY = Family("gcd", slow, forms)
