"""Lomuto's partition: elements below the pivot are swapped to the front.

The branch around the swap can't be predicted on random data. Without it every element is stored
back, below the pivot or not, and the front grows by the outcome of the comparison: 3 to 6 times
faster on random data, slower on data that is sorted already.
Limits: none; an element that is not below the pivot is stored where it was, so nothing else is
touched than what the loop reads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

_TEXT = """
    .p2align 4
    {L.top}:
    mov@ ({p:q}), {x:@}
    movslq {j:l}, {s:q}
    leaq ({base:q},{s:q},#), {s:q}
    cmp@ {pivot:@}, {x:@}
    cmov! {p:q}, {s:q}
    mov@ ({s:q}), {y:@}
    mov@ {y:@}, ({p:q})
    mov@ {x:@}, ({s:q})
    leal 1({j:q}), {y:l}
    cmp@ {pivot:@}, {x:@}
    cmov?q {y:q}, {j:q}
    addq $#, {p:q}
    cmpq {end:q}, {p:q}
    jne {L.top}
"""
_OPPOSITE = {"l": "ge", "le": "g", "b": "ae", "be": "a", "g": "le", "ge": "l", "a": "be", "ae": "b"}


def _form(width: str, condition: str, *, long_index: bool, front_first: bool) -> Form:
    text = sized(_TEXT, width).replace("?", condition).replace("!", _OPPOSITE[condition])
    text = text.replace("#", {"l": "4", "q": "8"}[width])
    if long_index:
        text = text.replace("movslq {j:l}, {s:q}\n    leaq ({base:q},{s:q}", "leaq ({base:q},{j:q}")
        text = text.replace("leal 1({j:q}), {y:l}", "leaq 1({j:q}), {y:q}")
    if front_first:
        # Elements that overlap only partly would show the order of the two stores.
        first, second = (
            f"mov{width} {{y:{width}}}, ({{p:q}})",
            f"mov{width} {{x:{width}}}, ({{s:q}})",
        )
        text = text.replace(first, "{}").replace(second, first).replace("{}", second)
    return Form(
        f"partition without branches, {width} j{condition}",
        text,
        inputs="p end base pivot",
        changes="j",
        spoiled="p",
        scratch="x y s",
        pointers="p base",
    )


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "long", "unsigned"])
    below = rng.choice(["v[i] < x", "v[i] < x", "v[i] <= x", "v[i] > x"])
    swap = rng.choice(
        [
            f"{element} t = v[i]; v[i] = v[j]; v[j] = t; j++;",
            f"{element} t = v[j]; v[j] = v[i]; v[i] = t; ++j;",
            f"{element} t = v[i]; v[i] = v[j]; v[j++] = t;",
        ]
    )
    start = rng.choice(["l", "l", "0"])
    return function(
        rng,
        "partition",
        f"""int NAME({element} *v, int l, int h)
{{
    {element} x = v[h];
    int j = {start};
    for (int i = {start}; i < h; i++)
        if ({below}) {{
            {swap}
        }}
    return j;
}}""",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("cmp"):
        return
    for width, scale in (("l", 4), ("q", 8)):
        if any(f",{scale})" in x for x in hints.instructions):
            for condition in _OPPOSITE:
                for long_index in (False, True):
                    for front_first in (False, True):
                        yield _form(
                            width, condition, long_index=long_index, front_first=front_first
                        )


FAMILY = Family("partition", slow, forms)
