"""Fletcher's checksum: the sum of an array, and the sum of all sums on the way.

gcc 12 carries both sums from element to element and vectorises nothing. A block of n elements adds
its sum to the first, and n times the first so far, and its elements times n, n - 1, … 1, to the
second: 7 to 13 times faster for bytes, 4 to 8 times for 32-bit elements, measured on a thousand.
Limits: sums of 32 bits, exact modulo 2^32; no remainder in the loop (Adler-32 with the remainder
taken behind it is covered).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.bulk import Bulk, bulk_form, horizontal_sum
from gccllm.families.loopstate import LoopState, loop_states
from gccllm.families.source import array_function

__all__ = ["FAMILY"]


def _kernel(size: int, unit: str) -> Bulk:
    block = 64 if unit == "z" else 32
    count = block // size
    move = "vmovdqu64" if unit == "z" else "vmovdqu"

    def v(text: str) -> str:
        return text.replace("%U", unit)

    def body(state: LoopState) -> str:
        lines = [f"{move} {state.at(0)}, {{u:{unit}}}", v("vpaddd {a0:%U}, {b0:%U}, {b0:%U}")]
        if size == 1:
            lines += [
                v("vpsadbw {z:%U}, {u:%U}, {w:%U}"),
                v("vpaddd {w:%U}, {a0:%U}, {a0:%U}"),
                v("vpmaddubsw {f:%U}, {u:%U}, {u:%U}"),
                v("vpmaddwd {o1:%U}, {u:%U}, {u:%U}"),
            ]
        else:
            lines += [v("vpaddd {u:%U}, {a0:%U}, {a0:%U}"), v("vpmulld {f:%U}, {u:%U}, {u:%U}")]
        return "\n".join([*lines, v("vpaddd {u:%U}, {b1:%U}, {b1:%U}")])

    setup = ["vmovd {a:l}, {a0:x}", "vpxor {b0:x}, {b0:x}, {b0:x}", "vpxor {b1:x}, {b1:x}, {b1:x}"]
    setup.append(f"{move} {{D.f}}(%rip), {{f:{unit}}}")
    if size == 1:
        setup += ["vpxor {z:x}, {z:x}, {z:x}", "movl $65537, {t:l}", "vmovd {t:l}, {o1:x}"]
        setup.append(v("vpbroadcastd {o1:x}, {o1:%U}"))
    shift = count.bit_length() - 1
    finish = [
        v(f"vpslld ${shift}, {{b0:%U}}, {{b0:%U}}"),
        v("vpaddd {b1:%U}, {b0:%U}, {b0:%U}"),
        *horizontal_sum("b0", "u", unit),
        "vmovd {b0:x}, {t:l}",
        "addl {t:l}, {b:l}",
        *horizontal_sum("a0", "u", unit),
        "vmovd {a0:x}, {a:l}",
    ]
    directive = ".byte" if size == 1 else ".long"
    wide = "AVX512F AVX512BW" if size == 1 else "AVX512F"
    return Bulk(
        f"sum of sums, {8 * size} bits, {8 * block} at a time",
        block,
        body,
        "\n".join(setup),
        "\n".join(finish),
        needs=wide if unit == "z" else "AVX2",
        carried="a b",
        vectors="u w a0 b0 b1 f" + (" z o1" if size == 1 else ""),
        data={"f": f"{directive} {', '.join(str(x) for x in range(count, 0, -1))}"},
    )


_KERNELS = {size: tuple(_kernel(size, unit) for unit in "zy") for size in (1, 4)}


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["unsigned char", "unsigned char", "unsigned char", "unsigned", "int"])
    total = "unsigned" if element != "int" else rng.choice(["unsigned", "int"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    start = rng.choice(["0", "1", "k"])
    step = rng.choice(["a += p[i]; b += a;", "a = a + p[i]; b = b + a;", "b += a += p[i];"])
    result = rng.choice(
        [
            "b << 16 | a",
            "(b << 16) + a",
            "b ^ a",
            "(b % 65521) << 16 | a % 65521",
            "b",
            "a * 31 + b",
        ]
    )
    loop = rng.choice(
        [
            f"for ({index} i = 0; i < n; i++) {{ {step} }}",
            f"{index} i = 0; while (i < n) {{ {step} i++; }}",
            f"while (n-- > 0) {{ {step.replace('p[i]', '*p++')} }}",
        ]
    )
    body = f"    {total} a = {start}, b = 0;\n    {loop}\n    return {result};"
    params = [f"const {element} *p", f"{index} n"] + ([f"{total} k"] if start == "k" else [])
    return array_function(rng, "fletcher", total, params, body)


def forms(hints: Hints) -> Iterator[Form]:
    if hints.loops and hints.loads and hints.has("add"):
        for size, kernels in _KERNELS.items():
            for kernel in kernels:
                for state in loop_states(size, hints):
                    yield bulk_form(kernel, state)


FAMILY = Family("fletcher", slow, forms)
