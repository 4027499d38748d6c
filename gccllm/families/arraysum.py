"""Sum (or xor) of an array of integers.

gcc -O3 uses 128-bit vectors and one accumulator, so every addition waits for the one before. Four
accumulators of 256 or 512 bits: 2 to 4 times faster on arrays that the first caches hold.
Limits: exact, for addition wraps; no gain where memory is the limit or arrays are short.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.reduction import Reduction, reductions
from gccllm.families.source import array_function

__all__ = ["FAMILY"]


def _simple(name: str, word: str, size: int) -> Reduction:
    width = "q" if size == 8 else "l"
    scalar = {"vpadd": "add", "vpxor": "xor"}[word]
    lanes = {"vpadd": f"vpadd{'q' if size == 8 else 'd'}", "vpxor": "vpxor"}[word]
    return Reduction(
        name,
        size,
        load="",
        join=f"{lanes} %A({{p:q}}), {{%I:%U}}, {{%I:%U}}",
        fold=lanes,
        one=f"{scalar}{width} ({{p:q}}), {{s:{width}}}",
        total=f"{scalar}{width} {{t:{width}}}, {{s:{width}}}",
        # vpxor has no form for 512 bits under this name.
        only="y" if word == "vpxor" else "yz",
    )


_KINDS = tuple(
    _simple(name, word, size)
    for name, word in (("sum", "vpadd"), ("xor", "vpxor"))
    for size in (4, 8)
)
_FORMS = tuple(form for kind in _KINDS for form in reductions(kind))


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "unsigned", "long", "unsigned long"])
    index = rng.choice(["int", "int", "long"])
    operator = rng.choice(["+", "+", "^"])
    start = rng.choice(["0", "0", "k"])
    body = rng.choice(
        [
            f"    for ({index} i = 0; i < n; i++) s {operator}= p[i];",
            f"    for ({index} i = 0; i < n; i++) s = s {operator} p[i];",
            f"    {index} i = 0; while (i < n) {{ s {operator}= p[i]; i++; }}",
        ]
    )
    params = [f"const {element} *p", f"{index} n"] + ([f"{element} k"] if start == "k" else [])
    text = f"    {element} s = {start};\n{body}\n    return s;"
    return array_function(rng, "arraysum", element, params, text)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.loads and hints.has("padd", "pxor", "add", "xor"):
        yield from _FORMS


FAMILY = Family("arraysum", slow, forms)
