"""Leading zeros by shifting up: ``while (!(x & TOP)) { x <<= 1; n++; }``.

gcc 12 keeps the loop. lzcnt or bsr replaces it: 5 to 20 times faster on small numbers.
Limits: for zero the loop does not end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _forms() -> Iterator[Form]:
    for width, bits in (("l", 32), ("q", 64)):
        count = f"bsr@ {{x:@}}, {{n:@}}\n xorl ${bits - 1}, {{n:l}}\n"
        yield Form("leading zeros", sized(count, width), "", "x", outputs="n")
        yield Form(
            "leading zeros",
            sized("xorl {n:l}, {n:l}\n lzcnt@ {x:@}, {n:@}\n", width),
            "LZCNT",
            "x",
            outputs="n",
        )
        # One doubling before the first look.
        yield Form(
            "leading zeros, one at least",
            sized(
                "lea@ ({x:q},{x:q}), {t:@}\n" + count.replace("{x:", "{t:") + "addl $1, {n:l}\n",
                width,
            ),
            inputs="x",
            outputs="n",
            scratch="t",
        )
        yield Form(
            "shifted up to the top",
            sized(
                "bsr@ {x:@}, {n:@}\n xorl $" + str(bits - 1) + ", {n:l}\n shl@ %cl, {x:@}", width
            ),
            changes="x",
            scratch="n",
            fixed="n=rcx",
        )


_FORMS = tuple(_forms())


def slow(rng: random.Random) -> SlowForm:
    kind, top = rng.choice([("unsigned", "0x80000000u"), ("unsigned long", "(1ul << 63)")])
    kernel = rng.choice(
        [
            f"r = 0; if (x) while (!(x & {top})) {{ x <<= 1; r++; }}",
            f"r = 64; if (x) {{ r = 0; while ((x & {top}) == 0) {{ x *= 2; ++r; }} }}",
            f"r = 0; if (x != 0) for (; x < {top}; x <<= 1) r++;",
        ]
    )
    return scalar_function(rng, "leadingzeros", kind, "int", kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("add", "sal", "shl", "lea"):
        yield from _FORMS


FAMILY = Family("leadingzeros", slow, forms)
