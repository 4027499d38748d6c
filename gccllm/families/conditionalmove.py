"""A branch around moves, or around a small addition, made a conditional move.

gcc 12 guesses which branches are predictable, and often wrongly: maxima with their places, counters
behind comparisons, state that resets. Where the data decides, a conditional move saves 15 to 20
cycles a misprediction, 2 to 5 times in tight loops; where the branch was predictable it lengthens
the chain of dependencies: only timing can tell.
Limits: one branch at a time and all of them together; moves between registers, and additions of
constants and of registers to a register.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import array_function

__all__ = ["FAMILY"]

_OPPOSITE = {
    "e": "ne", "ne": "e", "l": "ge", "ge": "l", "g": "le", "le": "g", "b": "ae", "ae": "b",
    "a": "be", "be": "a", "s": "ns", "ns": "s", "nb": "b", "nbe": "be", "nl": "l", "nle": "le",
}  # fmt: skip
_JUMP = re.compile(r"\tj(\w+)\t(L\d+)$")
_MOVE = re.compile(r"\tmov([lq])\t(%\w+), (%\w+)$")
MOST_MOVES = 3


def _converted(lines: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """(new lines, end of what they replace) for the branch at ``at``; None where it is no branch
    around moves."""
    found = _JUMP.match(lines[at])
    if found is None or found.group(1) not in _OPPOSITE:
        return None
    condition = _OPPOSITE[found.group(1)]
    out: list[str] = []
    for offset in range(1, MOST_MOVES + 2):
        if at + offset >= len(lines):
            return None
        line = lines[at + offset]
        if line == f"{found.group(2)}:":
            return (out, at + offset) if out else None
        move = _MOVE.match(line)
        if move is None:
            return None
        out.append(f"\tcmov{condition}{move.group(1)}\t{move.group(2)}, {move.group(3)}")
    return None


def _all_of(lines: Sequence[str], chosen: set[int]) -> str:
    out: list[str] = []
    at = 0
    while at < len(lines):
        made = _converted(lines, at) if at in chosen else None
        if made is None:
            out.append(lines[at])
            at += 1
        else:
            out += made[0]
            at = made[1]
    return "\n".join(out)


def slow(rng: random.Random) -> SlowForm:
    element = rng.choice(["int", "long", "unsigned"])
    sign = rng.choice(["<", ">", "<=", ">="])
    body = rng.choice(
        [
            f"    long at = 0; {element} s = p[0];\n"
            f"    for (long i = 1; i < n; i++) if (p[i] {sign} s) {{ s = p[i]; at = i; }}\n"
            "    return at;",
            f"    long at = -1; {element} s = k;\n"
            f"    for (long i = 0; i < n; i++) if (p[i] {sign} s) {{ at = i; s = p[i]; }}\n"
            "    return at;",
            f"    long at = 0; {element} s = k;\n"
            f"    for (long i = 0; i < n; i++) {{ {element} x = p[i] ^ k;"
            f" if (x {sign} s) {{ s = x; at = i; }} }}\n    return at + s;",
        ]
    )
    params = [f"const {element} *p", "long n", f"{element} k"]
    return array_function(rng, "conditionalmove", "long", params, body)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops:
        return
    places = [i for i in range(len(hints.lines)) if _converted(hints.lines, i) is not None]
    choices = [set(places)] + [{x} for x in places if len(places) > 1]
    for number, chosen in enumerate(choices[:6] if places else []):
        which = "all" if number == 0 else f"number {number}"
        text = _all_of(hints.lines, chosen)
        yield Form(f"conditional moves, {which}", text, slow_here=True, as_is=True)


FAMILY = Family("conditionalmove", slow, forms)
