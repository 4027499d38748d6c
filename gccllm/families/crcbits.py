"""Cyclic redundancy checks bit by bit: eight rounds of shift and exclusive or for every byte.

gcc 12 unrolls the eight rounds into a chain of 24 to 32 cycles, or into branches that can't be
predicted. The eight rounds are linear in the byte that leaves: two tables of 16 entries, one for
each half of it, give the same in one step of about 8 cycles: 2 to 3 times faster.
Limits: none; 8, 16 and 32 bits, either direction, every polynomial.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import array_function, function

__all__ = ["FAMILY"]

_MASKED = re.compile(r"^(?:xor|and)[blwq]\s+\$(-?\d+), ")
_EXTENSION = {8: "movzbl {c:b}, {c:l}\n", 16: "movzwl {c:w}, {c:l}\n", 32: ""}


def _table(polynomial: int, bits: int, *, reflected: bool) -> str:
    """What the 16 values of the lower half of the leaving byte add, then those of the upper.

    A register of 32 bits is kept as gcc keeps it, with what was shifted out above the CRC.
    """
    entries = []
    for n in (half << k for k in (0, 4) for half in range(16)):
        value = n if reflected else n << bits - 8
        for _ in range(8):
            if reflected:
                value = value >> 1 ^ (polynomial if value & 1 else 0)
            else:
                value = value << 1 ^ (polynomial if value >> (bits - 1) & 1 else 0)
        entries.append(value if reflected else (value ^ n << bits) & 0xFFFFFFFF)
    return "\n".join(".long " + ", ".join(map(str, entries[k : k + 16])) for k in (0, 16))


def _step(bits: int, *, reflected: bool) -> str:
    """Eight rounds on c; o is the table's address."""
    shifts = ("", "shrl $8, {c:l}\n")
    if not reflected:
        shifts = (f"shrl ${bits - 8}, {{t:l}}\n" if bits > 8 else "", "shll $8, {c:l}\n")
    return (
        f"movl {{c:l}}, {{t:l}}\n {shifts[0]} movzbl {{t:b}}, {{t:l}}\n {shifts[1]}"
        + """
        movl {t:l}, {u:l}
        andl $15, {t:l}
        shrl $4, {u:l}
        xorl ({o:q},{t:q},4), {c:l}
        xorl 64({o:q},{u:q},4), {c:l}
        """
    )


def _forms(polynomial: int, bits: int, *, reflected: bool, extended: bool) -> Iterator[Form]:
    """``extended``: what lies above the CRC in its register is cleared, before and behind."""
    data = {"table": _table(polynomial, bits, reflected=reflected)}
    address = "leaq {D.table}(%rip), {o:q}\n"
    step = _step(bits, reflected=reflected)
    shifted = f"shll ${bits - 8}, {{t:l}}\n" if bits > 8 and not reflected else ""
    entered = f"{shifted} xorl {{t:l}}, {{c:l}}\n"
    extension = _EXTENSION[bits] if extended else ""
    name = f"CRC of {bits} bits by halves of a byte, {polynomial:#x}" + (
        ", reflected" if reflected else ""
    )
    if extended:
        name += ", cleared above"
    for byte in ("", "movzbl {b:b}, {t:l}\n" + entered):
        yield Form(
            name + (", with a byte" if byte else ""),
            "movl {x:l}, {c:l}\n" + extension + byte + address + step + extension,
            inputs="x b" if byte else "x",
            outputs="c",
            scratch="t u o",
            data=data,
        )
    for first in ("", "cmpq {e:q}, {p:q}\n jae {X}\n"):
        yield Form(
            f"{name}, of a string" + (", tested first" if first else ""),
            first
            + address
            + extension
            + "movq {p:q}, {q:q}\n .p2align 4\n {L.top}:\n movzbl ({q:q}), {t:l}\n"
            + "addq $1, {q:q}\n"
            + entered
            + step
            + "cmpq {e:q}, {q:q}\n jb {L.top}\n"
            + extension,
            inputs="p e",
            changes="c",
            scratch="q t u o",
            pointers="p",
            data=data,
        )


_KINDS = (
    ("unsigned", 32, True, (0xEDB88320, 0x82F63B78, 0xEB31D82E)),
    ("unsigned", 32, True, (0xEDB88320,)),
    ("unsigned", 32, False, (0x04C11DB7, 0x1EDC6F41)),
    ("unsigned short", 16, True, (0xA001, 0x8408)),
    ("unsigned short", 16, False, (0x1021, 0x8005)),
    ("unsigned char", 8, False, (0x07, 0x31, 0x1D)),
    ("unsigned char", 8, True, (0x8C, 0xE0)),
)


def slow(rng: random.Random) -> SlowForm:
    kind, bits, reflected, polynomials = rng.choice(_KINDS)
    polynomial = hex(rng.choice(polynomials)) + ("u" if bits == 32 else "")
    top = f"{1 << (bits - 1):#x}" + ("u" if bits == 32 else "")
    if reflected:
        round_ = rng.choice(
            [
                f"if (c & 1) c = (c >> 1) ^ {polynomial}; else c >>= 1;",
                f"c = c & 1 ? (c >> 1) ^ {polynomial} : c >> 1;",
                f"c = (c >> 1) ^ ({polynomial} & -(c & 1));",
                f"c = (c >> 1) ^ (-(c & 1) & {polynomial});",
                f"c = (c >> 1) ^ ((c & 1) * {polynomial});",
                f"{kind} low = c & 1; c >>= 1; c ^= -low & {polynomial};",
            ]
        )
    else:
        round_ = rng.choice(
            [
                f"if (c & {top}) c = (c << 1) ^ {polynomial}; else c <<= 1;",
                f"c = c & {top} ? (c << 1) ^ {polynomial} : c << 1;",
            ]
        )
    rounds = rng.choice(
        [
            f"for (int k = 0; k < 8; k++) {{ {round_} }}",
            f"for (unsigned k = 0; k < 8; ++k) {{ {round_} }}",
            f"int k = 8; while (k--) {{ {round_} }}",
        ]
    )
    shift = "" if reflected or bits == 8 else f" << {bits - 8}"
    cast = f"({kind})" if bits == 32 and shift else ""
    # gcc leaves anything above a short result, and that would have to be the same.
    result = kind if bits == 32 else rng.choice(["int", "unsigned"])
    if rng.random() < 0.3 and (bits == 32 or reflected):
        params = [f"{kind} c", "unsigned char b"]
        rng.shuffle(params)
        text = f"c ^= {cast}b{shift}; {rounds} return c;"
        return function(rng, "crcbits", f"{result} NAME({', '.join(params)})\n{{\n    {text}\n}}")
    count = rng.choice(["int", "int", "unsigned long", "long"])
    first = rng.choice(["0", f"({kind})-1"])
    last = rng.choice(["c", "c", "~c"]) if bits == 32 else "c"
    entered = f"c ^= {cast}%s{shift};"
    loop = rng.choice(
        [
            f"for ({count} i = 0; i < n; i++) {{ {entered % 'p[i]'} {rounds} }}",
            f"for ({count} i = 0; i < n; i++) {{ unsigned char b = p[i]; {entered % 'b'} "
            f"{rounds} }}",
            f"const unsigned char *e = p + n; while (p < e) {{ {entered % '*p++'} {rounds} }}",
            f"const unsigned char *e = p + n; for (; p < e; p++) {{ {entered % '*p'} {rounds} }}",
        ]
    )
    body = f"    {kind} c = {first};\n    {loop}\n    return {last};"
    params = ["const unsigned char *p", f"{count} n"]
    if rng.random() < 0.3:
        params.append(f"{kind} c")
        body = f"    {loop}\n    return {last};"
    return array_function(rng, "crcbits", result, params, body)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.has("shr", "add", "sal", "shl", "lea") or not hints.has("xor"):
        return
    if not hints.loops and len(hints.instructions) < 24:
        return
    numbers = {int(m[1]) for x in hints.instructions for m in [_MASKED.match(x)] if m}
    numbers -= {-1, 1, 255}
    if not numbers:
        numbers = {x for x in hints.immediates if not -128 <= x < 128}
    if len(numbers) > 4:
        return
    for bits in (32, 16, 8):
        if bits == 32:
            fits = {x % (1 << 32) for x in numbers}
        else:
            fits = {x % (1 << bits) for x in numbers if -(1 << bits - 1) <= x < 1 << bits}
        for polynomial in sorted(x for x in fits if x > 1):
            for reflected in (True, False):
                for extended in (False, True)[: 1 + (bits < 32)]:
                    yield from _forms(polynomial, bits, reflected=reflected, extended=extended)


FAMILY = Family("crcbits", slow, forms)
