"""Polynomial hash: ``h = h * 31 + c`` over bytes or integers.

The loop is one chain of multiplications (or of shift, subtract, add), a few cycles an element.
Taken 4 or 8 elements at a time, with powers of the factor, only one multiplication of the chain is
left for all of them: 3 to 4 times faster on long texts with general registers, 10 times and more
with vectors, a little slower on texts of less than ten characters.
Limits: exact modulo 2^32, signed and unsigned characters. ``(h * f) ^ c`` is another idiom.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import function

__all__ = ["FAMILY"]

_LOADS = {
    # instruction that widens an element to 32 bits, bytes of an element
    "ub": ("movzbl", 1),
    "sb": ("movsbl", 1),
    "l": ("movl", 4),
}


def _signed(value: int) -> int:
    value %= 1 << 32
    return value - (1 << 32) if value >> 31 else value


def _scalar(factor: int, element: str, ways: int) -> Form:
    """``ways`` elements a round, two partial sums of products beside the chain's product."""
    load, size = _LOADS[element]
    powers = [_signed(pow(factor, k, 1 << 32)) for k in range(ways + 1)]
    lines = [
        "movq {e:q}, {r:q}",
        "subq {p:q}, {r:q}",
        f"cmpq ${ways * size}, {{r:q}}",
        "jb {L.rest}",
        ".p2align 4",
        "{L.top}:",
        f"imull ${powers[ways]}, {{h:l}}, {{h:l}}",
        f"{load} ({{p:q}}), {{a:l}}",
        f"imull ${powers[ways - 1]}, {{a:l}}, {{a:l}}",
    ]
    for k in range(1, ways):
        lines.append(f"{load} {k * size}({{p:q}}), {{b:l}}")
        if ways - 1 - k:
            lines.append(f"imull ${powers[ways - 1 - k]}, {{b:l}}, {{b:l}}")
        lines.append("addl {b:l}, {a:l}")
    lines += [
        "addl {a:l}, {h:l}",
        f"addq ${ways * size}, {{p:q}}",
        "movq {e:q}, {r:q}",
        "subq {p:q}, {r:q}",
        f"cmpq ${ways * size}, {{r:q}}",
        "jae {L.top}",
        "testq {r:q}, {r:q}",
        "je {X}",
        "{L.rest}:",
        f"imull ${factor}, {{h:l}}, {{h:l}}",
        f"{load} ({{p:q}}), {{b:l}}",
        "addl {b:l}, {h:l}",
        f"addq ${size}, {{p:q}}",
        "cmpq {p:q}, {e:q}",
        "jne {L.rest}",
    ]
    return Form(
        f"hash by {factor}, {ways} at a time",
        "\n".join(lines),
        inputs="p e",
        changes="h",
        spoiled="p",
        scratch="r a b",
        pointers="p",
    )


def _longs(values: list[int]) -> str:
    return "\n".join(f".long {_signed(x)}" for x in values)


def _vector(factor: int, element: str, unit: str) -> Form:
    """Four vectors of 32-bit lanes (unit y: 8, z: 16 lanes), weighed and added at the end."""
    lanes = {"y": 8, "z": 16}[unit]
    step = 4 * lanes
    _, size = _LOADS[element]
    load = {"ub": "vpmovzxbd", "sb": "vpmovsxbd", "l": "vmovdqu"}[element]
    if unit == "z" and element == "l":
        load = "vmovdqu32"
    load1, _ = _LOADS[element]
    names = "vwst"
    lines = [
        "movq {e:q}, {r:q}",
        "subq {p:q}, {r:q}",
        f"cmpq ${step * size}, {{r:q}}",
        "jb {L.rest}",
        f"movl ${_signed(pow(factor, step, 1 << 32))}, {{b:l}}",
        "vmovd {b:l}, {f:x}",
        f"vpbroadcastd {{f:x}}, {{f:{unit}}}",
        # What the hash was counts as one more element in front of the first lane's.
        "vpxor {v:x}, {v:x}, {v:x}",
        "vpxor {w:x}, {w:x}, {w:x}",
        "vpxor {s:x}, {s:x}, {s:x}",
        "vpxor {t:x}, {t:x}, {t:x}",
        ".p2align 4",
        "{L.top}:",
    ]
    for k, name in enumerate(names):
        at = k * lanes * size
        lines += [
            f"{load} {at}({{p:q}}), {{u:{unit}}}",
            f"vpmulld {{f:{unit}}}, {{{name}:{unit}}}, {{{name}:{unit}}}",
            f"vpaddd {{u:{unit}}}, {{{name}:{unit}}}, {{{name}:{unit}}}",
        ]
    lines += [
        f"imull ${_signed(pow(factor, step, 1 << 32))}, {{h:l}}, {{h:l}}",
        f"addq ${step * size}, {{p:q}}",
        "movq {e:q}, {r:q}",
        "subq {p:q}, {r:q}",
        f"cmpq ${step * size}, {{r:q}}",
        "jae {L.top}",
    ]
    for k, name in enumerate(names):
        at = k * lanes * 4
        lines.append(f"vpmulld {{D.w}}+{at}(%rip), {{{name}:{unit}}}, {{{name}:{unit}}}")
    lines += [
        f"vpaddd {{w:{unit}}}, {{v:{unit}}}, {{v:{unit}}}",
        f"vpaddd {{t:{unit}}}, {{s:{unit}}}, {{s:{unit}}}",
        f"vpaddd {{s:{unit}}}, {{v:{unit}}}, {{v:{unit}}}",
    ]
    if unit == "z":
        lines += ["vextracti64x4 $1, {v:z}, {w:y}", "vpaddd {w:y}, {v:y}, {v:y}"]
    lines += [
        "vextracti128 $1, {v:y}, {w:x}",
        "vpaddd {w:x}, {v:x}, {v:x}",
        "vpshufd $78, {v:x}, {w:x}",
        "vpaddd {w:x}, {v:x}, {v:x}",
        "vpshufd $177, {v:x}, {w:x}",
        "vpaddd {w:x}, {v:x}, {v:x}",
        "vmovd {v:x}, {b:l}",
        "vzeroupper",
        "addl {b:l}, {h:l}",
        "testq {r:q}, {r:q}",
        "je {X}",
        "{L.rest}:",
        f"imull ${factor}, {{h:l}}, {{h:l}}",
        f"{load1} ({{p:q}}), {{b:l}}",
        "addl {b:l}, {h:l}",
        f"addq ${size}, {{p:q}}",
        "cmpq {p:q}, {e:q}",
        "jne {L.rest}",
    ]
    weights = [pow(factor, step - 1 - k, 1 << 32) for k in range(step)]
    return Form(
        f"hash by {factor}, {step} at a time in vectors",
        "\n".join(lines),
        needs="AVX512F" if unit == "z" else "AVX2",
        inputs="p e",
        changes="h",
        spoiled="p",
        scratch="r b",
        vectors="v w s t u f",
        pointers="p",
        data={"w": ".p2align 6\n" + _longs(weights)},
    )


def slow(rng: random.Random) -> SlowForm:
    factor = rng.choice([31, 31, 33, 37, 131, 257, 65599, 1000003, rng.randrange(3, 5000, 2)])
    element = rng.choice(["unsigned char", "unsigned char", "char", "unsigned", "signed char"])
    start = rng.choice(["0", "5381", "7", "1", "s"])
    step = rng.choice(
        [f"h = h * {factor} + p[i];", f"h = {factor} * h + p[i];", f"h *= {factor}; h += p[i];"]
    )
    params = [f"const {element} *p", rng.choice(["int n", "long n", "unsigned long n"])]
    params += ["unsigned s"] if start == "s" else []
    rng.shuffle(params)
    index = "int" if "int n" in params else "unsigned long"
    loop = rng.choice(
        [
            f"for ({index} i = 0; i < ({index})n; i++) {{ {step} }}",
            f"{index} i = 0; while (i < ({index})n) {{ {step} i++; }}",
        ]
    )
    return function(
        rng,
        "polyhash",
        f"unsigned NAME({', '.join(params)})\n{{\n    unsigned h = {start};\n"
        f"    {loop}\n    return h;\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops:
        return
    if hints.has("movzbl", "movzb"):
        element = "ub"
    elif hints.has("movsbl", "movsb"):
        element = "sb"
    elif hints.has("add") and hints.loads:
        element = "l"
    else:
        return
    for factor in hints.multipliers[:6]:
        if not -(1 << 31) <= factor < 1 << 31:
            continue
        for ways in (8, 4):
            yield _scalar(factor, element, ways)
        yield _vector(factor, element, "z")
        yield _vector(factor, element, "y")


FAMILY = Family("polyhash", slow, forms)
