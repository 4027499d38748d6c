"""Where the largest or smallest element of an array stands.

gcc 12 keeps the loop, with a branch or with conditional moves, one to three cycles an element.
Here blocks without an element beyond the best so far are skipped in vectors, and the others done
one by one: 3 to 12 times faster on random elements, slower than gcc's code where nearly every block
holds a new best one, as in an ascending array.
Limits: signed elements of 4 and 8 bytes; exact, the first or the last of equal ones as in the loop.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.bulk import Bulk, bulk_form
from gccllm.families.loopstate import LoopState, loop_states
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

# Condition under which an element is better than the best: AVX-512's code for best against element.
_CONDITIONS = {"g": 1, "l": 6, "ge": 2, "le": 5}


def _kernel(size: int, unit: str, condition: str, index: str) -> Bulk:
    block = 64 if unit == "z" else 32
    width, suffix = ("q", "q") if size == 8 else ("l", "d")
    spread = f"vmov{suffix} {{v:{width}}}, {{c:x}}\nvpbroadcast{suffix} {{c:x}}, {{c:{unit}}}"

    def body(state: LoopState) -> str:
        place = state.at(0)
        if unit == "z":
            test = [f"vpcmp{suffix} ${_CONDITIONS[condition]}, {place}, {{c:z}}, {{f:k}}"]
            test += ["kmovw {f:k}, {t:l}", "testl {t:l}, {t:l}"]
        else:
            test = (
                [f"vmovdqu {place}, {{u:y}}", f"vpcmpgt{suffix} {{c:y}}, {{u:y}}, {{u:y}}"]
                if condition in ("g", "le")
                else [f"vpcmpgt{suffix} {place}, {{c:y}}, {{u:y}}"]
            )
            test += ["vpmovmskb {u:y}, {t:l}"]
            test += ["xorl $-1, {t:l}" if "e" in condition else "testl {t:l}, {t:l}"]
        each = [
            f"mov{width} {place}, {{x:{width}}}",
            f"cmp{width} {{v:{width}}}, {{x:{width}}}",
            f"cmov{condition}{index} {{i:{index}}}, {{b:{index}}}",
            f"cmov{condition}{width} {{x:{width}}}, {{v:{width}}}",
            *state.on(size),
            "subl $1, {t:l}",
            "jne {L.each}",
        ]
        # The last element's step is the block's own, behind the body.
        lines = [*test, "je {L.next}", f"movl ${block // size}, {{t:l}}", "{L.each}:", *each]
        lines += [*spread.splitlines(), *_back(state, block), "{L.next}:"]
        return "\n".join(lines)

    return Bulk(
        f"index of best by j{condition}, {8 * size} bits, {8 * block} at a time, {index}",
        block,
        body,
        spread,
        needs="AVX512F" if unit == "z" else "AVX2",
        carried="b v",
        scratch="x",
        vectors="u c",
        masks="f" if unit == "z" else "",
    )


def _back(state: LoopState, size: int) -> list[str]:
    """Lines that take the registers back by ``size`` bytes."""
    return [x.replace("$", "$-") for x in state.on(size)]


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "int", "int", "long"])
    index = rng.choice(["int", "int", "long", "unsigned long"])
    sign = rng.choice([">", "<", ">", "<", ">=", "<="])
    begin = rng.choice(["0", "1"])
    known = rng.choice(["p[b]", "v"])
    step = f"if (p[i] {sign} p[b]) b = i;"
    if known == "v":
        step = rng.choice(
            [
                f"if (p[i] {sign} v) {{ v = p[i]; b = i; }}",
                f"{element} x = p[i]; if (x {sign} v) {{ b = i; v = x; }}",
            ]
        )
    start = f"    {index} b = 0;\n" + (f"    {element} v = p[0];\n" if known == "v" else "")
    loop = f"    for ({index} i = {begin}; i < n; i++) {{ {step} }}\n    return b;"
    params = [f"const {element} *p", f"{index} n"]
    return array_function(rng, "argmax", index, params, start + loop)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.loads or not hints.has("cmp"):
        return
    for size in (4, 8):
        for condition in _CONDITIONS:
            for unit in "zy":
                for state in loop_states(size, hints):
                    if state.in_elements:
                        for index in "lq" if state.in_elements == ("i:q",) else "l":
                            yield bulk_form(_kernel(size, unit, condition, index), state)


FAMILY = Family("argmax", slow, forms)
