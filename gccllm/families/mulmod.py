"""Product modulo m by doubling: ``if (b & 1) r = (r + a) % m; a = a * 2 % m; b >>= 1``.

People write it because a product of 64-bit numbers does not fit; gcc 12 divides once or twice a bit
of b. One 128-bit product and its division by m: 11 to 15 times faster, 3 times in 32 bits.
Limits: exact for m below 2^63 and r and a below 2^63, where no sum wraps (2^62 for signed
numbers); everything else goes gcc's way. In 32 bits the same with 2^31 and 2^30.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

# a * b + r is below m * 2^64 once a is below m, so that its quotient fits.
_TEXT = """
    mov@ {a:@}, {x:@}
    or@ {r:@}, {x:@}
    %small
    test@ {m:@}, {m:@}
    jle {B}
    test@ {b:@}, {b:@}
    %none
    mov@ {a:@}, {x:@}
    xorl {d:l}, {d:l}
    div@ {m:@}
    mov@ {d:@}, {x:@}
    mul@ {b:@}
    add@ {r:@}, {x:@}
    adc@ $0, {d:@}
    div@ {m:@}
    mov@ {d:@}, {r:@}
"""


def _form(width: str, modulus: int | None, *, signed: bool) -> Form:
    """``modulus``: a constant, which gcc divides by with multiplications."""
    if signed:
        small = f"or@ {{m:@}}, {{x:@}}\n shr@ ${62 if width == 'q' else 30}, {{x:@}}\n jne {{B}}"
    else:
        small = "js {B}"
    text = _TEXT.replace("%none", "jle {X}" if signed else "je {X}").replace("%small", small)
    text = sized(text, width)
    if modulus is not None:
        move = "movabsq" if width == "q" else "movl"
        text = f"{move} ${modulus}, {{m:{width}}}\n" + text
    constant = modulus is not None
    return Form(
        f"product modulo {modulus if constant else 'm'} by one division, {width}"
        + (", signed" if signed else ""),
        text,
        inputs="a b" if constant else "a b m",
        changes="r",
        scratch="x d m" if constant else "x d",
        fixed="x=rax d=rdx",
    )


_PRIMES = (1000000007, 998244353, 1000000009, 1000000000, 4294967291)


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned long", "unsigned long", "long", "unsigned"])
    end = rng.choice(["b > 0", "b > 0" if kind == "long" else "b"])
    modulus = "m"
    params = [f"{kind} a", f"{kind} b"]
    if rng.random() < 0.7:
        params.append(f"{kind} m")
    else:
        fits = [x for x in _PRIMES if x < 1 << 31 or kind != "unsigned"]
        modulus = str(rng.choice(fits)) + ("u" if kind == "unsigned" else "")
    odd, half = rng.choice([("b & 1", "b >>= 1"), ("b % 2 == 1", "b /= 2"), ("b & 1", "b /= 2")])
    add = rng.choice([f"r = (r + a) % {modulus}", f"r = (a + r) % {modulus}"])
    twice = rng.choice(
        [f"a = (a + a) % {modulus}", f"a = a * 2 % {modulus}", f"a = (a << 1) % {modulus}"]
    )
    before = rng.choice([f"a %= {modulus};", f"a = a % {modulus};", ""])
    loop = rng.choice(
        [
            f"while ({end}) {{ if ({odd}) {add}; {twice}; {half}; }}",
            f"while ({end}) {{ if ({odd}) {{ {add}; }} {half}; {twice}; }}",
            f"for (; {end}; {half}) {{ if ({odd}) {add}; {twice}; }}",
        ]
    )
    rng.shuffle(params)
    return function(
        rng,
        "mulmod",
        f"{kind} NAME({', '.join(params)})\n{{\n    {kind} r = 0;\n    {before}\n    {loop}\n"
        f"    return r;\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("shr", "sar"):
        return
    moduli: list[int | None] = []
    if hints.has("div", "idiv"):
        moduli.append(None)
    elif hints.has("imul", "mul"):
        moduli += [x for x in sorted(hints.immediates) if x > 1 << 16]
    for modulus in moduli:
        for width in "ql":
            if modulus is None or modulus < 1 << (62 if width == "q" else 30):
                yield _form(width, modulus, signed=hints.has("sar", "idiv"))


FAMILY = Family("mulmod", slow, forms)
