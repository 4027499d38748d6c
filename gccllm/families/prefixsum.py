"""Prefix sums: each element of the result is the sum (or xor) of all elements up to it.

gcc 12 does one element after the other. Totals within vectors of 256 or 512 bits and one addition
from vector to vector: 1.5 to 2.7 times faster in the first caches (measured).
Limits: elements of 4 and 8 bytes; exact, for addition wraps.
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


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "unsigned", "long", "unsigned long"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    sign = rng.choice(["+", "+", "+", "^"])
    start = rng.choice(["0", "0", "k"])
    returns, behind = rng.choice([("void", ""), ("void", ""), (element, "\n    return s;")])
    total = f"    {element} s = {start};\n"
    shape = rng.randrange(4)
    if shape == 0:
        body = f"{total}    for ({index} i = 0; i < n; i++) {{ s {sign}= p[i]; q[i] = s; }}{behind}"
    elif shape == 1:
        step = f"s = s {sign} p[i]; p[i] = s; i++;"
        body = f"{total}    {index} i = 0;\n    while (i < n) {{ {step} }}{behind}"
    elif shape == 2:
        body = f"{total}    for ({index} i = 0; i < n; i++) p[i] = s {sign}= p[i];{behind}"
    else:
        returns, start = "void", "0"
        step = rng.choice([f"p[i] {sign}= p[i - 1];", f"p[i] = p[i - 1] {sign} p[i];"])
        body = f"    for ({index} i = 1; i < n; i++) {step}"
    params = [f"{element} *p" if shape else f"const {element} *p", f"{index} n"]
    params += [f"{element} *q"] if shape == 0 else []
    params += [f"{element} k"] if start == "k" else []
    return array_function(rng, "prefixsum", returns, params, body)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads or not hints.has("add", "xor"):
        return
    for size, suffix in ((4, "d"), (8, "q")):
        for name, word in (("sum", f"vpadd{suffix}"), ("xor", "vpxor")):
            for unit in "zy":
                wide = f"{word}{suffix}" if word == "vpxor" and unit == "z" else word
                for in_place in (True, False):
                    kernel = running(
                        f"prefix {name}", wide, size, unit, 0, in_place=in_place, repeats=False
                    )
                    for state in loop_states(size, hints, arrays=1 if in_place else 2):
                        yield bulk_form(kernel, state)


FAMILY = Family("prefixsum", slow, forms)
