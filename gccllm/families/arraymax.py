"""Largest and smallest element of an array of integers.

SSE2 has no 32-bit maximum, so gcc -O3 compares and blends in 128 bits, and 64-bit numbers go one
by one. With AVX2 and AVX-512 there is an instruction for it: 8 to 15 times faster for 32 bits in
the first caches, 3 to 12 times for 64 bits with AVX-512.
Limits: exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.reduction import Reduction, reductions
from gccllm.families.source import array_function

__all__ = ["FAMILY"]


def _reduction(word: str, condition: str, size: int, *, first: bool) -> Reduction:
    width = "q" if size == 8 else "l"
    scalar = {"l": "d", "q": "q"}[width]
    return Reduction(
        f"{word[2:5]}imum" + (" from the first element" if first else ""),
        size,
        load="",
        join=f"{word} %A({{p:q}}), {{%I:%U}}, {{%I:%U}}",
        fold=word,
        one=f"mov{width} ({{p:q}}), {{t:{width}}}\n cmp{width} {{s:{width}}}, {{t:{width}}}\n"
        f" cmov{condition}{width} {{t:{width}}}, {{s:{width}}}",
        total=f"mov{width} {{t:{width}}}, {{s:{width}}}",
        start=f"vmov{scalar} {{s:{width}}}, {{%I:x}}\n vpbroadcast{scalar} {{%I:x}}, {{%I:%U}}",
        first=f"mov{width} ({{p:q}}), {{s:{width}}}" if first else "",
        only="z" if size == 8 else "yz",
        wide="AVX512F AVX512VL" if size == 8 else "AVX512F",
    )


_FORMS = tuple(
    form
    for word, condition, size in (
        ("vpmaxsd", "g", 4),
        ("vpminsd", "l", 4),
        ("vpmaxud", "a", 4),
        ("vpminud", "b", 4),
        ("vpmaxsq", "g", 8),
        ("vpminsq", "l", 8),
    )
    for first in (True, False)
    for form in reductions(_reduction(word, condition, size, first=first))
)


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "unsigned", "long"])
    index = rng.choice(["int", "int", "long"])
    sign = rng.choice(["<", ">"])
    start, begin = rng.choice([("p[0]", 1), ("p[0]", 0), ("k", 0)])
    step = rng.choice([f"if (p[i] {sign} s) s = p[i];", f"s = p[i] {sign} s ? p[i] : s;"])
    params = [f"const {element} *p", f"{index} n"] + ([f"{element} k"] if start == "k" else [])
    loop = f"for ({index} i = {begin}; i < n; i++) {step}"
    text = f"    {element} s = {start};\n    {loop}\n    return s;"
    return array_function(rng, "arraymax", element, params, text)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.loads and hints.has("pcmp", "cmp", "cmov"):
        yield from _FORMS


FAMILY = Family("arraymax", slow, forms)
