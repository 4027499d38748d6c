"""Dot product of two arrays of 32-bit integers, and the sum of squares of one.

SSE2 has no 32-bit multiplication that gcc could use without shuffling; AVX2 and AVX-512 have, and
four accumulators hide its latency: 4 to 7 times faster.
Limits: exact modulo 2^32.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.reduction import Reduction, reductions
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_DOT = Reduction(
    "dot product",
    4,
    load="vmovups %A({p:q}), {u:%U}",
    join="vpmulld %A({o:q}), {u:%U}, {u:%U}\n vpaddd {u:%U}, {%I:%U}, {%I:%U}",
    fold="vpaddd",
    one="movl ({p:q}), {t:l}\n imull ({o:q}), {t:l}\n addl {t:l}, {s:l}",
    total="addl {t:l}, {s:l}",
    arrays=2,
)
_SQUARES = Reduction(
    "sum of squares",
    4,
    load="vmovups %A({p:q}), {u:%U}",
    join="vpmulld {u:%U}, {u:%U}, {u:%U}\n vpaddd {u:%U}, {%I:%U}, {%I:%U}",
    fold="vpaddd",
    one="movl ({p:q}), {t:l}\n imull {t:l}, {t:l}\n addl {t:l}, {s:l}",
    total="addl {t:l}, {s:l}",
)
_FORMS = tuple(form for kind in (_DOT, _SQUARES) for form in reductions(kind))


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "unsigned"])
    index = rng.choice(["int", "int", "long"])
    product = rng.choice(["p[i] * q[i]", "p[i] * q[i]", "p[i] * p[i]"])
    body = rng.choice(
        [
            f"    for ({index} i = 0; i < n; i++) s += {product};",
            f"    {index} i = 0; while (i < n) {{ s += {product}; i++; }}",
        ]
    )
    params = [f"const {element} *p", f"{index} n"]
    params += [f"const {element} *q"] if "q" in product else []
    text = f"    {element} s = 0;\n{body}\n    return s;"
    return array_function(rng, "dotproduct", element, params, text)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.loads and hints.has("pmul", "imul"):
        yield from _FORMS


FAMILY = Family("dotproduct", slow, forms)
