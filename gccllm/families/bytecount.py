"""How many bytes of a text equal a value.

gcc -O3 widens every byte to 32 bits to count; comparing bytes and adding them up by psadbw does 32
at a time: 2 to 4 times faster in the first caches.
Limits: exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.reduction import Reduction, reductions
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_COUNT = Reduction(
    "count of equal bytes",
    1,
    load="vpcmpeqb %A({p:q}), {c:%U}, {u:%U}\n vpabsb {u:%U}, {u:%U}",
    join="vpsadbw {o0:%U}, {u:%U}, {u:%U}\n vpaddq {u:%U}, {%I:%U}, {%I:%U}",
    fold="vpaddq",
    one="xorl {t:l}, {t:l}\n cmpb {k:b}, ({p:q})\n sete {t:b}\n addl {t:l}, {s:l}",
    total="addl {t:l}, {s:l}",
    setup="vmovd {k:l}, {c:x}\n vpbroadcastb {c:x}, {c:y}\n vpxor {o0:x}, {o0:x}, {o0:x}",
    inputs="k",
    vectors="c o0",
    only="y",
)
_FORMS = tuple(reductions(_COUNT))


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["char", "unsigned char"])
    index = rng.choice(["int", "int", "long"])
    test = rng.choice(["p[i] == k", "k == p[i]"])
    body = rng.choice(
        [
            f"    for ({index} i = 0; i < n; i++) if ({test}) c++;",
            f"    for ({index} i = 0; i < n; i++) c += {test};",
            f"    {index} i = 0; while (i < n) {{ if ({test}) c++; i++; }}",
        ]
    )
    params = [f"const {element} *p", f"{index} n", f"{element} k"]
    return array_function(rng, "bytecount", "int", params, f"    int c = 0;\n{body}\n    return c;")


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.loads and hints.has("pcmpeqb", "cmpb"):
        yield from _FORMS


FAMILY = Family("bytecount", slow, forms)
