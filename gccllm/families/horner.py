"""Polynomials by Horner's rule, and hashes with a factor that is not a constant.

Every step waits for the multiplication before it, four cycles an element. Four elements at a time
wait once: h = h x^4 + (c0 x^3 + c1 x^2 + c2 x + c3), 2 to 3.5 times faster, with no feature that
any processor lacks.
Limits: exact modulo 2^32 and 2^64. Constant factors are covered by ``polyhash``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.bulk import Bulk, bulk_form
from gccllm.families.loopstate import LoopState, loop_states
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

# (name, bytes of an element, width of the sum, instruction that loads one)
_LOADS = (
    ("32 bits", 4, "l", "movl"),
    ("64 bits", 8, "q", "movq"),
    ("unsigned bytes", 1, "l", "movzbl"),
    ("signed bytes", 1, "l", "movsbl"),
    ("unsigned bytes into 64 bits", 1, "q", "movzbl"),
    ("signed bytes into 64 bits", 1, "q", "movsbq"),
    ("32 bits into 64", 4, "q", "movl"),
    ("signed 32 bits into 64", 4, "q", "movslq"),
)


def _kernel(name: str, size: int, width: str, load: str, *, added_first: bool) -> Bulk:
    letter = "l" if load in ("movl", "movzbl", "movsbl") else "q"

    same = (size, width) in ((4, "l"), (8, "q"))

    def body(state: LoopState) -> str:
        steps = [f"{load} {state.at(0)}, {{t:{letter}}}"]
        for number in range(1, 4):
            place = state.at(number * size)
            steps.append("imul@ {x:@}, {t:@}")
            if same:
                steps.append(f"add@ {place}, {{t:@}}")
            else:
                steps += [f"{load} {place}, {{u:{letter}}}", "add@ {u:@}, {t:@}"]
        steps += ["imul@ {x:@}, {t:@}"] * added_first
        return sized("\n".join([*steps, "imul@ {y:@}, {h:@}", "add@ {t:@}, {h:@}"]), width)

    # The steps within a block do not wait for the block before, so only h's own chain counts.
    return Bulk(
        f"four steps of Horner's rule at a time{', added first' if added_first else ''}, {name}",
        4 * size,
        body,
        sized("mov@ {x:@}, {y:@}\nimul@ {y:@}, {y:@}\nimul@ {y:@}, {y:@}", width),
        carried="h",
        inputs="x",
        scratch="y" if same else "y u",
    )


def slow(rng: random.Random) -> SlowForm:
    total = rng.choice(["unsigned", "unsigned", "unsigned long", "unsigned long", "int"])
    wide = ["unsigned", "int", "long", "unsigned long"] if "long" in total else ["unsigned", "int"]
    element = rng.choice([*wide, "char", "unsigned char"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    start = rng.choice(["0", "0", "1", "k"])
    one = rng.choice(
        [
            "h = h * x + p[i];",
            "h = p[i] + x * h;",
            "h *= x; h += p[i];",
            "h = (h + p[i]) * x;",
        ]
    )
    loop = rng.choice(
        [
            f"for ({index} i = 0; i < n; i++) {{ {one} }}",
            f"{index} i = 0; while (i < n) {{ {one} i++; }}",
            f"for (; n > 0; n--) {{ {one.replace('p[i]', '*p')} p++; }}",
        ]
    )
    body = f"    {total} h = {start};\n    {loop}\n    return h;"
    params = [f"const {element} *p", f"{index} n", f"{total} x"]
    params += [f"{total} k"] if start == "k" else []
    return array_function(rng, "horner", total, params, body)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads or not hints.has("imul"):
        return
    for name, size, width, load in _LOADS:
        if hints.has(f"imul{width}"):
            for added_first in (False, True):
                kernel = _kernel(name, size, width, load, added_first=added_first)
                for state in loop_states(size, hints):
                    yield bulk_form(kernel, state)


FAMILY = Family("horner", slow, forms)
