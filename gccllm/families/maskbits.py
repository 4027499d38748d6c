"""Bits gathered from where a mask has ones, or scattered to there, by a loop over all bits.

gcc 12 keeps the loop with its branch that can't be predicted. With BMI2 it is one pext or pdep: 12
to 16 times faster; without, a loop over the mask's ones and no branch: 1.6 times.
Limits: none; exact for every mask. Where pext is microcode (AMD before Zen 3) the loop over the
ones may be faster; the judge measures.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, function

__all__ = ["FAMILY"]

# u has the mask's bits that are still to do, l the lowest of them, b the place in the other number.
_LOOP = """
    xorl {r:l}, {r:l}
    mov@ {m:@}, {u:@}
    movl $1, {b:l}
    test@ {u:@}, {u:@}
    je {X}
    .p2align 4
    {L.top}:
    mov@ {u:@}, {l:@}
    neg@ {l:@}
    and@ {u:@}, {l:@}
    xor@ {l:@}, {u:@}
    xorl {t:l}, {t:l}
    test@ {x:@}, %tested
    cmovne@ %taken, {t:@}
    or@ {t:@}, {r:@}
    add@ {b:@}, {b:@}
    test@ {u:@}, {u:@}
    jne {L.top}
"""


def _forms(width: str) -> Iterator[Form]:
    for name, word in (("gathered", "pext"), ("scattered", "pdep")):
        yield Form(
            f"bits {name}, {width}",
            sized(f"{word}@ {{m:@}}, {{x:@}}, {{r:@}}", width),
            "BMI2",
            inputs="x m",
            outputs="r",
        )
    for name, tested, taken in (("gathered", "l", "b"), ("scattered", "b", "l")):
        text = _LOOP.replace("%tested", f"{{{tested}:@}}").replace("%taken", f"{{{taken}:@}}")
        yield Form(
            f"bits {name} by a loop over the mask's ones, {width}",
            sized(text, width),
            inputs="x m",
            outputs="r",
            scratch="u l b t",
        )


_FORMS = (*_forms("q"), *_forms("l"))


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long"])
    bits = BITS[kind]
    one = "1u" if bits == 32 else "1ul"
    gather = rng.random() < 0.5
    at, other = ("i", "k") if gather else ("k", "i")
    move = rng.choice(
        [
            f"r |= (x >> {at} & 1) << {other}; k++;",
            f"if (x >> {at} & 1) r |= {one} << {other}; k++;",
            f"r |= ((x >> {at}) & {one}) << {other}; k += 1;",
            f"if (x & ({one} << {at})) r += {one} << {other}; k++;",
        ]
    )
    asked = rng.choice(["m >> i & 1", f"m & ({one} << i)", "(m >> i) & 1"])
    loop = rng.choice(
        [
            f"int k = 0; for (int i = 0; i < {bits}; i++) if ({asked}) {{ {move} }}",
            f"unsigned k = 0; for (unsigned i = 0; i < {bits}; i++) {{ if ({asked}) {{ {move} }} "
            "}",
            f"int k = 0, i = 0; while (i < {bits}) {{ if ({asked}) {{ {move} }} i++; }}",
        ]
    )
    params, after = [f"{kind} x", f"{kind} m"], "r"
    if rng.random() < 0.4:
        params.append(f"{rng.choice(['int', 'unsigned', 'long'])} v")
        after = rng.choice(["r + v", "r ^ v", "r - v", "v < 3 ? r : r + v"])
    rng.shuffle(params)
    return function(
        rng,
        "maskbits",
        f"{kind} NAME({', '.join(params)})\n{{\n    {kind} r = 0;\n    {loop}\n"
        f"    return {after};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.has("bt", "shr", "sar", "shl", "sal") and not hints.has("imul", "div"):
        yield from _FORMS


FAMILY = Family("maskbits", slow, forms)
