"""Is the model of an instruction what the CPU does? Asked of the CPU, on random and edge operands.

A form is run as terms once, and the terms are then evaluated for each state; the CPU runs the same
bytes from the same states. Registers, vectors, defined flags and traps have to agree.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.evaluate import Evaluation
from gccllm.assurance.proof.flags import PLACES, Thunk, flag
from gccllm.assurance.proof.image import Image
from gccllm.assurance.proof.native import Concrete, Outcome, run_code
from gccllm.assurance.proof.node import Term, variables
from gccllm.assurance.proof.state import GENERAL, State, initial
from gccllm.assurance.proof.stepping import Stepper
from gccllm.errors import ToolchainError
from gccllm.sandbox.base import Sandbox
from gccllm.toolchain import Toolchain

__all__ = ["Checked", "check_forms"]

DATA, STACK = 0x2000_0000, 0x2100_0000
"""pages that memory operands and the stack lie in"""
MOST_RUNS = 8000
_EDGES = (0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535)


@dataclass(frozen=True)
class Checked:
    """One form: ``mismatch`` is the first disagreement ("" for none), ``unsupported`` why it is not
    modelled ("" if it is), ``states`` how many it was tried on."""

    form: str
    states: int
    mismatch: str = ""
    unsupported: str = ""


@dataclass(frozen=True)
class _Modelled:
    form: str
    entry: int
    end: int
    after: State
    trap: Term | None


def check_forms(
    forms: Sequence[str],
    *,
    states: int = 16,
    seed: int = 1,
    tools: Toolchain | None = None,
    sandbox: Sandbox | None = None,
) -> list[Checked]:
    """Each form on ``states`` states. Raises ToolchainError for a form that as does not know,
    SandboxError when the sandbox breaks."""
    tools = tools or Toolchain()
    image = _assembled(tools, forms)
    modelled: list[_Modelled] = []
    results: dict[str, Checked] = {}
    for number, form in enumerate(forms):
        try:
            modelled.append(_model(image, form, number))
        except Unsupported as error:
            results[form] = Checked(form, 0, unsupported=str(error))
    rng = random.Random(seed)
    memory = {DATA + i: rng.randrange(256) for i in range(128)}
    given = [_state(rng) for _ in range(states)]
    batch = max(MOST_RUNS // states, 1)
    for at in range(0, len(modelled), batch):
        chosen = modelled[at : at + batch]
        runs = [(x.entry, n) for x in chosen for n in range(states)]
        outcomes = run_code(
            tools,
            image.contents,
            given,
            runs,
            [DATA, STACK],
            memory=memory,
            show_memory=False,
            sandbox=sandbox,
        )
        if isinstance(outcomes, str) or len(outcomes) < len(runs):
            raise ToolchainError(f"the forms can't be run: {outcomes if outcomes else 'hung'}")
        for number, x in enumerate(chosen):
            mine = outcomes[number * states : (number + 1) * states]
            pairs = zip(given, mine, strict=True)
            wrong = next((m for s, o in pairs if (m := _mismatch(x, s, o, memory))), "")
            results[x.form] = Checked(x.form, states, wrong)
    return [results[x] for x in forms]


def _assembled(tools: Toolchain, forms: Sequence[str]) -> Image:
    lines = ["\t.text"]
    for number, form in enumerate(forms):
        lines += [f"f{number}:", f"\t{form}", f"e{number}:", "\tint3"]
    with tempfile.TemporaryDirectory(prefix="gccllm-proof-") as folder:
        path = Path(folder) / "forms.o"
        done = tools.assemble("\n".join(lines) + "\n", path)
        if not done.ok:
            raise ToolchainError(f"as does not take a form: {done.error_line()}")
        return Image(path)


def _model(image: Image, form: str, number: int) -> _Modelled:
    """Raises Unsupported."""
    stepper = Stepper(image, private=False, frame_end=0)
    at, end = image.addresses[f"f{number}"], image.addresses[f"e{number}"]
    entry, state = at, initial({})
    while at != end:
        ways = list(stepper.step(at, state))
        if not ways:
            break
        if len(ways) > 1 or ways[0][0] is not None:
            raise Unsupported("more than one way on")
        _, at, state = ways[0]
    return _Modelled(form, entry, end, state, state.path)


def _state(rng: random.Random) -> Concrete:
    def number(bits: int) -> int:
        kind = rng.randrange(5)
        if kind == 0:
            return rng.choice(_EDGES)
        if kind == 1:
            return -rng.choice(_EDGES) & ((1 << bits) - 1)
        if kind == 2:
            return (1 << rng.randrange(bits)) - rng.randrange(2)
        return rng.getrandbits(bits)

    def vector() -> int:
        if rng.randrange(3):
            return rng.getrandbits(256)
        width = rng.choice((8, 16, 32, 64))
        small = [
            rng.choice((0, 1, -1, 1 << width - 1, (1 << width - 1) - 1, rng.getrandbits(width)))
            for _ in range(256 // width)
        ]
        return sum((x & ((1 << width) - 1)) << width * i for i, x in enumerate(small))

    general = {name: number(64) for name in GENERAL}
    general |= {"rdi": DATA, "rsp": STACK + 2048}
    flags = sum(rng.randrange(2) << place for place in PLACES.values())
    return Concrete(general, flags, [vector() for _ in range(16)])


def _mismatch(x: _Modelled, given: Concrete, outcome: Outcome, memory: dict[int, int]) -> str:
    numbers = dict(given.general)
    numbers |= {f"ymm{i}": v for i, v in enumerate(given.vectors)}
    numbers |= {name: given.flags >> place & 1 for name, place in PLACES.items()}
    seen = Evaluation(numbers, lambda a: memory.get(a, 0))
    through = x.trap is None or seen.of(x.trap) == 1
    if through != (outcome.signal == 0):
        return f"signal {outcome.signal}, the model {'goes on' if through else 'traps'}: {given}"
    if not through:
        return ""
    if outcome.place != x.end:
        return f"stopped at {outcome.place:#x}: {given}"
    for name, expected, found in _values(x.after, seen, outcome.state):
        if expected != found:
            return f"{name} is {found:#x}, the model says {expected:#x}: {given}"
    return ""


def _values(state: State, seen: Evaluation, real: Concrete) -> Iterator[tuple[str, int, int]]:
    """(name, by the model, by the CPU)"""
    for name in GENERAL:
        term = state.registers[name]
        free = term.op != "var" and term.width == 64 and _is_open(term)
        defined = 0xFFFF_FFFF if free else (1 << 64) - 1
        yield name, seen.of(term) & defined, real.general[name] & defined
    for i in range(16):
        yield f"ymm{i}", seen.of(state.registers[f"ymm{i}"]), real.vectors[i]
    r = state.registers
    thunk: Thunk = (r["cc_op"], r["cc_dep1"], r["cc_dep2"], r["cc_ndep"])
    for name, place in PLACES.items():
        if name in state.undefined:
            continue
        try:
            bit = flag(name, thunk)
        except Unsupported:
            continue
        yield name, seen.of(bit), real.flags >> place & 1


@cache
def _is_open(term: Term) -> bool:
    """Whether the upper half depends on what the manuals leave open."""
    return any(x.args[0].startswith("undefined") for x in variables([term]))
