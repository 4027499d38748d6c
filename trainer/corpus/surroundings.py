"""A sample's function put into another one, as gcc's inliner puts it there.

In programs the loop that matters seldom has a function to itself: it stands in ``main`` or in some
loop that calls it, where other registers are taken, constants are known, and values come from
memory or from another computation. The caller that is drawn here is that place.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from gccllm.families.base import SlowForm
from gccllm.families.source import function
from trainer.corpus.program_text import Parameter, Signature

__all__ = ["surrounded"]

_CALLEE = "__callee"
_WORDS = ("unsigned long", "long", "unsigned", "int", "unsigned char", "unsigned short")


def surrounded(slow: SlowForm, rng: random.Random) -> SlowForm | None:
    """A function that calls ``slow``, now static, with both in one source; None where its types
    are not understood."""
    try:
        signature = Signature.of(slow)
    except ValueError:
        return None
    head = re.search(rf"^.*\b{slow.function}\s*\([^()]*\)(?=\s*\{{)", slow.source, re.MULTILINE)
    if head is None:
        return None
    caller = function(rng, slow.family, _caller(signature, rng))
    if caller.function == slow.function:
        return None
    text = caller.source.replace(_CALLEE, slow.function)
    static = "" if head[0].lstrip().startswith("static") else f"static {head[0].strip()};\n"
    return SlowForm(slow.family, caller.function, f"{static}{slow.source}\n{text}")


def _caller(signature: Signature, rng: random.Random) -> str:
    """The caller's text, for :func:`gccllm.families.source.function`."""
    word = rng.choice(_WORDS)
    params = [f"const {word} *w", "long m", f"{rng.choice(_WORDS)} k"]
    arrays = []
    for number, parameter in enumerate(signature.arrays):
        name = f"a{number}"
        params.append(f"{'' if parameter.written else 'const '}{parameter.kind} *{name}")
        arrays.append(name)
    if arrays:
        params.append("int n")
    counted = rng.random() < 0.25
    if counted:
        params.append("unsigned *h")
    rng.shuffle(params)
    call = f"{_CALLEE}({', '.join(_arguments(signature, arrays, rng))})"
    if signature.result == "void":
        use = f"{call}; s += {arrays[0]}[0];" if arrays else f"{call};"
    else:
        result = f"(unsigned long){call}"
        use = rng.choice(
            [
                f"s += {result};",
                f"s = s * 31 + {result};",
                f"s ^= {result} << (i & 7);",
                f"{{ unsigned long r = {result}; if (r > s) {{ s = r; at = i; }} }}",
                f"if ({result} > 5) s++;",
            ]
        )
        if counted:
            use = f"h[{result} & 15]++;"
    before, inside, after = _pressure(rng)
    if rng.random() < 0.2:
        return f"""unsigned long NAME({", ".join(params)})
{{
    unsigned long s = 1, i = (unsigned long)m, at = 0, x = (unsigned long)k;
    {before}
    {use}
    {inside}
    return s + at + x{after};
}}"""
    loop = rng.choice(
        [
            "for (long i = 0; i < m; i++)",
            "for (long i = m - 1; i >= 0; i--)",
            "for (int i = 0; i < 1000; i++)",
        ]
    )
    step = rng.choice(["x = x * 1103515245 + 12345;", "x ^= x << 13; x ^= x >> 7;", "x += w[i];"])
    return f"""unsigned long NAME({", ".join(params)})
{{
    unsigned long s = 0, x = (unsigned long)k;
    long at = 0;
    {before}
    {loop} {{
        {step}
        {inside}
        {use}
    }}
    return s + (unsigned long)at{after};
}}"""


def _arguments(signature: Signature, arrays: Sequence[str], rng: random.Random) -> list[str]:
    """An expression over the caller's names for each parameter."""
    left = list(arrays)
    found = []
    for parameter in signature.parameters:
        if parameter.array:
            name = left.pop(0)
            found.append(rng.choice([name, name, f"{name} + i", f"{name} + i * n"]))
        elif arrays and parameter.number:
            found.append(rng.choice(["n", "n", "n - 1", "k", f"({parameter.kind})w[i]", "i"]))
        else:
            found.append(_number(parameter, rng))
    return found


def _number(parameter: Parameter, rng: random.Random) -> str:
    chosen = rng.choice(
        ["w[i]", "w[i]", "w[i] ^ k", "x >> 16", "x", "i", "i + k", "k", "x % 1000", "w[i] >> 2"]
    )
    return f"({parameter.kind})({chosen})"


def _pressure(rng: random.Random) -> tuple[str, str, str]:
    """Values that are alive around the loop: declarations, what happens to them, and their use."""
    count = rng.choice([0, 0, 1, 2, 4])
    names = [f"v{n}" for n in range(count)]
    before = " ".join(f"unsigned long {x} = (unsigned long)k + {n};" for n, x in enumerate(names))
    steps = [rng.choice(["{} += x;", "{} ^= w[i];", "{} = {} * 5 + s;"]) for _ in names]
    inside = " ".join(x.replace("{}", name) for x, name in zip(steps, names, strict=True))
    return before, inside, "".join(f" + {x}" for x in names)
