"""The highest bit of a number alone, by clearing the lower ones or by doubling.

gcc 12 keeps ``while (x & (x - 1)) x &= x - 1``. bsr and a shift do it: 3 to 15 times faster.
Limits: none; zero stays zero.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]

_TEXT = """
    xorl {n:l}, {n:l}
    bsr@ {x:@}, {t:@}
    je {X}
    bts@ {t:@}, {n:@}
"""
_IN_PLACE = """
    bsr@ {x:@}, {t:@}
    je {X}
    xorl {x:l}, {x:l}
    bts@ {t:@}, {x:@}
"""
# A loop with its test at the bottom clears one bit before it looks: with x - 1 in y, x & y is next.
_WITHOUT_LOWEST = """
    lea@ -1({x:q}), {y:@}
    and@ {x:@}, {y:@}
    xorl {n:l}, {n:l}
    bsr@ {y:@}, {t:@}
    je {X}
    bts@ {t:@}, {n:@}
"""

_FORMS = tuple(
    form
    for width in "lq"
    for form in (
        Form(f"highest bit, {width}", sized(_TEXT, width), "", "x", outputs="n", scratch="t"),
        Form(f"highest bit in place, {width}", sized(_IN_PLACE, width), changes="x", scratch="t"),
        Form(
            f"highest bit but the lowest, {width}",
            sized(_WITHOUT_LOWEST, width),
            inputs="x",
            outputs="n",
            scratch="t y",
        ),
        Form(
            f"highest bit of the rest, {width}",
            sized(
                """
                bsr@ {y:@}, {t:@}
                je {L.none}
                xorl {x:l}, {x:l}
                bts@ {t:@}, {x:@}
                jmp {X}
                {L.none}:
                mov@ {y:@}, {x:@}
                """,
                width,
            ),
            inputs="y",
            outputs="x",
            scratch="t",
        ),
    )
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "while (x & (x - 1)) x &= x - 1; r = x;",
            "for (; x & (x - 1); x &= x - 1) ; r = x;",
            "while ((x & (x - 1)) != 0) x = x & (x - 1); r = x;",
        ]
    )
    return scalar_function(rng, "highbit", kind, kind, kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("and", "test"):
        yield from _FORMS


FAMILY = Family("highbit", slow, forms)
