"""Integer square root by counting up: ``while ((r + 1) * (r + 1) <= x) r++``.

gcc keeps the loop of sqrt(x) rounds. The floating-point square root of a number below 2^52, rounded
down, is exact: 10 to 1000 times faster.
Limits: 32-bit arguments; where gcc's product would overflow (x above 46340², or 65535² unsigned),
and where the loop does not start at zero, gcc's own code stays.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]


def _root(guard: str, after: str, *, name: str) -> Form:
    return Form(
        f"square root of a double, {name}",
        f"""
        {guard}
        movl {{x:l}}, {{t:l}}
        pxor {{v:x}}, {{v:x}}
        cvtsi2sdq {{t:q}}, {{v:x}}
        sqrtsd {{v:x}}, {{v:x}}
        cvttsd2siq {{v:x}}, {{t:q}}
        {after}
        """,
        inputs="x",
        outputs="r",
        scratch="t",
        vectors="v",
    )


_SMALL = "cmpl $2147395600, {x:l}\n jae {B}\n"
_FORMS = tuple(
    _root(guard, sized(after, "l"), name=f"{kind}{name}")
    for kind, guard in (("", _SMALL), ("64-bit product, ", ""))
    for name, after in (
        ("rounded down", "mov@ {t:@}, {r:@}"),
        ("first whose square is larger", "lea@ 1({t:q}), {r:@}"),
        ("first whose successor's square is larger", "lea@ -1({t:q}), {r:@}"),
    )
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["int", "unsigned", "int"])
    wide = rng.choice(["long", kind])
    loop = rng.choice(
        [
            f"{wide} r = 0; while ((r + 1) * (r + 1) <= x) r++; return r;",
            f"{wide} r = 0; while (r * r <= x) r++; return r - 1;",
            f"{wide} r = 0; for (; (r + 1) * (r + 1) <= x; r++) ; return r;",
            f"{wide} r = 1; while (r * r <= x) r++; return r - 1;",
        ]
    )
    guard = rng.choice(["", "if (x <= 0) return 0;", "if (x == 0) return 0;"])
    return function(rng, "isqrt", f"int NAME({kind} x)\n{{\n    {guard}\n    {loop}\n}}")


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("imul"):
        yield from _FORMS


FAMILY = Family("isqrt", slow, forms)
