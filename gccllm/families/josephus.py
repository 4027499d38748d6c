"""The Josephus recurrence: ``for (i = 2; i <= n; i++) r = (r + k) % i``.

gcc 12 divides every round. Once i is k or more, r + k is below 2 * i and one conditional
subtraction is the remainder: 3 to 4 times faster for a
small k, no faster while i is below k.
Limits: exact where 0 <= r < i and 0 <= k < 2^30, i and its end below 2^30; everything else goes
gcc's way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gccllm.families.base import Family, Form, Hints, SlowForm, sized
from gccllm.families.source import function

__all__ = ["FAMILY"]

# While i is below k it divides; then it subtracts. i is looked at behind each round, as gcc does.
_TEXT = """
    cmp@ $1073741824, {i:@}
    jae {B}
    cmp@ $1073741824, {m:@}
    jae {B}
    %guard
    cmp@ {m:@}, {i:@}
    %beyond {B}
    cmp@ {i:@}, {r:@}
    jae {B}
    mov@ {r:@}, {d:@}
    mov@ {i:@}, {c:@}
    jmp {L.test}
    {L.divide}:
    %sum {a:@}
    xorl {d:l}, {d:l}
    div@ {c:@}
    add@ $1, {c:@}
    cmp@ {c:@}, {m:@}
    %past {L.done}
    {L.test}:
    cmp@ %step, {c:@}
    jb {L.divide}
    .p2align 4
    {L.top}:
    %sum {d:@}
    mov@ {d:@}, {a:@}
    sub@ {c:@}, {a:@}
    cmovae@ {a:@}, {d:@}
    add@ $1, {c:@}
    cmp@ {c:@}, {m:@}
    %more {L.top}
    {L.done}:
    mov@ {d:@}, {r:@}
"""


def _form(width: str, step: int | None, *, inclusive: bool) -> Form:
    """``m`` is the last i, or the one behind it."""
    past, more, beyond = ("jb", "jae", "ja") if inclusive else ("je", "jne", "jae")
    text = _TEXT.replace("%past", past).replace("%more", more).replace("%beyond", beyond)
    if step is None:
        text = text.replace("%guard", "cmp@ $1073741824, {k:@}\n jae {B}")
        text = text.replace("%sum", "lea@ ({k:q},{d:q}),").replace("%step", "{k:@}")
    else:
        text = text.replace("%guard", "").replace("%sum", f"lea@ {step}({{d:q}}),")
        text = text.replace("%step", f"${step}")
    return Form(
        f"Josephus by conditional subtraction, step {'k' if step is None else step}, {width}"
        + (", inclusive" if inclusive else ""),
        sized(text, width),
        inputs="i m" if step is not None else "i m k",
        changes="r",
        scratch="a d c",
        fixed="a=rax d=rdx",
    )


def slow(rng: random.Random) -> SlowForm:
    kind = rng.choice(["int", "int", "unsigned", "long"])
    given = rng.random() < 0.7
    k = "k" if given else str(rng.choice([2, 3, 3, 5, 7, 13]))
    step = rng.choice([f"r = (r + {k}) % i;", f"r = ({k} + r) % i;", f"r += {k}; r %= i;"])
    loop = rng.choice(
        [
            f"for ({kind} i = 2; i <= n; i++) {{ {step} }}",
            f"{kind} i = 2; while (i <= n) {{ {step} i++; }}",
            f"for ({kind} i = 1; i <= n; ++i) {{ {step} }}",
            f"for ({kind} i = 1; i < n + 1; ++i) {{ {step} }}",
            f"for ({kind} i = 2; i < n; i++) {{ {step} }}",
        ]
    )
    after = rng.choice(["r", "r + 1", "r + 1"])
    params = [f"{kind} n", *([f"{kind} k"] if given else [])]
    rng.shuffle(params)
    return function(
        rng,
        "josephus",
        f"{kind} NAME({', '.join(params)})\n{{\n    {kind} r = 0;\n    {loop}\n"
        f"    return {after};\n}}",
    )


def forms(hints: Hints) -> Iterator[Form]:
    if not hints.loops or not hints.has("div", "idiv"):
        return
    steps = [x for x in sorted(hints.immediates) if 2 <= x <= 64]
    steps += [
        int(x.split("(")[0].split()[-1])
        for x in hints.instructions
        if x.startswith("lea") and x.split("(")[0].split()[-1].isdigit()
    ]
    for width in "lq":
        for inclusive in (False, True):
            yield _form(width, None, inclusive=inclusive)
            for step in dict.fromkeys(x for x in steps if x > 1):
                yield _form(width, step, inclusive=inclusive)


FAMILY = Family("josephus", slow, forms)
