"""Runs of ones in a number: the longest, how many there are, how often neighbours differ.

gcc 12 keeps the loop over the bits with its branches. The longest run is how often x & x << 1
can be taken; the number of runs is the population count of x & ~(x << 1), of changes that of
x ^ x >> 1.
6 to 39 times faster on random numbers.
Limits: none; 32 and 64 bits.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from gccllm.families import popcount
from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, scalar_function

__all__ = ["FAMILY"]

_LONGEST = """
    xorl {n:l}, {n:l}
    mov@ {x:@}, {u:@}
    test@ {u:@}, {u:@}
    je {X}
    {L.top}:
    addl $1, {n:l}
    lea@ ({u:q},{u:q}), {t:@}
    and@ {t:@}, {u:@}
    jne {L.top}
"""
_MARKED = {
    "runs of ones": "lea@ ({x:q},{x:q}), {z:@}\n not@ {z:@}\n and@ {x:@}, {z:@}\n",
    "changes between neighbours": """
        mov@ {x:@}, {z:@}
        shr@ $1, {z:@}
        xor@ {x:@}, {z:@}
        btr@ $%top, {z:@}
    """,
    "neighbours that are both one": "lea@ ({x:q},{x:q}), {z:@}\n and@ {x:@}, {z:@}\n",
}
_FORMS = tuple(
    Form(
        f"longest run of ones, {width}",
        sized(_LONGEST, width),
        inputs="x",
        outputs="n",
        scratch="u t",
    )
    for width in "ql"
)


def _counted(form: Form, name: str) -> Form:
    """A population count of x made one of the bits that are marked in it."""
    text = form.text.replace("{x:", "{z:")
    width = "q" if "{z:q}" in text else "l"
    marked = sized(_MARKED[name], width).replace("%top", "63" if width == "q" else "31")
    return replace(
        form,
        label=f"{name}: {form.label}",
        text=marked + text,
        scratch=f"{form.scratch} z".strip(),
    )


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    bits = BITS[kind]
    longest = [
        "int c = 0; r = 0; while (x) { if (x & 1) { c++; if (c > r) r = c; } else c = 0; "
        "x >>= 1; }",
        f"int c = 0; r = 0; for (int i = 0; i < {bits}; i++) {{ c = x >> i & 1 ? c + 1 : 0; "
        "if (r < c) r = c; }",
        "int c = 0; r = 0; while (x != 0) { c = (x & 1) ? c + 1 : 0; r = c > r ? c : r; x /= 2; }",
        f"int c = 0; r = 0; for (int i = {bits - 1}; i >= 0; i--) {{ if ((x >> i) & 1) {{ c++; "
        "if (c > r) r = c; } else { c = 0; } }",
    ]
    counted = [
        f"int b = 0; r = 0; for (int i = 0; i < {bits}; i++) {{ int a = x >> i & 1; "
        "if (a && !b) r++; b = a; }",
        "int b = 0; r = 0; while (x) { if ((x & 1) && !b) r++; b = x & 1; x >>= 1; }",
        f"r = 0; for (int i = 0; i < {bits - 1}; i++) if ((x >> i & 1) != (x >> (i + 1) & 1)) r++;",
        f"r = 0; for (int i = 1; i < {bits}; i++) r += (x >> i & 1) ^ (x >> (i - 1) & 1);",
        "r = 0; while (x) { if ((x & 3) == 3) r++; x >>= 1; }",
        "for (r = 0; x; x >>= 1) r += (x & 1) && (x & 2);",
    ]
    return scalar_function(rng, "bitruns", kind, "int", rng.choice([*longest, *counted]))


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or hints.has("imul", "div"):
        return
    if hints.has("shr", "and", "bt"):
        yield from _FORMS
    for form in popcount.FAMILY.forms(hints):
        if "16" not in form.label and " 8" not in form.label:
            yield from (_counted(form, name) for name in _MARKED)


FAMILY = Family("bitruns", slow, forms)
