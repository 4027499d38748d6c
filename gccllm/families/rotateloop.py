"""Rotation by one bit a round: ``while (n--) x = x << 1 | x >> 31``.

gcc 12 sees that one round is a rotation and keeps the loop of n of them. One rotation by n (times
the bits of a round) ends it: about 8 times faster for
30 rounds.
Limits: none; exact for 8 to 64 bits, because the processor takes the count modulo the width.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import BITS, scalar_function

__all__ = ["FAMILY"]

_ROTATION = re.compile(r"^(ro[lr])([bwlq])\s+(?:\$(\d+), )?%\w+$")
_ROTATION_BMI2 = re.compile(r"^rorx([lq])\s+\$(\d+), ")
# How many rounds there are, by how gcc counts them.
_ROUNDS = {
    "down": "mov@ {n:@}, {c:@}\n",
    "down to minus one": "lea@ 1({n:q}), {c:@}\n",
    "up": "mov@ {n:@}, {c:@}\n sub@ {i:@}, {c:@}\n",
}


def _form(word: str, width: str, step: int, counting: str, counter: str) -> Form:
    times = f"imull ${step}, {{c:l}}, {{c:l}}\n" if step > 1 else ""
    rotated = sized(f"{word}@ {{c:b}}, {{x:@}}", width)
    return Form(
        f"{word}{width} by {step} times the rounds, counting {counting} in {counter}",
        sized(_ROUNDS[counting], counter) + times + rotated,
        inputs="n i" if counting == "up" else "n",
        changes="x",
        scratch="c",
        fixed="c=rcx",
    )


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["unsigned", "unsigned long", "unsigned", "unsigned short", "unsigned char"])
    bits = BITS[kind]
    count = rng.choice(["unsigned", "int", "unsigned long"])
    step = rng.choice([1, 1, 1, 1, 3, 5, 7])
    left, right = f"x << {step}", f"x >> {bits - step}"
    if rng.random() < 0.5:
        left, right = f"x >> {step}", f"x << {bits - step}"
    if rng.random() < 0.5:
        left, right = right, left
    turned = f"x = ({left}) | ({right});"
    kernel = rng.choice(
        [
            f"{count} c = m; while (c-- > 0) {turned}",
            f"for ({count} i = 0; i < m; i++) {turned}",
            f"for ({count} c = m; c > 0; c--) {turned}",
            f"{count} c = m; while (c > 0) {{ c--; {turned} }}",
        ]
    )
    return scalar_function(rng, "rotateloop", kind, kind, f"{kernel} r = x;", [f"{count} m"])


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops:
        return
    found = set()
    for line in hints.instructions:
        if match := _ROTATION.match(line):
            found.add((match[1], match[2], int(match[3] or 1)))
        elif match := _ROTATION_BMI2.match(line):
            step = int(match[2])
            bits = 64 if match[1] == "q" else 32
            found.add(("ror", match[1], step) if step < 16 else ("rol", match[1], bits - step))
    for word, width, step in sorted(found):
        for counting in _ROUNDS:
            yield from (_form(word, width, step, counting, counter) for counter in "lq")


FAMILY = Family("rotateloop", slow, forms)
