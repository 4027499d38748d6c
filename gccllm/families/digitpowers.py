"""Sums of squares or cubes of decimal digits: happy numbers, Armstrong numbers.

gcc 12 divides by ten once a digit, and each quotient waits for the one before. The ten quotients of
a 32-bit number by powers of ten don't wait for each other, and there is no branch: 1.2 to 1.5 times
faster on numbers of nine digits, slower where all arguments have a few. Two digits a step were no
faster than gcc's loop.
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


def _powered(digit: str, power: int, spare: str) -> str:
    """n += digit^power; destroys the digit and, for cubes, ``spare``."""
    if power == 2:
        lines = [f"imull {{{digit}:l}}, {{{digit}:l}}"]
    else:
        lines = [
            f"movl {{{digit}:l}}, {{{spare}:l}}",
            f"imull {{{digit}:l}}, {{{spare}:l}}",
            f"imull {{{spare}:l}}, {{{digit}:l}}",
        ]
    return "\n".join([*lines, f"addl {{{digit}:l}}, {{n:l}}"]) + "\n"


def _straight(power: int) -> str:
    """All ten digits of the 32-bit x: p holds x // 10^(k-1), t becomes x // 10^k."""
    text = "movl {x:l}, {y:l}\n movl {x:l}, {p:l}\n xorl {n:l}, {n:l}\n"
    for k in range(1, 10):
        pre, factor, shift = reciprocal(10**k)
        text += "movl {y:l}, {t:l}\n" + (f"shrl ${pre}, {{t:l}}\n" if pre else "")
        text += f"movl ${factor}, {{u:l}}\n imulq {{u:q}}, {{t:q}}\n shrq ${shift}, {{t:q}}\n"
        text += "leal ({t:q},{t:q},4), {u:l}\n addl {u:l}, {u:l}\n subl {u:l}, {p:l}\n"
        text += _powered("p", power, "u") + "movl {t:l}, {p:l}\n"
    return text + _powered("p", power, "u")


def _form(power: int, *, signed: bool) -> Form:
    guard = "testl {x:l}, {x:l}\n js {B}\n" if signed else ""
    return Form(
        f"digits to the power {power} by nine reciprocals" + (", not negative" if signed else ""),
        guard + _straight(power),
        inputs="x",
        outputs="n",
        scratch="y p t u",
    )


_FORMS = {signed: [_form(power, signed=signed) for power in (2, 3)] for signed in (False, True)}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "int"])
    power = rng.choice(["d * d", "d * d", "d * d * d"])
    kernel = rng.choice(
        [
            f"r = 0; while (x > 0) {{ int d = x % 10; r += {power}; x /= 10; }}",
            f"for (r = 0; x > 0; x /= 10) {{ unsigned d = x % 10; r += {power}; }}",
            f"int d; r = 0; while (x > 0) {{ d = x % 10; r = r + {power}; x = x / 10; }}",
            f"r = 0; for (; x > 0; x /= 10) r += {power.replace('d', '(int)(x % 10)')};",
            f"r = 0; do {{ unsigned d = x % 10; x /= 10; r += {power}; }} while (x > 0);",
        ]
    )
    return scalar_function(rng, "digitpowers", kind, rng.choice(["int", "unsigned"]), kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("imul", "mul"):
        yield from _FORMS[hints.has("sar")]


FAMILY = Family("digitpowers", slow, forms)
