"""The first element of an array of signed integers that is above or below a limit.

gcc 12 vectorises no loop that may end early. Here blocks of 16, 32 or 64 bytes that stay within the
limit are skipped, and gcc's own loop looks at what is left: 3 to 15 times faster where there are
hundreds of elements to pass, slower by some cycles where the first ones decide.
Limits: see :mod:`gccllm.families.scan`; signed elements of 1 to 8 bytes; exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.scan import search_forms
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_SUFFIXES = {1: "b", 2: "w", 4: "l", 8: "q"}


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "long", "short", "signed char"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    key = rng.choice(["k", "k", "k", "0", str(rng.randint(1, 99)), str(-rng.randint(1, 99))])
    sign, opposite = rng.choice([("<", ">="), (">", "<="), ("<=", ">"), (">=", "<")])
    none = rng.choice(["-1", "n", "0"])
    test = rng.choice([f"p[i] {sign} {key}", f"!(p[i] {opposite} {key})"])
    result, body = rng.choice(
        [
            (index, f"for ({index} i = 0; i < n; i++) if ({test}) return i;\n    return {none};"),
            (index, f"{index} i = 0; while (i < n && p[i] {opposite} {key}) i++;\n    return i;"),
            (index, f"{index} i; for (i = 0; i < n; i++) if ({test}) break;\n    return i;"),
            ("int", f"for ({index} i = 0; i < n; i++) if ({test}) return 0;\n    return 1;"),
            (
                f"const {element} *",
                f"for (const {element} *q = p; q < p + n; q++) if (*q {sign} {key}) return q;\n"
                "    return 0;",
            ),
        ]
    )
    params = [f"const {element} *p", f"{index} n"] + ([f"{element} k"] if key == "k" else [])
    return array_function(rng, "findlimit", result, params, f"    {body}")


def forms(hints: Hints) -> Iterator[Form]:
    return search_forms(hints, "lt le gt ge", _SUFFIXES)


FAMILY = Family("findlimit", slow, forms)
