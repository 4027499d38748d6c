"""Remainder by repeated subtraction: ``while (x >= m) x -= m``, and Euclid by subtraction.

gcc keeps the loop. One division ends it: faster as soon as there are more than about ten rounds,
and no slower below where a division costs ten cycles.
Limits: exact for unsigned numbers; for signed ones the fast way needs a divisor above zero, as the
loop does to end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import scalar_function

__all__ = ["FAMILY"]


def _form(width: str, *, counted: bool, bottom: bool) -> Form:
    """``bottom``: the loop subtracts once before it looks."""
    first = "sub@ {m:@}, {a:@}\n" if bottom else ""
    text = f"mov@ {{x:@}}, {{a:@}}\n {first}xorl {{d:l}}, {{d:l}}\n div@ {{m:@}}\n"
    if counted:
        plus = "addl $1, {a:l}\n" if bottom else ""
        text += f"mov@ {{d:@}}, {{x:@}}\n {plus}addl {{a:l}}, {{n:l}}"
    else:
        text += "mov@ {d:@}, {x:@}"
    return Form(
        "remainder by one division" + (", counted" if counted else ""),
        sized(text, width),
        inputs="m",
        changes="x n" if counted else "x",
        scratch="a d",
        fixed="a=rax d=rdx",
    )


_FORMS = tuple(
    _form(width, counted=counted, bottom=bottom)
    for width in "ql"
    for counted in (False, True)
    for bottom in (True, False)
)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    kernel = rng.choice(
        [
            "while (x >= m) x -= m; r = x;",
            "for (; x >= m; x -= m) ; r = x;",
            "while (!(x < m)) x = x - m; r = x;",
        ]
    )
    return scalar_function(rng, "submod", kind, kind, kernel, [f"{kind} m"])


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("sub") and not hints.has("imul", "div", "idiv"):
        yield from _FORMS


FAMILY = Family("submod", slow, forms)
