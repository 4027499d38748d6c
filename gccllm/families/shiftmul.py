"""Multiplication by shifting and adding: ``while (b) { if (b & 1) r += a; a <<= 1; b >>= 1; }``.

gcc 12 keeps the loop of one round for every bit of b. One multiplication does it: 8 to 11 times
faster on random numbers.
Limits: exact modulo 2^32 or 2^64; a signed multiplier below zero goes gcc's way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _form(width: str, multiplier: str, *, signed: bool) -> Form:
    """A multiplier of 32 bits may have anything above them, so it is moved first."""
    guard = f"test{multiplier} {{y:{multiplier}}}, {{y:{multiplier}}}\n js {{B}}\n"
    return Form(
        f"one multiplication, {width} by {multiplier}" + (", not negative" if signed else ""),
        (guard if signed else "")
        + f"mov{multiplier} {{y:{multiplier}}}, {{t:{multiplier}}}\n"
        + sized("imul@ {x:@}, {t:@}\n add@ {t:@}, {r:@}", width),
        inputs="x y",
        changes="r",
        scratch="t",
        counts="r",
    )


_FORMS = {
    signed: [_form(width, multiplier, signed=signed) for width, multiplier in ("qq", "ql", "ll")]
    for signed in (False, True)
}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "unsigned", "unsigned long", "long"])
    other = kind if kind == "unsigned" else rng.choice(["unsigned", kind])
    signed = other == "long"
    end = "c > 0" if signed else rng.choice(["c", "c != 0", "c > 0"])
    odd = "c & 1" if signed else rng.choice(["c & 1", "c % 2", "(c & 1) == 1"])
    half = "c >>= 1" if signed else rng.choice(["c >>= 1", "c /= 2"])
    twice = rng.choice(["x <<= 1", "x += x", "x *= 2", "x = x + x"])
    add = rng.choice(["r += x", "r = r + x"])
    kernel = rng.choice(
        [
            f"{other} c = m; r = 0; while ({end}) {{ if ({odd}) {add}; {twice}; {half}; }}",
            f"{other} c = m; r = 0; while ({end}) {{ if ({odd}) {{ {add}; }} {half}; {twice}; }}",
            f"r = 0; for ({other} c = m; {end}; {half}, {twice}) if ({odd}) {add};",
        ]
    )
    return scalar_function(rng, "shiftmul", kind, kind, kernel, [f"{other} m"])


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("shr", "sar") and not hints.has("imul", "div"):
        yield from _FORMS[hints.has("sar")]


FAMILY = Family("shiftmul", slow, forms)
