"""The first element of an array that equals a value, or that does not.

gcc 12 vectorises no loop that may end early; it looks at one element a cycle. Here blocks of 16, 32
or 64 bytes without a hit are skipped, and gcc's own loop looks at what is left: 4 to 15 times
faster where there are hundreds of elements to pass, slower by some cycles where the hit is among
the first.
Limits: see :mod:`gccllm.families.scan`; elements of 2, 4 and 8 bytes; exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.scan import search_forms
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_SUFFIXES = {2: "w", 4: "l", 8: "q"}


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "unsigned", "long", "short"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    key = rng.choice(["k", "k", "k", "0", str(rng.randint(1, 99))])
    hit, miss = rng.choice([("==", "!="), ("==", "!="), ("!=", "==")])
    test, none = f"p[i] {hit} {key}", rng.choice(["-1", "n", "0"])
    result, body = rng.choice(
        [
            (index, f"for ({index} i = 0; i < n; i++) if ({test}) return i;\n    return {none};"),
            (index, f"{index} i = 0; while (i < n && p[i] {miss} {key}) i++;\n    return i;"),
            (index, f"{index} i; for (i = 0; i < n; i++) if ({test}) break;\n    return i;"),
            ("int", f"for ({index} i = 0; i < n; i++) if ({test}) return 1;\n    return 0;"),
            (
                "int",
                f"int r = 0; for ({index} i = 0; i < n; i++) if ({test}) {{ r = 1; break; }}\n"
                "    return r;",
            ),
            (
                f"const {element} *",
                f"for (const {element} *q = p; q < p + n; q++) if (*q {hit} {key}) return q;\n"
                "    return 0;",
            ),
        ]
    )
    params = [f"const {element} *p", f"{index} n"] + ([f"{element} k"] if key == "k" else [])
    return array_function(rng, "find", result, params, f"    {body}")


def forms(hints: Hints) -> Iterator[Form]:
    return search_forms(hints, "eq ne", _SUFFIXES)


FAMILY = Family("find", slow, forms)
