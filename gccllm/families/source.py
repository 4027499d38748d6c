"""C around a kernel: names, types, constants, neighbours and contexts drawn at random.

A kernel is C text over fixed one-letter names (``x`` in, ``r`` out, ``p`` an array, ``n`` its
length, …). What is drawn here changes everything around it and, in the end, all names, so that one
kernel gives thousands of different functions whose idiom is the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from gccllm.families.base import SlowForm

__all__ = ["BITS", "array_function", "function", "scalar_function"]

BITS: Mapping[str, int] = {
    "unsigned char": 8,
    "unsigned short": 16,
    "int": 32,
    "unsigned": 32,
    "long": 64,
    "unsigned long": 64,
}

_VERBS = "get calc do run find eval make take work solve step next score weigh measure".split()
_NOUNS = "value total bits item word code key part result mark level cost weight rank".split()
_SHORT = "a b c d e f g h k m q s t u v w z".split()
_LONG = (
    "acc arr base best buf cnt count cur data digit end first hi idx input items last left len lo "
    "mask num out pos prev ptr res rest right size src start step sum text tmp tot val work"
).split()
_RESERVED = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if int "
    "long register return short signed sizeof static struct switch typedef union unsigned void "
    "volatile while restrict inline".split()
)


def function(rng: random.Random, family: str, text: str) -> SlowForm:
    """A whole function whose name stands as ``NAME``; all its other names are drawn anew."""
    name = f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}"
    words = dict.fromkeys(re.findall(r"(?<![\w.\"'])[A-Za-z_]\w*", text))
    own = [w for w in words if w not in _RESERVED and w != "NAME" and not w.startswith("__")]
    pool = [w for w in (*_SHORT, *_LONG) if w not in own]
    rng.shuffle(pool)
    new = {w: (w if rng.random() < 0.3 else pool.pop()) for w in own}
    new["NAME"] = name
    renamed = re.sub(r"(?<![\w.\"'])[A-Za-z_]\w*", lambda m: new.get(m.group(0), m.group(0)), text)
    return SlowForm(family, name, renamed + "\n")


def scalar_function(
    rng: random.Random, family: str, kind: str, result: str, kernel: str, extra: Sequence[str] = ()
) -> SlowForm:
    """A function around a kernel that reads ``x`` (of type ``kind``), may destroy it, and sets
    ``r`` (of type ``result``). ``extra`` are more parameters that it reads, as declarations."""
    params = [f"{kind} x", *extra]
    before, after = _before(rng, kind), "r"
    shape = rng.random()
    if shape < 0.35:
        before = ""
    elif shape < 0.6:
        params.append(f"{rng.choice(list(BITS)[2:])} y")
        after = rng.choice(["r + y", "r * y", "r ^ y", "y - r", "y > 5 ? r : r + y"])
    rng.shuffle(params)
    if shape > 0.85:
        params = ["const " + kind + " *p", "int n", *extra]
        return function(
            rng,
            family,
            f"""{result} NAME({", ".join(params)})
{{
    {result} s = {rng.choice(["0", "0", "1", "7"])};
    for (int i = 0; i < n; i++) {{
        {kind} x = p[i];
        {result} r;
        {kernel}
        s {rng.choice(["+", "^", "+", "-"])}= r;
    }}
    return s;
}}""",
        )
    returned = rng.choice([result, result, "long"]) if BITS.get(result, 64) < 64 else result
    return function(
        rng,
        family,
        f"""{returned} NAME({", ".join(params)})
{{
    {result} r;
    {before}
    {kernel}
    return {after};
}}""",
    )


def array_function(
    rng: random.Random, family: str, result: str, params: Sequence[str], body: str
) -> SlowForm:
    """A function over arrays: ``params`` are declarations in any order, ``body`` its statements."""
    mixed = list(params)
    rng.shuffle(mixed)
    return function(rng, family, f"{result} NAME({', '.join(mixed)})\n{{\n{body}\n}}")


def _before(rng: random.Random, kind: str) -> str:
    """A statement that changes x without making its value known."""
    number = rng.choice([1, 3, 5, 9, 12, 77, 100, 255, rng.randint(2, 9999)])
    shift = rng.choice([1, 2, 3, 7]) if BITS[kind] > 8 else 1
    return rng.choice(
        [f"x += {number};", f"x ^= x >> {shift};", f"x = x * {number | 1};", f"x ^= {number};", ""]
    )
