"""Is an array in order, or where does the order end?

gcc 12 vectorises no loop that may end early. Here blocks of neighbours are compared at a time, and
gcc's own loop looks at what is left: 4 to 15 times faster on arrays that are in order for long,
slower by some cycles where the first elements decide.
Limits: see :mod:`gccllm.families.scan`; signed elements of 2 to 8 bytes; exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.loopstate import loop_states
from gccllm.families.scan import LEVELS, Scan, scan_form
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_WIDTHS = {2: "w", 4: "l", 8: "q"}
_SUFFIX = {2: "w", 4: "d", 8: "q"}
# The element before, compared with this one: condition that ends the search, AVX-512's code, and
# whether AVX2 has to turn the outcome over.
_CONDITIONS = {"g": (6, False), "l": (1, False), "ge": (5, True), "le": (2, True)}


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "long", "short"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    sign = rng.choice(["<", ">", "<=", ">="])
    start, pair = rng.choice(
        [
            (f"{index} i = 1", f"p[i] {sign} p[i - 1]"),
            (f"{index} i = 1", f"p[i - 1] {sign} p[i]"),
            (f"{index} i = 0", f"p[i + 1] {sign} p[i]"),
            (f"{index} i = 0", f"p[i] {sign} p[i + 1]"),
        ]
    )
    bound = "n" if "1" in start else rng.choice(["n - 1", "n"])
    test = f"i < {bound}"
    result, body = rng.choice(
        [
            ("int", f"for ({start}; {test}; i++) if ({pair}) return 0;\n    return 1;"),
            (index, f"for ({start}; {test}; i++) if ({pair}) return i;\n    return n;"),
            (index, f"{start}; while ({test} && !({pair})) i++;\n    return i;"),
            (
                "int",
                f"int r = 1; for ({start}; {test}; i++) if ({pair}) {{ r = 0; break; }}\n"
                "    return r;",
            ),
        ]
    )
    params = [f"const {element} *p", f"{index} n"]
    return array_function(rng, "sortedcheck", result, params, f"    {body}")


def _scan(size: int, level: str, condition: str, carried: str) -> Scan:
    """``carried``: width of the register in which the loop keeps the element before, or ""."""
    code, turned = _CONDITIONS[condition]
    suffix = _SUFFIX[size]
    above = condition in ("g", "le")
    if level == "AVX512":
        move = "kmovd" if size == 2 else "kmovw"
        test = (
            f"vmovdqu64 %-, {{u:z}}\nvpcmp{suffix} ${code}, %A, {{u:z}}, {{f:k}}\n"
            f"{move} {{f:k}}, {{m:l}}\ntestl {{m:l}}, {{m:l}}"
        )
    else:
        first, second = ("%-", "%A") if above else ("%A", "%-")
        if level == "AVX2":
            test = f"vmovdqu {first}, {{u:y}}\nvpcmpgt{suffix} {second}, {{u:y}}, {{u:y}}\n"
            test += "vpmovmskb {u:y}, {m:l}\n"
        else:
            test = f"movdqu {first}, {{u:x}}\nmovdqu {second}, {{c:x}}\n"
            test += f"pcmpgt{suffix} {{c:x}}, {{u:x}}\npmovmskb {{u:x}}, {{m:l}}\n"
        mask = -1 if level == "AVX2" else 65535
        test += f"xorl ${mask}, {{m:l}}" if turned else "testl {m:l}, {m:l}"
    width = _WIDTHS[size]
    scan = Scan(f"neighbours j{condition}", size, level, test)
    if not carried:
        return scan
    load = "movl" if size == 4 else "movq" if size == 8 else f"mov{carried}wl"
    return replace(
        scan,
        name=f"{scan.name}, one carried {carried}".strip(),
        first=f"cmp{width} %A, {{b:{width}}}\nj{condition} {{B}}",
        finish=f"{load} %-, {{b:{'q' if size == 8 else 'l'}}}",
        changes="b",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads:
        return
    for size, width in _WIDTHS.items():
        if size not in hints.load_sizes or not hints.has(f"cmp{width}"):
            continue
        for condition in _CONDITIONS:
            for carried in ("", *(("z", "s") if size == 2 else ("it",))):
                for level in LEVELS:
                    if (level, size) == ("SSE2", 8):
                        continue
                    scan = _scan(size, level, condition, carried)
                    for state in loop_states(size, hints):
                        yield scan_form(scan, state)


FAMILY = Family("sortedcheck", slow, forms)
