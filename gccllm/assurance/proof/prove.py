"""The ladder's top: are two versions of a region, or of a function, equal for every state?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gccllm.asm.region_model import FLAGS, Region
from gccllm.asm.region_text import parse_lines
from gccllm.asm.unit import Unit
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.assurance.proof.bits import bit_and, bit_not
from gccllm.assurance.proof.code import GUARD, exit_label, region_code, stack_is_private
from gccllm.assurance.proof.compare import less_unsigned
from gccllm.assurance.proof.contract import Contract
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.examine import Expected, Question, examine
from gccllm.assurance.proof.exhaust import run_all
from gccllm.assurance.proof.image import Image
from gccllm.assurance.proof.memory import store
from gccllm.assurance.proof.node import const
from gccllm.assurance.proof.pairs import Side
from gccllm.assurance.proof.state import GENERAL, STACK, State, initial
from gccllm.assurance.proof.stepping import Stepper
from gccllm.assurance.proof.sums import subtract
from gccllm.harness.tables import masks_of
from gccllm.sandbox.base import Sandbox
from gccllm.toolchain import Toolchain

__all__ = ["prove", "prove_region"]

RETURN = 0x35A6_5E7E_0000
"""the address that a function returns to"""
_CALLEE_SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")
_YMM_BYTES = 32
_BREAKPOINT = b"\xcc"


def prove_region(
    region: Region,
    unit: Unit,
    baseline: Sequence[str],
    candidate: Sequence[str],
    *,
    constants: Mapping[str, int] | None = None,
    bounds: Mapping[str, tuple[int, int]] | None = None,
    seconds: float = 10.0,
    exhaustive_seconds: float = 0.0,
    expected: Expected | None = None,
    tools: Toolchain | None = None,
    sandbox: Sandbox | None = None,
) -> Examination:
    """Two versions of a region in canonical form (asm/region_text.py).

    Every register, flag and byte that comes in may have any value, but for ``constants`` (register
    → its value) and what ``region.guard`` keeps out. At each exit the two have to agree as the
    region says, and the candidate may touch no page and write no byte that the baseline does not.
    ``bounds``: register → the least and the greatest number (unsigned) that callers have in it;
    what holds is then proved within them, and the evidence names them. ``expected`` tells whether
    callers may pass a state that was found; one that they may not makes it UNKNOWN, 'differs
    outside observed inputs'. Without these every state counts.

    With ``exhaustive_seconds`` a pure region of few inputs that is not proved for all states is run
    on all of them for so long (:mod:`exhaust`); what comes of that counts.

    PASSED: evidence ``exhaustive`` is how many values there were, if they all were run; ``bound``
    is None for all states, else the number of jumps back up to which
    they are equal. REFUTED: evidence ``state`` and ``difference``, as run natively. UNKNOWN: the
    detail says why. Raises SandboxError and ToolchainError when those break.
    """
    tools = tools or Toolchain()
    keys: dict[int, int] = {}
    for leaving in region.exits:
        keys.setdefault(leaving.place, len(keys))
    try:
        versions = (parse_lines(region, baseline), parse_lines(region, candidate))
        text = region_code(region, unit, versions, keys)
        image = _assembled(tools, text)
        private = stack_is_private(unit, region.function)
        start = _within(initial(constants or {}), bounds or {})
        contracts = _contracts(region, keys)
        sides = [_side(image, n, len(keys), private) for n in (0, 1)]
        guard = _side(image, GUARD, 2, private) if region.guard else None
    except (Unsupported, ValueError) as error:
        return Examination(Assurance.PROVED, Standing.UNKNOWN, f"not supported: {error}")
    question = Question(sides[0], sides[1], start, contracts, image.contents, image.symbols, guard)
    done = examine(question, seconds, expected, tools, sandbox, bounds or {})
    decided = done.standing is Standing.REFUTED or (
        done.standing is Standing.PASSED and done.evidence["bound"] is None
    )
    if decided or not exhaustive_seconds or bounds or expected is not None:
        return done
    every = run_all(
        region,
        unit,
        baseline,
        candidate,
        constants=constants or {},
        seconds=exhaustive_seconds,
        tools=tools,
        sandbox=sandbox,
    )
    return done if every.standing is Standing.UNKNOWN else every


def prove(
    baseline: Path,
    candidate: Path,
    name: str,
    *,
    result: Mapping[str, int],
    bounds: Mapping[str, tuple[int, int]] | None = None,
    seconds: float = 10.0,
    expected: Expected | None = None,
    tools: Toolchain | None = None,
    sandbox: Sandbox | None = None,
) -> Examination:
    """Function ``name`` of two object files, called as the System V ABI says.

    ``result``: the registers that hold what it returns, and how many of their bits ("rax": 32 for
    an int, "ymm0": 64 for a double, nothing for void). Results and raises are as of
    :func:`prove_region`; ElfError and OSError for a file that can't be read.
    """
    tools = tools or Toolchain()
    try:
        first = Image(baseline)
        second = Image(candidate, first)
        sides = []
        for image in (first, second):
            if name not in image.addresses:
                raise Unsupported(f"no function {name}")
            stepper = Stepper(image, private=True, frame_end=8)
            sides.append(Side(stepper, image.addresses[name], {RETURN: 0}))
    except Unsupported as error:
        return Examination(Assurance.PROVED, Standing.UNKNOWN, f"not supported: {error}")
    start = _within(initial({}), bounds or {})
    start.frame = store(start.frame, STACK, const(RETURN, 64))
    general = dict.fromkeys((*_CALLEE_SAVED, "rsp"), 64)
    general |= {n: bits for n, bits in result.items() if n in GENERAL}
    vectors = {n: bits for n, bits in result.items() if n not in GENERAL}
    contract = Contract(general, vectors, frozenset(), 0)
    code = {**first.contents, **second.contents, RETURN: (_BREAKPOINT, True)}
    question = Question(sides[0], sides[1], start, {0: contract}, code, second.symbols)
    return examine(question, seconds, expected, tools, sandbox, bounds or {})


def _within(start: State, bounds: Mapping[str, tuple[int, int]]) -> State:
    """The start where registers are within bounds."""
    for name, (low, high) in bounds.items():
        above = subtract(start.registers[name], const(low, 64))
        outside = less_unsigned(const(high - low, 64), above)
        start.path = bit_and(start.path, bit_not(outside))
    return start


def _assembled(tools: Toolchain, text: str) -> Image:
    """Raises Unsupported for what as does not take."""
    with tempfile.TemporaryDirectory(prefix="gccllm-proof-") as folder:
        path = Path(folder) / "region.o"
        done = tools.assemble(text, path)
        if not done.ok:
            raise Unsupported(f"as says {done.error_line()}")
        return Image(path)


def _side(image: Image, version: int, exits: int, private: bool) -> Side:
    places = {
        image.addresses[exit_label(version, n)]: n
        for n in range(exits)
        if exit_label(version, n) in image.addresses
    }
    stepper = Stepper(image, private=private, frame_end=1 << 31)
    entry = image.addresses["guard" if version == GUARD else f"v{version}"]
    return Side(stepper, entry, places)


def _contracts(region: Region, keys: Mapping[int, int]) -> dict[int, Contract]:
    """Exit → contract: what the harness compares, too."""
    found: dict[int, Contract] = {}
    for number, row in enumerate(masks_of(region, keys, _YMM_BYTES)):
        general = {n: m.bit_length() for n, m in zip(GENERAL, row[:16], strict=True) if m}
        vectors = {f"ymm{i}": 8 * row[17 + i] for i in range(16) if row[17 + i]}
        leaving = next(x for x in region.exits if keys[x.place] == number)
        flags = frozenset(leaving.flags) & frozenset(FLAGS)
        found[number] = Contract(general, vectors, flags, None if region.red_zone else 0)
    return found
