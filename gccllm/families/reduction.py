"""Reductions of arrays in wide vectors: what the array families have in common.

A form takes the array's start and its length (or its end), goes over blocks of four vectors with
four accumulators, adds these up and does the rest one element at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gccllm.families.base import Form

__all__ = ["Reduction", "reductions"]


@dataclass(frozen=True)
class Reduction:
    """One kind of reduction. ``size``: bytes of an element.

    In its lines ``%U`` is the width of the vectors (y or z), ``%A`` an offset, ``%I`` an
    accumulator. ``load`` leaves the term of the vector at ``%A({p:q})`` in ``u`` (a second array
    starts at ``o``); ``join`` joins it into ``%I``. ``fold`` is the instruction that joins two
    accumulators. ``one`` joins the element at ``({p:q})`` into the result ``s``, with ``t`` to use;
    ``total`` the lanes added up in ``t``. ``setup`` stands before the loop, ``start`` sets an
    accumulator, ``first`` sets the result before anything else (without it, the result goes on from
    what it was). ``wide`` is the feature that the z form needs, ``only`` the widths to make.
    """

    name: str
    size: int
    load: str
    join: str
    fold: str
    one: str
    setup: str = ""
    inputs: str = ""
    vectors: str = ""
    masks: str = ""
    arrays: int = 1
    wide: str = "AVX512F"
    only: str = "yz"
    total: str = ""
    start: str = "vpxor {%I:x}, {%I:x}, {%I:x}"
    first: str = ""


def reductions(kind: Reduction) -> Iterator[Form]:
    """The forms: AVX-512 and AVX2, each with a signed 32-bit, a 64-bit length, or an end."""
    for unit in kind.only[::-1]:
        for length in ("int", "long", "end"):
            yield _form(kind, unit, length)


def _form(kind: Reduction, unit: str, length: str) -> Form:
    bits = {1: "b", 4: "l", 8: "q"}[kind.size]
    width = "q" if kind.size == 8 else "l"
    lanes = {"y": 32, "z": 64}[unit] // kind.size
    block = 4 * lanes
    second = kind.arrays == 2

    def put(text: str, into: str, at: int) -> list[str]:
        found = text.replace("%U", unit).replace("%I", into).replace("%A", str(at))
        return [x.strip() for x in found.splitlines() if x.strip()]

    if length == "end":
        begin = ["movq {n:q}, {e:q}", "subq {p:q}, {e:q}"]
        begin += [f"sarq ${kind.size.bit_length() - 1}, {{e:q}}"] if kind.size > 1 else []
    else:
        begin = ["movslq {n:l}, {e:q}" if length == "int" else "movq {n:q}, {e:q}"]
        begin += ["testq {e:q}, {e:q}", "jle {X}"]

    lines = [
        *put(kind.first, "", 0),
        *begin,
        f"cmpq ${block}, {{e:q}}",
        "jb {L.rest}",
        *put(kind.setup, "", 0),
    ]
    for accumulator in ("v0", "v1", "v2", "v3"):
        lines += put(kind.start, accumulator, 0)
    lines += [".p2align 4", "{L.top}:"]
    for k in range(4):
        at = k * lanes * kind.size
        lines += put(kind.load, f"v{k}", at) + put(kind.join, f"v{k}", at)
    lines += [f"addq ${block * kind.size}, {{p:q}}"]
    lines += [f"addq ${block * kind.size}, {{o:q}}"] if second else []
    lines += [f"subq ${block}, {{e:q}}", f"cmpq ${block}, {{e:q}}", "jae {L.top}"]
    fold = kind.fold
    for a, b in (("v1", "v0"), ("v3", "v2"), ("v2", "v0")):
        lines.append(f"{fold} {{{a}:{unit}}}, {{{b}:{unit}}}, {{{b}:{unit}}}")
    if unit == "z":
        lines += ["vextracti64x4 $1, {v0:z}, {v1:y}", f"{fold} {{v1:y}}, {{v0:y}}, {{v0:y}}"]
    lines += ["vextracti128 $1, {v0:y}, {v1:x}", f"{fold} {{v1:x}}, {{v0:x}}, {{v0:x}}"]
    lines += ["vpshufd $78, {v0:x}, {v1:x}", f"{fold} {{v1:x}}, {{v0:x}}, {{v0:x}}"]
    if kind.size != 8:
        lines += ["vpshufd $177, {v0:x}, {v1:x}", f"{fold} {{v1:x}}, {{v0:x}}, {{v0:x}}"]
    lines += [f"vmov{'q' if width == 'q' else 'd'} {{v0:x}}, {{t:{width}}}", "vzeroupper"]
    lines += put(kind.total, "", 0)
    lines += ["testq {e:q}, {e:q}", "je {X}", "{L.rest}:", *put(kind.one, "", 0)]
    lines += [f"addq ${kind.size}, {{p:q}}"] + ([f"addq ${kind.size}, {{o:q}}"] if second else [])
    lines += ["subq $1, {e:q}", "jne {L.rest}"]
    arrays = "p o" if second else "p"
    return Form(
        f"{kind.name} of {bits} in {'512' if unit == 'z' else '256'} bits, {length}",
        "\n".join(lines),
        needs=kind.wide if unit == "z" else "AVX2",
        inputs=f"{arrays} n {kind.inputs}".strip(),
        spoiled=arrays,
        changes="" if kind.first else "s",
        outputs="s" if kind.first else "",
        counts="" if kind.first or kind.start != Reduction.start else "s",
        scratch="e t",
        vectors=f"v0 v1 v2 v3 u {kind.vectors}".strip(),
        masks=kind.masks if unit == "z" else "",
        pointers=arrays,
    )
