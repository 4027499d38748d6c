"""Gray code back to a number: ``while (x) { r ^= x; x >>= 1; }``.

gcc 12 keeps the loop. The prefix parity of all bits takes five or six shifts and xors: 3 to 8 times
faster.
Limits: none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _prefix(width: str) -> str:
    shifts = (1, 2, 4, 8, 16, 32) if width == "q" else (1, 2, 4, 8, 16)
    rounds = "".join(
        f"mov@ {{g:@}}, {{t:@}}\n shr@ ${k}, {{t:@}}\n xor@ {{t:@}}, {{g:@}}\n" for k in shifts
    )
    return sized(f"mov@ {{x:@}}, {{g:@}}\n {rounds}", width)


_FORMS = tuple(
    form
    for width in "ql"
    for form in (
        Form(f"gray code decoded, {width}", _prefix(width), "", "x", outputs="g", scratch="t"),
        Form(
            f"gray code decoded, {width}, xored",
            _prefix(width) + sized("xor@ {g:@}, {r:@}\n", width),
            inputs="x",
            changes="r",
            scratch="t g",
        ),
    )
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "r = 0; while (x) { r ^= x; x >>= 1; }",
            "for (r = 0; x; x >>= 1) r ^= x;",
            "r = 0; if (x) do { r ^= x; x /= 2; } while (x);",
        ]
    )
    return scalar_function(rng, "graydecode", kind, kind, kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("xor") and hints.has("shr"):
        yield from _FORMS


FAMILY = Family("graydecode", slow, forms)
