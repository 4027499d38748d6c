"""The next power of two: ``p = 1; while (p < x) p *= 2``.

gcc 12 keeps the loop. The length of x - 1 in bits says it at once: 5 to 15 times faster for large
x. Limits: beyond the largest power of two the loop does not end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _doubled(width: str) -> Form:
    """p (1 at first, as everywhere) doubled at least once until it is x or more."""
    return Form(
        f"next power of two, {width}, doubled at least once",
        sized(
            """
            cmp@ $1, {p:@}
            jne {B}
            lea@ -1({x:q}), {t:@}
            or@ $1, {t:@}
            cmp@ $2, {x:@}
            jae {L.large}
            movl $1, {t:l}
            {L.large}:
            bsr@ {t:@}, {t:@}
            movl $2, {p:l}
            shlx@ {t:@}, {p:@}, {p:@}
            """,
            width,
        ),
        "BMI2",
        inputs="x",
        changes="p",
        scratch="t",
    )


def _form(width: str, *, at_least: int) -> Form:
    """1 << bits(x - 1), but ``at_least`` (1, or 2 for a loop that doubles before it looks)."""
    length = at_least - 1
    return Form(
        f"next power of two, {width}, from {at_least}",
        sized(
            f"""
            lea@ -1({{x:q}}), {{t:@}}
            movl ${length}, {{n:l}}
            cmp@ ${at_least}, {{x:@}}
            jbe {{L.small}}
            bsr@ {{t:@}}, {{n:@}}
            addl $1, {{n:l}}
            {{L.small}}:
            xorl {{p:l}}, {{p:l}}
            bts@ {{n:@}}, {{p:@}}
            """,
            width,
        ),
        inputs="x",
        outputs="p",
        scratch="t n",
    )


_FORMS = tuple(_form(width, at_least=least) for width in "ql" for least in (1, 2)) + tuple(
    _doubled(width) for width in "ql"
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "r = 1; while (r < x) r <<= 1;",
            "r = 1; while (r < x) r *= 2;",
            "for (r = 1; r < x; r *= 2) ;",
            "r = 1; while (x > r) r = r + r;",
        ]
    )
    return scalar_function(rng, "nextpow2", kind, kind, kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("add", "sal", "shl", "lea"):
        yield from _FORMS


FAMILY = Family("nextpow2", slow, forms)
