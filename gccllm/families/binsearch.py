"""Binary search by bounds: ``middle = (low + high) / 2`` and a branch on what stands there.

gcc keeps the branch, which random keys make unpredictable in every step. With conditional moves a
step costs a load and a few cycles: 2 to 5 times faster on random keys. On keys that repeat a
pattern the branch is predicted and the moves are about half as fast: only timing can tell.
Limits: visits exactly the elements that the loop visits, so unsorted arrays give the same answer.
Searches that stop at an equal element are covered where they return one of the bounds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

# (suffix of the compared element, scale)
_ELEMENTS = (("l", 4), ("q", 8))
# The element compared with the key: condition under which the search goes on above the middle.
_CONDITIONS = ("l", "le", "b", "be")


def _step(element: str, scale: int, condition: str, index: str) -> str:
    """Low and high as they are behind one look at the middle ``m``."""
    middle = {
        # (low + high) / 2 in int, as bounds that may be negative halve
        "int": "leal ({low:q},{high:q}), {m:l}\n sarl $1, {m:l}\n movslq {m:l}, {w:q}\n",
        "int-signed": (
            "leal ({low:q},{high:q}), {m:l}\n movl {m:l}, {w:l}\n shrl $31, {w:l}\n"
            " addl {w:l}, {m:l}\n sarl $1, {m:l}\n movslq {m:l}, {w:q}\n"
        ),
        # low + (high - low) / 2
        "int-difference": (
            "movl {high:l}, {m:l}\n subl {low:l}, {m:l}\n movl {m:l}, {w:l}\n shrl $31, {w:l}\n"
            " addl {w:l}, {m:l}\n sarl $1, {m:l}\n addl {low:l}, {m:l}\n movslq {m:l}, {w:q}\n"
        ),
        "int-difference-positive": (
            "movl {high:l}, {m:l}\n subl {low:l}, {m:l}\n sarl $1, {m:l}\n addl {low:l}, {m:l}\n"
            " movslq {m:l}, {w:q}\n"
        ),
        "long": (
            "leaq ({low:q},{high:q}), {m:q}\n movq {m:q}, {w:q}\n shrq $63, {w:q}\n"
            " addq {w:q}, {m:q}\n sarq $1, {m:q}\n"
        ),
        "long-positive": "leaq ({low:q},{high:q}), {m:q}\n sarq $1, {m:q}\n",
        "unsigned-long": "leaq ({low:q},{high:q}), {m:q}\n shrq $1, {m:q}\n",
        "unsigned-long-difference": (
            "movq {high:q}, {m:q}\n subq {low:q}, {m:q}\n shrq $1, {m:q}\n addq {low:q}, {m:q}\n"
        ),
    }[index]
    place = "w" if index.startswith("int") else "m"
    width = "l" if index.startswith("int") else "q"
    above = sized("lea@ 1({m:q}), {w2:@}\n", width)
    compare = f"cmp{element} {{key:{element}}}, ({{p:q}},{{{place}:q}},{scale})\n"
    moves = sized("cmov? {w2:@}, {low:@}\n cmov! {m:@}, {high:@}\n", width)
    opposite = {"l": "ge", "le": "g", "b": "ae", "be": "a"}[condition]
    return middle + above + compare + moves.replace("?", condition).replace("!", opposite)


def _form(element: str, scale: int, condition: str, index: str) -> Form:
    width = "l" if index.startswith("int") else "q"
    # The bounds' own comparison: while (low < high), signed or unsigned like the bounds.
    on, off = ("b", "ae") if index.startswith("unsigned") else ("l", "ge")
    text = (
        sized(f"cmp@ {{high:@}}, {{low:@}}\n j{off} {{X}}\n .p2align 4\n {{L.top}}:\n", width)
        + _step(element, scale, condition, index)
        + sized(f"cmp@ {{high:@}}, {{low:@}}\n j{on} {{L.top}}\n", width)
    )
    return Form(
        f"binary search by conditional moves, {element} j{condition} {index}",
        text,
        inputs="p key high",
        spoiled="high",
        changes="low",
        counts="low",
        scratch="m w2 w" if "{w:" in text else "m w2",
        pointers="p",
    )


_INDICES = (
    "int int-signed int-difference int-difference-positive long long-positive unsigned-long "
    "unsigned-long-difference"
).split()


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "long", "unsigned"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    middle = rng.choice(["(l + h) / 2", "l + (h - l) / 2", "(l + h) >> 1"])
    below = rng.choice(["p[m] < k", "p[m] < k", "p[m] <= k"])
    step = rng.choice(
        [
            f"if ({below}) l = m + 1; else h = m;",
            f"if (!({below})) h = m; else l = m + 1;",
        ]
    )
    params = [f"const {element} *p", f"{index} n", f"{element} k"]
    rng.shuffle(params)
    loop = rng.choice(["while (l < h)", "while (h > l)"])
    return function(
        rng,
        "binsearch",
        f"""{index} NAME({", ".join(params)})
{{
    {index} l = 0, h = n;
    {loop} {{
        {index} m = {middle};
        {step}
    }}
    return l;
}}""",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("sar", "shr") or not hints.has("cmp"):
        return
    for element, scale in _ELEMENTS:
        if not any(f",{scale})" in x for x in hints.instructions):
            continue
        for index in _INDICES:
            if index.startswith("int") == hints.has("sarl"):
                for condition in _CONDITIONS:
                    yield _form(element, scale, condition, index)


FAMILY = Family("binsearch", slow, forms)
