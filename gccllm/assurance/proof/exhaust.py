"""Every value of few inputs: both versions of a small pure region run on all of them.

For regions that touch no memory and whose live-in registers have 32 bits or fewer in all. Bits of
registers that the baseline does not read are junk, another for each value.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gccllm import process
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import parse_lines
from gccllm.asm.unit import Unit
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.assurance.proof.code import region_code
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.state import GENERAL
from gccllm.errors import ToolchainError
from gccllm.harness.tables import masks_of, quads
from gccllm.sandbox import choose
from gccllm.sandbox.base import Ending, RunInput, RunLimits, Sandbox
from gccllm.toolchain import Toolchain
from gccllm.types import Json

__all__ = ["MOST_BITS", "run_all"]

RUNTIME = Path(__file__).resolve().parent / "exhaust.c"
MOST_BITS = 32
COMPILE_SECONDS = 60.0
_VECTORS_OR_STACK = re.compile(r"%[xyz]mm|%k[0-7]\b|%[re]?spl?\b|\bpush|\bpop\w?\s")
_EXIT = re.compile(r"^(x\d_(\d+):)\n\tint3$", re.M)


def run_all(
    region: Region,
    unit: Unit,
    baseline: Sequence[str],
    candidate: Sequence[str],
    *,
    constants: Mapping[str, int],
    seconds: float,
    tools: Toolchain,
    sandbox: Sandbox | None = None,
) -> Examination:
    """PASSED with evidence ``exhaustive``: how many values there are. REFUTED with the ``state``.
    UNKNOWN where the region is not of that kind or the time, in seconds, does not do. Raises
    SandboxError, ToolchainError."""
    started = time.monotonic()

    def report(standing: Standing, detail: str, **evidence: Json) -> Examination:
        spent = time.monotonic() - started
        return Examination(Assurance.PROVED, standing, detail, evidence, spent)

    keys: dict[int, int] = {}
    for leaving in region.exits:
        keys.setdefault(leaving.place, len(keys))
    try:
        fields = _fields(region, constants, [*baseline, *candidate, *region.guard])
        versions = (parse_lines(region, baseline), parse_lines(region, candidate))
        text = region_code(region, unit, versions, keys)
    except (Unsupported, ValueError) as error:
        return report(Standing.UNKNOWN, f"not for an exhaustive run: {error}")
    bits = sum(width for _, width in fields)
    masks = [row[:16] for row in masks_of(region, keys, 16)]
    text = _EXIT.sub(r"\1\n\tmovq\t$\2, ex_out+128(%rip)\n\tjmp\tex_leave", text)
    text += _tables(fields, constants, masks, bool(region.guard))
    done = _run(text, seconds, tools, sandbox)
    words = done.split()
    if words[:1] == ["equal"]:
        values = 1 << bits
        return report(
            Standing.PASSED, f"equal on all {values} values of its inputs", exhaustive=values
        )
    if words[:1] == ["differs"]:
        state = " ".join(f"{n}={v}" for n, v in zip(GENERAL, words[1:], strict=True))
        return report(Standing.REFUTED, f"differs from {state}", state=state, difference="run")
    return report(Standing.UNKNOWN, f"the exhaustive run did not end: {done}")


def _fields(
    region: Region, constants: Mapping[str, int], lines: Sequence[str]
) -> list[tuple[str, int]]:
    """(register, its bits) of each input. Raises Unsupported."""
    if region.slots or region.pointers or region.stores or region.flags_in:
        raise Unsupported("memory or flags")
    if any(x.flags for x in region.exits):
        raise Unsupported("flags that live on")
    for line in lines:
        touches = "(" in line and not line.strip().startswith("lea")
        if touches or _VECTORS_OR_STACK.search(line):
            raise Unsupported("memory, vectors or the stack")
    found = [(r, w) for r, w in region.live_in.items() if r not in constants]
    if any(r not in GENERAL for r, _ in found):
        raise Unsupported("vectors")
    if sum(w for _, w in found) > MOST_BITS:
        raise Unsupported("too many bits of input")
    return found


def _tables(
    fields: Sequence[tuple[str, int]],
    constants: Mapping[str, int],
    masks: Sequence[Sequence[int]],
    guarded: bool,
) -> str:
    rows: list[int] = []
    at = 0
    for register, width in fields:
        rows += [GENERAL.index(register), (1 << width) - 1, at]
        at += width
    fixed = [x for r, v in constants.items() for x in (GENERAL.index(r), v, 0)]
    counts = ((1 << at) - 1, len(fields), len(constants), int(guarded))
    # rsp is the harness's own all the time.
    compared = [0 if i == 4 else m for row in masks for i, m in enumerate(row)]
    names = "counts fields constants masks code".split()
    lines = [*_stubs(), "\t.section\t.rodata", "\t.p2align 4"]
    lines += [f"\t.globl\tex_{x}" for x in names]
    lines += quads("ex_counts", counts) + quads("ex_fields", rows)
    lines += quads("ex_constants", fixed) + quads("ex_masks", compared)
    return "\n".join([*lines, *quads("ex_code", ["v0", "v1", "guard"]), ""])


def _stubs() -> list[str]:
    saved = ("rbx", "rbp", "r12", "r13", "r14", "r15")
    loaded = [(8 * i, r) for i, r in enumerate(GENERAL) if r != "rsp"]
    out = ["\t.text", "\t.globl\tex_enter", "ex_enter:", *(f"\tpush\t%{r}" for r in saved)]
    out += ["\tmovq\t%rdi, ex_target(%rip)"]
    out += [f"\tmovq\tex_in+{at}(%rip), %{r}" for at, r in loaded]
    out += ["\tjmp\t*ex_target(%rip)", "ex_leave:"]
    out += [f"\tmovq\t%{r}, ex_out+{at}(%rip)" for at, r in loaded]
    out += [f"\tpop\t%{r}" for r in reversed(saved)]
    return [*out, "\tret", "\t.local\tex_target", "\t.comm\tex_target,8,8"]


def _run(text: str, seconds: float, tools: Toolchain, sandbox: Sandbox | None) -> str:
    """What the program prints, or how it ended."""
    with tempfile.TemporaryDirectory(prefix="gccllm-proof-") as name:
        target = Path(name) / "exhaust"
        source = target.with_suffix(".s")
        source.write_text(text)
        argv = [tools.cc, "-O2", "-std=gnu11", "-static", "-no-pie", "-o", str(target)]
        done = process.run([*argv, str(RUNTIME), str(source)], timeout=COMPILE_SECONDS)
        if not done.ok:
            raise ToolchainError(f"the versions can't be linked: {done.error_line()}")
        limits = RunLimits(wall_seconds=seconds, cpu_seconds=int(seconds) + 1)
        with (sandbox or choose()).open({}, [RunInput()], limits=limits) as session:
            session.add_program("exhaust", target)
            result = session.run("exhaust", 0, collect_files=False)
    if result.ending is Ending.EXITED:
        return result.stdout.decode("ascii", "replace").strip()
    return f"({result.ending.value})"
