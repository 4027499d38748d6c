"""The first place where two arrays differ, or whether they are the same.

gcc 12 vectorises no loop that may end early (and knows memcmp only by its name). Here blocks that
are the same are skipped, and gcc's own loop looks at what is left: 2 to 17 times faster where
hundreds of elements are the same, slower by some cycles where the first ones differ.
Limits: see :mod:`gccllm.families.scan`; elements of 1 to 8 bytes; exact. One array is read aligned;
the other one by one where a block of it crosses a page.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.loopstate import LoopState, loop_states
from gccllm.families.scan import BYTES, LEVELS, Scan, mask_width, scan_form
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_WIDTHS = {1: "b", 2: "w", 4: "l", 8: "q"}
_SUFFIX = {1: "b", 2: "w", 4: "d", 8: "q"}


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "char", "unsigned char", "long", "short"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    hit = rng.choice(["p[i] != q[i]", "q[i] != p[i]", "!(p[i] == q[i])"])
    result, body = rng.choice(
        [
            ("int", f"for ({index} i = 0; i < n; i++) if ({hit}) return 0;\n    return 1;"),
            (index, f"for ({index} i = 0; i < n; i++) if ({hit}) return i;\n    return n;"),
            (index, f"{index} i = 0; while (i < n && p[i] == q[i]) i++;\n    return i;"),
            (index, f"{index} i; for (i = 0; i < n; i++) if ({hit}) break;\n    return i;"),
            (
                "int",
                f"for ({index} i = 0; i < n; i++) if ({hit}) return p[i] < q[i] ? -1 : 1;\n"
                "    return 0;",
            ),
            ("int", "while (n > 0 && *p == *q) { p++; q++; n--; }\n    return n == 0;"),
        ]
    )
    params = [f"const {element} *p", f"const {element} *q", f"{index} n"]
    return array_function(rng, "mismatch", result, params, f"    {body}")


def _scan(size: int, level: str) -> Scan:
    block = BYTES[level]
    suffix, width = _SUFFIX[size], _WIDTHS[size]
    inside = f"leaq %O, {{x:q}}\nandl $4095, {{x:l}}\ncmpl ${4096 - block}, {{x:l}}\nja %X\n"
    if level == "AVX512":
        move = mask_width(size)
        to = "q" if move == "q" else "l"
        test = (
            f"vmovdqu64 %A, {{u:z}}\nvpcmp{suffix} $4, %O, {{u:z}}, {{f:k}}\n"
            f"kmov{move} {{f:k}}, {{m:{to}}}\ntest{to} {{m:{to}}}, {{m:{to}}}"
        )
    elif level == "AVX2":
        test = (
            f"vmovdqu %A, {{u:y}}\nvpcmpeq{suffix} %O, {{u:y}}, {{u:y}}\n"
            "vpmovmskb {u:y}, {m:l}\nxorl $-1, {m:l}"
        )
    else:
        test = (
            "movdqu %A, {u:x}\nmovdqu %O, {c:x}\n"
            f"pcmpeq{suffix} {{c:x}}, {{u:x}}\npmovmskb {{u:x}}, {{m:l}}\n"
            "xorl $65535, {m:l}"
        )

    def aside(state: LoopState) -> list[str]:
        return [
            f"movl ${block // size}, {{m:l}}",
            "{L.each}:",
            f"mov{width} {state.at(0)}, {{x:{width}}}",
            f"cmp{width} {state.at(0, 'o')}, {{x:{width}}}",
            "jne {L.out}",
            *state.on(size),
            "subl $1, {m:l}",
            "jne {L.each}",
            "jmp {L.next}",
        ]

    return Scan("unequal", size, level, inside + test, scratch="x", aside=aside)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads:
        return
    for size, width in _WIDTHS.items():
        if size in hints.load_sizes and hints.has(f"cmp{width}"):
            # SSE2 compares no 64-bit numbers.
            for level in LEVELS if size < 8 else LEVELS[:2]:
                for state in loop_states(size, hints, arrays=2):
                    yield scan_form(_scan(size, level), state)


FAMILY = Family("mismatch", slow, forms)
