"""64-bit division of numbers that are small: a 32-bit one where both operands fit.

gcc can't know the values. A 64-bit division takes up to three times as long as a 32-bit one (35 to
90 against 26 cycles before Ice Lake, 10 to 18 against 10 on Zen); the test costs two instructions.
1.1 to 3 times faster where most operands are small, a little slower where they are not.
Limits: none; whatever does not fit is divided as before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.source import function

__all__ = ["FAMILY"]

_DIVIDE = re.compile(r"\t(i?div)q\t%(\w+)$")
_NARROW = {
    "rbx": "ebx", "rcx": "ecx", "rsi": "esi", "rdi": "edi", "rbp": "ebp",
    **{f"r{i}": f"r{i}d" for i in range(8, 16)},
}  # fmt: skip
_EXTENDS = {"idiv": "\tcqto", "div": "\txorl\t%edx, %edx"}


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["long", "unsigned long"])
    kernel = rng.choice(
        [
            f"{kind} r = 0; while (x) {{ r += x % z; x /= z; }} return r;",
            f"{kind} r = 0; for (; x != 0; x /= z) r ^= x % z; return r;",
            f"{kind} r = 0; while (x > 0) {{ r = r * 3 + x % z; x = x / z; }} return r;",
            "int r = 0; while (x >= z) { x /= z; r++; } return r;",
        ]
    )
    guard = rng.choice(["z |= 2;", "if (z < 2) return 0;", "if (z < 2) z = 10;"])
    params = [f"{kind} x", f"{kind} z"]
    rng.shuffle(params)
    text = f"{kind} NAME({', '.join(params)})\n{{\n    {guard}\n    {kernel}\n}}"
    return function(rng, "narrowdivision", text)


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("idivq", "divq"):
        return
    lines: list[str] = []
    changed = 0
    for line in hints.lines:
        found = _DIVIDE.match(line)
        extend = _EXTENDS[found.group(1)] if found else ""
        # The extension of rax into rdx must be just above: then rdx is free for the test.
        if found and lines and lines[-1] == extend and found.group(2) in _NARROW:
            register, label = found.group(2), 2000 + 2 * changed
            changed += 1
            lines[-1:] = [
                "\tmovq\t%rax, %rdx",
                f"\torq\t%{register}, %rdx",
                "\tshrq\t$32, %rdx",
                f"\tjne\tL{label}",
                f"\tdivl\t%{_NARROW[register]}",
                f"\tjmp\tL{label + 1}",
                f"L{label}:",
                extend,
                line,
                f"L{label + 1}:",
            ]
        else:
            lines.append(line)
    if changed:
        yield Form(
            "32-bit division where it suffices", "\n".join(lines), slow_here=True, as_is=True
        )


FAMILY = Family("narrowdivision", slow, forms)
