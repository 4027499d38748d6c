"""Binary logarithm and bit length by shifting: ``while (x >>= 1) n++``.

gcc 12 keeps the loop. lzcnt, or bsr in the base instruction set, replaces up to 64 rounds: 5 to 20
times faster.
Limits: none; zero gives what the loop gives it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _forms() -> Iterator[Form]:
    for width, bits in (("q", 64), ("l", 32)):
        length = sized(
            f"xorl {{t:l}}, {{t:l}}\n lzcnt@ {{x:@}}, {{t:@}}\n movl ${bits}, {{n:l}}\n"
            " subl {t:l}, {n:l}\n",
            width,
        )
        # bsr leaves its target alone for zero, on every processor that runs 64-bit code.
        index = sized("movq $-1, {n:q}\n bsr@ {x:@}, {n:@}\n", width)
        both = (("LZCNT", length, "t"), ("", index + "addl $1, {n:l}\n", ""))
        for needs, text, scratch in both:
            yield Form("bit length", text, needs, "x", outputs="n", scratch=scratch)
            # A loop with its test at the bottom counts zero like one.
            yield Form(
                "bit length, at least one",
                sized("movq {x:q}, {y:q}\n or@ $1, {y:@}\n", width) + text.replace("{x:", "{y:"),
                needs,
                "x",
                outputs="n",
                scratch=f"{scratch} y",
            )
            yield Form(
                "binary logarithm",
                sized("movq {x:q}, {y:q}\n or@ $1, {y:@}\n", width)
                + text.replace("{x:", "{y:")
                + "subl $1, {n:l}\n",
                needs,
                "x",
                outputs="n",
                scratch=f"{scratch} y",
            )
        yield Form(
            "binary logarithm, -1 for zero",
            index + "movl {n:l}, {n:l}\n",
            inputs="x",
            outputs="n",
        )


_FORMS = tuple(_forms())


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "r = 0; while (x >>= 1) r++;",
            "r = 0; while (x > 1) { x /= 2; r++; }",
            "for (r = 0; x > 1; x >>= 1) r++;",
            "r = -1; while (x) { x >>= 1; r++; }",
            "for (r = -1; x != 0; r++) x /= 2;",
            "r = 0; while (x) { x >>= 1; r++; }",
            "for (r = 0; x; x >>= 1) ++r;",
            "r = 0; if (x) do { r++; x >>= 1; } while (x);",
        ]
    )
    return scalar_function(rng, "log2", kind, "int", kernel)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("shr"):
        yield from _FORMS


FAMILY = Family("log2", slow, forms)
