"""Running maxima and minima: each element of the result is the largest of all up to it.

gcc 12 does one element after the other, a comparison and a conditional move each. Totals within
vectors of 256 or 512 bits and one maximum from vector to vector: 2 to 5 times faster in the first
caches.
Limits: signed and unsigned elements of 4 bytes, with AVX-512 of 8 bytes; exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.bulk import bulk_form
from gccllm.families.loopstate import loop_states
from gccllm.families.prefix import running
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

# Instruction, size, the number that changes nothing.
_WORDS = (
    ("vpmaxsd", 4, -(1 << 31)),
    ("vpminsd", 4, (1 << 31) - 1),
    ("vpmaxud", 4, 0),
    ("vpminud", 4, -1),
    ("vpmaxsq", 8, -(1 << 63)),
    ("vpminsq", 8, (1 << 63) - 1),
)


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "int", "unsigned", "long"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    sign = rng.choice(["<", ">"])
    start, begin = rng.choice([("p[0]", 0), ("p[0]", 1), ("k", 0)])
    to = rng.choice(["q[i]", "q[i]", "p[i]"])
    step = rng.choice(
        [
            f"if (p[i] {sign} s) s = p[i]; {to} = s;",
            f"s = p[i] {sign} s ? p[i] : s; {to} = s;",
            f"s = s {sign} p[i] ? s : p[i]; {to} = s;",
        ]
    )
    params = [f"{element} *p" if to == "p[i]" else f"const {element} *p", f"{index} n"]
    params += [f"{element} k"] if start == "k" else []
    params += [f"{element} *q"] if to == "q[i]" else []
    text = f"    {element} s = {start};\n    for ({index} i = {begin}; i < n; i++) {{ {step} }}"
    returns, behind = rng.choice([("void", ""), (element, "\n    return s;")])
    return array_function(rng, "runningmax", returns, params, text + behind)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads or not hints.has("cmov", "cmp"):
        return
    for word, size, neutral in _WORDS:
        for unit in "zy" if size == 4 else "z":
            for in_place in (True, False):
                kernel = running(
                    f"running {word[2:]}",
                    word,
                    size,
                    unit,
                    neutral,
                    in_place=in_place,
                    repeats=True,
                )
                for state in loop_states(size, hints, arrays=1 if in_place else 2):
                    yield bulk_form(kernel, state)


FAMILY = Family("runningmax", slow, forms)
