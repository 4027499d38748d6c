"""Division bit by bit: a remainder that is shifted, compared and reduced for every bit of a number.

People write it where a processor has no division, and gcc 12 keeps the 32 or 64 rounds, whose
branch can't be predicted. One division: 2 times faster on numbers of
random length, 11 times on those of 30 bits.
Limits: a divisor of zero, or one with the highest bit set (where the shifted remainder may lose a
bit), goes gcc's way. Quotient, remainder or both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, function

__all__ = ["FAMILY"]

_DIVISION = """
    test@ {m:@}, {m:@}
    jle {B}
    mov@ {x:@}, {a:@}
    xorl {d:l}, {d:l}
    div@ {m:@}
"""


def _form(width: str, outputs: str) -> Form:
    name = {"a": "quotient", "d": "remainder", "a d": "quotient and remainder"}[outputs]
    return Form(
        f"{name} by one division, {width}",
        sized(_DIVISION, width),
        inputs="x m",
        outputs=outputs,
        scratch=" ".join(x for x in "ad" if x not in outputs.split()),
        fixed="a=rax d=rdx",
    )


_FORMS = tuple(_form(width, outputs) for width in "lq" for outputs in ("a", "d", "a d"))


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned", "unsigned long"])
    bits = BITS[kind]
    one = "1u" if bits == 32 else "1ul"
    wanted = rng.choice(["q", "q", "r", "r", "q * 3 + r", "q ^ r"])
    set_bit = rng.choice([f"q |= {one} << i", f"q += {one} << i", f"q = q | ({one} << i)"])
    push = "q = q << 1 | 1"
    wants_q = "q" in wanted
    down = rng.choice(["r = (r << 1) | ((x >> i) & 1);", "r = r << 1; r |= x >> i & 1;"])
    top = f"(x >> {bits - 1})"
    taken = f"{{ r -= m; {set_bit}; }}" if wants_q else "r -= m;"
    shifted = rng.choice(
        [
            f"r = (r << 1) | {top}; x <<= 1; {'q <<= 1;' if wants_q else ''} "
            f"if (r >= m) {{ r -= m; {'q |= 1;' if wants_q else ''} }}",
            f"r += r; r += {top}; x += x; if (r >= m) {{ r = r - m; "
            + (f"{push}; }} else q <<= 1;" if wants_q else "}"),
        ]
    )
    loop = rng.choice(
        [
            f"for (int i = {bits - 1}; i >= 0; i--) {{ {down} if (r >= m) {taken} }}",
            f"int i = {bits}; while (i-- > 0) {{ {down} if (m <= r) {taken} }}",
            f"for (int i = 0; i < {bits}; i++) {{ {shifted} }}",
            f"int n = {bits}; do {{ {shifted} }} while (--n);",
        ]
    )
    declared = f"{kind} r = 0{', q = 0' if wants_q else ''};"
    guard = rng.choice(["", "", "if (m == 0) return 0;", "if (!m) return x;"])
    params = [f"{kind} x", f"{kind} m"]
    if rng.random() < 0.3:
        params.append(f"{rng.choice(['int', 'unsigned', 'long'])} y")
        wanted = f"({wanted}) {rng.choice('+^-*')} y"
    rng.shuffle(params)
    return function(
        rng,
        "longdivision",
        f"{kind} NAME({', '.join(params)})\n{{\n    {declared}\n    {guard}\n    {loop}\n"
        f"    return {wanted};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("sub") and not hints.has("imul", "div", "idiv"):
        yield from _FORMS


FAMILY = Family("longdivision", slow, forms)
