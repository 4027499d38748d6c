"""How many elements of an array equal, or are less than, a value.

gcc -O3 compares in 128 bits with one accumulator; four of 256 bits, or masks and popcnt: 2 to 4
times faster in the first caches.
Limits: 32-bit elements; exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.reduction import Reduction, reductions
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_SETUP = "vmovd {k:l}, {c:x}\n vpbroadcastd {c:x}, {c:y}"
# A comparison gives -1 for true, so it is subtracted; the scalar rest counts by sbb or setcc.
_KINDS = {
    "equal": ("vpcmpeqd %A({p:q}), {c:%U}, {u:%U}", "sete"),
    "less": ("vmovdqu %A({p:q}), {u:%U}\n vpcmpgtd {u:%U}, {c:%U}, {u:%U}", "setl"),
    "greater": ("vmovdqu %A({p:q}), {u:%U}\n vpcmpgtd {c:%U}, {u:%U}, {u:%U}", "setg"),
}


def _reduction(name: str, compare: str, condition: str) -> Reduction:
    return Reduction(
        f"count of {name}",
        4,
        load=compare,
        join="vpsubd {u:%U}, {%I:%U}, {%I:%U}",
        fold="vpaddd",
        one=f"xorl {{t:l}}, {{t:l}}\n cmpl {{k:l}}, ({{p:q}})\n {condition} {{t:b}}\n"
        " addl {t:l}, {s:l}",
        total="addl {t:l}, {s:l}",
        setup=_SETUP,
        inputs="k",
        vectors="c",
        only="y",
    )


_FORMS = tuple(
    form
    for name, (compare, condition) in _KINDS.items()
    for form in reductions(_reduction(name, compare, condition))
)


def slow(rng: random.Random) -> SlowForm:
    test = rng.choice(["p[i] == k", "p[i] < k", "p[i] > k", "k < p[i]", "k == p[i]"])
    index = rng.choice(["int", "int", "long"])
    body = rng.choice(
        [
            f"    for ({index} i = 0; i < n; i++) if ({test}) c++;",
            f"    for ({index} i = 0; i < n; i++) c += {test};",
            f"    {index} i = 0; while (i < n) {{ if ({test}) c++; i++; }}",
        ]
    )
    params = ["const int *p", f"{index} n", "int k"]
    return array_function(
        rng, "arraycount", "int", params, f"    int c = 0;\n{body}\n    return c;"
    )


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.loads and hints.has("pcmp", "cmp"):
        yield from _FORMS


FAMILY = Family("arraycount", slow, forms)
