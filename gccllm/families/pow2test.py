"""Is a number a power of two, by halving or by doubling.

gcc 12 keeps the loop. ``x & (x - 1)`` says it: 5 to 20 times faster.
Limits: loops that only end for some numbers are equal where they end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _forms() -> Iterator[Form]:
    for width in "lq":
        # For zero the borrow sets all bits, and zero and its predecessor share none: hence the
        # comparison x ^ (x - 1) > x - 1, which holds for powers of two only.
        test = "lea@ -1({x:q}), {t:@}\n mov@ {x:@}, {u:@}\n xor@ {t:@}, {u:@}\n"
        yield Form(
            f"power of two, {width}",
            sized(test + "xorl {n:l}, {n:l}\n cmp@ {t:@}, {u:@}\n seta {n:b}\n", width),
            inputs="x",
            outputs="n",
            scratch="t u",
        )
        yield Form(
            f"shifted down to its odd part, {width}",
            sized("xorl {t:l}, {t:l}\n tzcnt@ {x:@}, {t:@}\n shrx@ {t:@}, {x:@}, {n:@}\n", width),
            "BMI BMI2",
            inputs="x",
            outputs="n",
            scratch="t",
        )


_FORMS = tuple(_forms())


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "if (!x) r = 0; else { while (x % 2 == 0) x /= 2; r = x == 1; }",
            "if (x == 0) r = 0; else { while (!(x & 1)) x >>= 1; r = x == 1; }",
            "r = 0; if (x) { while ((x & 1) == 0) x >>= 1; r = x == 1; }",
            "r = 5; if (x > 0) { while (x % 2 == 0) x = x / 2; r = x == 1; }",
        ]
    )
    return scalar_function(rng, "pow2test", kind, "int", kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.has("shr") and hints.loops:
        yield from _FORMS
        yield from _STRIPPED


_STRIPPED = tuple(
    Form(
        f"an even number's odd part in place, {width}",
        sized(f"shr@ $1, {{x:@}}\n {find}", width),
        needs,
        changes="x",
        scratch="t",
        fixed=fixed,
    )
    for width in "lq"
    for find, needs, fixed in (
        ("tzcnt@ {x:@}, {t:@}\n shrx@ {t:@}, {x:@}, {x:@}", "BMI BMI2", ""),
        ("bsf@ {x:@}, {t:@}\n shr@ %cl, {x:@}", "", "t=rcx"),
    )
)


FAMILY = Family("pow2test", slow, forms)
