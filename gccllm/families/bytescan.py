"""Where a text ends, or where a byte stands in it: memchr, rawmemchr and strchrnul written out.

gcc 12 goes byte by byte, one a cycle at best, for it vectorises no loop that may end early (it
knows strlen alone). Here 16, 32 or 64 bytes without the byte that is sought, and without the zero
at the end where the loop looks for that too, are skipped, and gcc's own loop goes on from there: 5
to 20 times faster on texts of some hundred bytes, slower by some cycles on short ones.
Limits: see :mod:`gccllm.families.scan`; exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.loopstate import loop_states
from gccllm.families.scan import Scan, comparisons, keys, scan_form
from gccllm.families.source import array_function

__all__ = ["FAMILY"]


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["char", "char", "unsigned char"])
    index = rng.choice(["int", "long", "unsigned long"])
    key = rng.choice(["k", "k", "':'", "' '", "'\\n'", "','", str(rng.randint(33, 99))])
    none = rng.choice(["-1", "n"])
    shape = rng.randrange(6)
    bound = [f"{index} n"] if shape < 3 else []
    result, body = [
        (
            index,
            f"for ({index} i = 0; i < n; i++) if (p[i] == {key}) return i;\n    return {none};",
        ),
        (index, f"{index} i = 0; while (i < n && p[i] != {key}) i++;\n    return i;"),
        (
            f"const {element} *",
            f"const {element} *e = p + n; while (p != e) {{ if (*p == {key}) return p; p++; }}\n"
            "    return 0;",
        ),
        (index, f"{index} i = 0; while (p[i] && p[i] != {key}) i++;\n    return i;"),
        (f"const {element} *", f"while (*p && *p != {key}) p++;\n    return p;"),
        (f"const {element} *", f"while (*p != {key}) p++;\n    return p;"),
    ][shape]
    params = [f"const {element} *p", *bound] + ([f"{element} k"] if key == "k" else [])
    return array_function(rng, "bytescan", result, params, f"    {body}")


def _or_zero(scan: Scan) -> Scan:
    """The same search, ended by a zero too."""
    if scan.level == "AVX512":
        # The smaller of the byte and its difference to the key is zero where one of them is.
        test = (
            "vmovdqu64 %A, {u:z}\nvpxorq {u:z}, {c:z}, {w:z}\nvpminub {w:z}, {u:z}, {u:z}\n"
            "vptestnmb {u:z}, {u:z}, {f:k}\nkmovq {f:k}, {m:q}\ntestq {m:q}, {m:q}"
        )
        vectors = "u c w"
    elif scan.level == "AVX2":
        test = (
            "vmovdqu %A, {u:y}\nvpxor {u:y}, {c:y}, {w:y}\nvpminub {w:y}, {u:y}, {u:y}\n"
            "vpcmpeqb {z:y}, {u:y}, {u:y}\nvpmovmskb {u:y}, {m:l}\ntestl {m:l}, {m:l}"
        )
        vectors = "u c w z"
    else:
        test = (
            "movdqu %A, {u:x}\nmovdqa {c:x}, {w:x}\npxor {u:x}, {w:x}\npminub {w:x}, {u:x}\n"
            "pcmpeqb {z:x}, {u:x}\npmovmskb {u:x}, {m:l}\ntestl {m:l}, {m:l}"
        )
        vectors = "u c w z"
    zero = {"SSE2": "\npxor {z:x}, {z:x}", "AVX2": "\nvpxor {z:x}, {z:x}, {z:x}"}
    return replace(
        scan,
        name=f"{scan.name} or zero",
        test=test,
        setup=scan.setup + zero.get(scan.level, ""),
        vectors=vectors,
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads or not hints.has("cmpb", "testb"):
        return
    for key in keys(hints):
        for scan in comparisons("eq ne", 1, key):
            for endless in (False, True):
                for state in loop_states(1, hints, endless=endless):
                    yield scan_form(scan, state)
                    if scan.name.startswith("eq") and hints.has("testb", "cmpb"):
                        yield scan_form(_or_zero(scan), state)


FAMILY = Family("bytescan", slow, forms)
