"""Sums of numbers, squares and cubes up to an end: ``for (i = 1; i <= n; i++) s += i * i``.

gcc 12 vectorises the loop at best and keeps it. The sums are polynomials of the end, exact modulo
2^32 or 2^64 when divided as wide products: some multiplications instead of n rounds.
Limits: the sum starts at zero and i at 0 or 1, as a whole function does; nothing for an end below
that. Exact where no term wraps before it is added up; ends from where one might, which the text of
the loop says, go gcc's way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import function

__all__ = ["FAMILY"]

NARROW_LIMIT = 46340
"""rounds up to which i * (i + 1) fits a signed number of 32 bits"""
WIDE_LIMIT = 1 << 30
"""rounds up to which 2 * i does"""

# u = n or n + 1 in 64 bits; each sum is over 0 <= i < u.
# u (u - 1) / 2
_TRIANGLE = """
    leaq -1({u:q}), {r:q}
    imulq {u:q}, {r:q}
    shrq $1, {r:q}
"""
# times (2 u - 1) / 3: an exact division by three is a product with its inverse modulo 2^64.
_SQUARES = (
    _TRIANGLE
    + """
    leaq -1({u:q},{u:q}), {t:q}
    imulq {t:q}, {r:q}
    movabsq $0xaaaaaaaaaaaaaaab, {t:q}
    imulq {t:q}, {r:q}
"""
)
_CUBES = _TRIANGLE + "imulq {r:q}, {r:q}\n"
# The sum of the first u odd numbers, and of the first u even ones.
_ODD = "movq {u:q}, {r:q}\n imulq {u:q}, {r:q}\n"
_EVEN = "leaq -1({u:q}), {r:q}\n imulq {u:q}, {r:q}\n"
# i (i + 1) / 2, and i (i + 1)
_PYRAMID = """
    leaq -1({u:q}), {r:q}
    imulq {u:q}, {r:q}
    leaq 1({u:q}), {t:q}
    shrq $1, {r:q}
    imulq {t:q}, {r:q}
    movabsq $0xaaaaaaaaaaaaaaab, {t:q}
    imulq {t:q}, {r:q}
"""
_SUMS = {
    "numbers": ("i", _TRIANGLE),
    "squares": ("i * i", _SQUARES),
    "cubes": ("i * i * i", _CUBES),
    "odd numbers": ("2 * i + 1", _ODD),
    "even numbers": ("2 * i", _EVEN),
    "triangular numbers": ("i * (i + 1) / 2", _PYRAMID),
    "products of neighbours": ("i * (i + 1)", _PYRAMID + "addq {r:q}, {r:q}\n"),
}


def _form(name: str, *, inclusive: bool, result: str, signed: bool, narrow: bool) -> Form:
    """``n`` has 32 bits; ``u`` is the number of rounds from i = 0 on. ``narrow``: i * i is computed
    in 32 bits, which for large i is not what is added up here."""
    above = "1" if inclusive else "0"
    first = "movslq {n:l}, {u:q}\n" if signed else "movl {n:l}, {u:l}\n"
    first += f"addq ${above}, {{u:q}}\n"
    halved = name == "triangular numbers"
    if result == "q" or halved:
        limit = NARROW_LIMIT if narrow or (halved and result == "l") else WIDE_LIMIT
        first += f"cmpq ${limit}, {{u:q}}\n jg {{B}}\n"
    first += "xorl {r:l}, {r:l}\n testq {u:q}, {u:q}\n jle {X}\n"
    cut = "movl {r:l}, {r:l}\n" if result == "l" else ""
    return Form(
        f"sum of {name}, {'to' if inclusive else 'below'} {'signed' if signed else 'unsigned'} n, "
        f"{result}",
        first + _SUMS[name][1] + cut,
        inputs="n",
        outputs="r",
        scratch="u t",
    )


def slow(rng: random.Random) -> SlowForm:
    name = rng.choice(["numbers", "numbers", "squares", "squares", *_SUMS])
    term = _SUMS[name][0]
    kind = rng.choice(["int", "int", "unsigned"])
    result = rng.choice([kind, "long" if kind == "int" else "unsigned long"])
    if name == "triangular numbers":
        kind, result = "int", "long"
    if result not in (kind,):
        term = term.replace("i", f"({result})i")
    start, end = rng.choice([("0", "i < n"), ("1", "i <= n"), ("1", "i <= n"), ("0", "i <= n")])
    if name == "odd numbers":
        start, end = "0", "i < n"
    # An unsigned i <= n may never end, so gcc could not count it.
    if kind == "unsigned":
        start, end = ("0", "i < n") if name == "odd numbers" else ("1", "i < n")
    add = rng.choice([f"s += {term};", f"s = s + {term};"])
    loop = rng.choice(
        [
            f"for ({kind} i = {start}; {end}; i++) {add}",
            f"for ({kind} i = {start}; {end}; ++i) {{ {add} }}",
            f"{kind} i = {start}; while ({end}) {{ {add} i++; }}",
        ]
    )
    params, after = [f"{kind} n"], "s"
    if rng.random() < 0.3:
        params.append(f"{rng.choice(['int', 'unsigned', 'long'])} v")
        after = "s + v"
    rng.shuffle(params)
    return function(
        rng,
        "rangesum",
        f"{result} NAME({', '.join(params)})\n{{\n    {result} s = 0;\n    {loop}\n"
        f"    return {after};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or hints.has("div", "idiv"):
        return
    multiplied = hints.has("imul", "pmul", "vpmul")
    signed = hints.has("jl", "jg")
    narrow = "imulq" not in hints.mnemonics or "imull" in hints.mnemonics
    for name, (term, _) in _SUMS.items():
        if ("i *" in term) == multiplied:
            for inclusive in (True, False):
                for result in "lq":
                    yield _form(
                        name,
                        inclusive=inclusive,
                        result=result,
                        signed=signed,
                        narrow=narrow and multiplied,
                    )


FAMILY = Family("rangesum", slow, forms)
