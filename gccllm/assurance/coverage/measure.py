"""Which blocks of some functions a program's runs enter.

The units are instrumented, the program is built from them as the judge builds it, and runs in the
sandbox; the counters come back through descriptor 3. A program whose recorded cases end otherwise
than recorded once it is instrumented has code that does not bear it: nothing is concluded then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm import process
from gccllm.assurance.coverage.blocks import (
    Block,
    Instrumented,
    instrument,
    instrument_calls,
)
from gccllm.program import BuildStep, Program
from gccllm.recordings import Case, Recording
from gccllm.sandbox.base import Ending, RunLimits, RunResult, Sandbox, Trial
from gccllm.toolchain import Toolchain
from gccllm.types import Json

__all__ = ["Coverage", "Unmeasured", "compile_counters", "count_calls", "cover"]

RUNTIME = Path(__file__).with_name("runtime.c")
COMPILE_SECONDS = 30.0
ROUND = 8
TRIAL_SECONDS = 1.0
"""what a made-up input may take; a run that is ended early counts up to there"""
MOST_SHOWN = 20
WORD = 8
"""bytes of a counter of calls"""


@dataclass(frozen=True)
class Unmeasured:
    """Nothing is known, and why."""

    reason: str


@dataclass(frozen=True)
class Coverage:
    """What the runs entered of one function, in one version of its unit.

    ``blocks`` and ``reached`` are counts of basic blocks; ``unreached`` the blocks never entered,
    with their lines in that version's text. ``unknown`` says why nothing was counted, else it is
    empty.
    """

    unit: str
    function: str
    blocks: int
    reached: int
    unreached: tuple[Block, ...] = ()
    unknown: str = ""

    @property
    def complete(self) -> bool:
        """Whether every block was entered."""
        return not self.unknown and self.reached == self.blocks

    def evidence(self) -> dict[str, Json]:
        """For reports; at most 20 unreached blocks are shown."""
        shown: list[Json] = [f"{x.line}: {x.text}" for x in self.unreached[:MOST_SHOWN]]
        known: dict[str, Json] = {
            "blocks": self.blocks,
            "reached": self.reached,
            "unreached": shown,
        }
        return {"unknown": self.unknown} if self.unknown else known


def cover(
    program: Program,
    functions: Mapping[str, Sequence[str]],
    sandbox: Sandbox,
    recording: Recording,
    *,
    scratch: Path,
    texts: Mapping[str, str] | None = None,
    trials: Sequence[Trial] = (),
    limits: RunLimits | None = None,
    core: int | None = None,
    seconds: float = 30.0,
) -> list[Coverage] | Unmeasured:
    """Run one version of a program on its recording, then on ``trials`` while there is time.

    ``functions`` by unit are looked at; ``texts`` are the units of this version that are not the
    program's own. ``scratch`` must be there. Raises SandboxError and SandboxUnavailable.
    """
    instrumented = dict(texts or {})
    made: dict[str, Instrumented] = {}
    first = 0
    for unit, names in functions.items():
        text = instrumented.get(unit, program.units[unit].assembly)
        made[unit] = instrument(text, names, first)
        first += len(made[unit].blocks)
        instrumented[unit] = made[unit].text
    executable = _build(program, instrumented, first, scratch)
    if isinstance(executable, Unmeasured):
        return executable
    deadline = time.monotonic() + seconds
    usual = limits or RunLimits()
    results = _run_recorded(executable, sandbox, recording, usual, core)
    if isinstance(results, Unmeasured):
        return results
    reached = 0
    for result in results:
        reached |= _counters(result)
    programs, given = {"instrumented": executable}, [case.given for case in recording.cases]
    short = replace(usual, wall_seconds=min(usual.wall_seconds, TRIAL_SECONDS))
    with sandbox.open(programs, given, limits=short, core=core) as session:
        for start in range(0, len(trials), ROUND):
            if time.monotonic() > deadline:
                break
            batch = trials[start : start + ROUND]
            for result in session.run_many("instrumented", batch, notes=True):
                reached |= _counters(result)
    entered = reached.to_bytes(max(first, reached.bit_length() // 8 + 1), "little")
    return [
        _coverage(unit, name, made[unit], entered)
        for unit, names in functions.items()
        for name in names
    ]


def count_calls(
    program: Program,
    functions: Mapping[str, Sequence[str]],
    sandbox: Sandbox,
    recording: Recording,
    *,
    scratch: Path,
    limits: RunLimits | None = None,
    core: int | None = None,
) -> dict[tuple[str, str], int] | Unmeasured:
    """How often the recorded cases, each run once, call the functions (named by unit).

    Calls that an inliner removed are none. A function that bears no counter is left out.
    ``scratch`` must be there. Raises SandboxError and SandboxUnavailable.
    """
    instrumented: dict[str, str] = {}
    counted: list[tuple[str, str]] = []
    for unit, names in functions.items():
        made = instrument_calls(program.units[unit].assembly, names, len(counted))
        counted += [(unit, x.function) for x in made.blocks]
        instrumented[unit] = made.text
    size = WORD * len(counted)
    executable = _build(program, instrumented, size, scratch)
    if isinstance(executable, Unmeasured):
        return executable
    results = _run_recorded(executable, sandbox, recording, limits or RunLimits(), core)
    if isinstance(results, Unmeasured):
        return results
    calls = dict.fromkeys(counted, 0)
    for result in results:
        notes = result.notes.ljust(size, b"\0")
        for number, function in enumerate(counted):
            word = notes[WORD * number : WORD * (number + 1)]
            calls[function] += int.from_bytes(word, "little")
    return calls


def _build(
    program: Program, texts: Mapping[str, str], counters: int, scratch: Path
) -> Path | Unmeasured:
    runtime = scratch / f"counters-{counters}.o"
    built = compile_counters(program.toolchain, runtime, counters) or program.build(
        texts, scratch / "instrumented", extra=[str(runtime)]
    )
    if isinstance(built, BuildStep):
        return Unmeasured(f"the instrumented program can't be built: {built.detail}")
    return built.executable


def _run_recorded(
    executable: Path,
    sandbox: Sandbox,
    recording: Recording,
    limits: RunLimits,
    core: int | None,
) -> list[RunResult] | Unmeasured:
    """Each recorded case once, with what the counters hold in the end."""
    given = [case.given for case in recording.cases]
    with sandbox.open({"instrumented": executable}, given, limits=limits, core=core) as session:
        recorded = [_as_trial(number, case) for number, case in enumerate(recording.cases)]
        results = session.run_many("instrumented", recorded, notes=True)
    for case, result in zip(recording.cases, results, strict=True):
        if not _as_recorded(case, result):
            return Unmeasured(f"once instrumented it does otherwise on the case {case.name}")
    return list(results)


def compile_counters(tools: Toolchain, target: Path, counters: int) -> BuildStep | None:
    """Compile what an instrumented program is linked with; None when that went well."""
    define = f"-DGCCLLM_COUNTERS={max(counters, 1)}ul"
    argv = [tools.cc, "-O2", "-fPIC", define, "-c", str(RUNTIME), "-o", str(target)]
    done = process.run(argv, timeout=COMPILE_SECONDS)
    return None if done.ok else BuildStep("assemble", done.error_line())


def _as_trial(number: int, case: Case) -> Trial:
    stdin = case.given.stdin.read_bytes() if case.given.stdin is not None else b""
    return Trial(stdin, case.given.args, number)


def _as_recorded(case: Case, result: RunResult) -> bool:
    status = result.code if result.ending is Ending.EXITED else -result.code
    return (status, result.stdout) == (case.expected.exit_status, case.expected.stdout)


def _counters(result: RunResult) -> int:
    """One run's counters, a byte each; 0 for a run that was ended before it began."""
    return int.from_bytes(result.notes, "little")


def _coverage(unit: str, name: str, made: Instrumented, entered: bytes) -> Coverage:
    if name in made.left_out:
        return Coverage(unit, name, 0, 0, unknown=made.left_out[name])
    mine = [(i, block) for i, block in enumerate(made.blocks, made.first) if block.function == name]
    missed = tuple(block for i, block in mine if not entered[i])
    return Coverage(unit, name, len(mine), len(mine) - len(missed), missed)
