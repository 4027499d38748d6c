"""One C program tried out: built at -O0 and at -O3, run on its tests, both timed beside each other.

Nothing that came with a program is believed. Outputs are what gcc -O3's own program prints, twice
alike and as -O0's does; tests on which they differ (undefined behaviour, clocks, randomness) are
left out. Programs are strangers' and run in the sandbox only; compilers run under limits.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from gccllm import process
from gccllm.errors import GccllmError, RecordingError
from gccllm.judge.timing import Rule, RunFailed, TimedCase, measure
from gccllm.lanes import lane
from gccllm.paths import cache_dir
from gccllm.proposers.chat import BYTES_PER_TOKEN
from gccllm.recordings import load
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox
from gccllm.toolchain import Toolchain
from trainer.corpus.program_rows import CaseExtra, ProgramRow
from trainer.corpus.programs import Dropped

__all__ = ["Demands", "Wanted", "try_program"]

LIBRARIES = ("-lm",)
BUILD_LIMITS = process.Limits(cpu_seconds=30, address_space=4 << 30, file_size=64 << 20)
BUILD_SECONDS = 60.0
RUN_LIMITS = RunLimits(wall_seconds=10.0, cpu_seconds=10)
SPARE_INPUTS = 2
"""times as many tests are looked at as are wanted"""
LANE_SECONDS = 600.0
SLOW, FAST = "O0", "O3"


@dataclass(frozen=True)
class Wanted:
    """A program to be tried: a C file, and a folder with its tests, either ``input.K.txt`` (what
    AlphaCode's inputs are called) or a recording of :mod:`gccllm.recordings`."""

    name: str
    source: Path
    tests: Path
    origin: str
    problem: str = ""
    split: str = "train"


@dataclass(frozen=True)
class Demands:
    """What a program has to be like. ``least_ratio``: time at -O0 by that at -O3 (0: any, and then
    it is not timed). ``most_tests`` are kept, ``least_tests`` needed; ``most_tokens`` is the
    longest prompt, estimated by its bytes. ``flags`` make the baseline; ``pairs``
    interleaved runs of both stand behind a ratio."""

    least_ratio: float = 3.0
    most_tests: int = 10
    least_tests: int = 1
    most_tokens: int = 4000
    flags: tuple[str, ...] = ("-O3",)
    pairs: int = 3


@dataclass(frozen=True)
class _Case:
    """``expected`` None: whatever the program does, as long as it ends with status 0."""

    stdin: bytes
    extra: CaseExtra = field(default_factory=CaseExtra)
    expected: bytes | None = None


@dataclass(frozen=True)
class _Seen:
    """A test that passed, with the seconds that it took both programs."""

    case: _Case
    output: bytes
    slow: float
    fast: float


def try_program(
    tools: Toolchain, sandbox: Sandbox, wanted: Wanted, demands: Demands
) -> ProgramRow | Dropped:
    """The program as a row, or why it is none.

    Raises SandboxError where the sandbox breaks and GccllmError where no core for timing comes
    free: then nothing is known, and it may be tried again.
    """
    try:
        text = wanted.source.read_bytes().decode("utf-8")
        cases = _cases(wanted.tests)[: SPARE_INPUTS * demands.most_tests]
    except (OSError, UnicodeDecodeError, RecordingError) as error:
        return Dropped(wanted.name, f"unreadable: {error}")
    if len(cases) < demands.least_tests:
        return Dropped(wanted.name, "no tests")
    with tempfile.TemporaryDirectory(prefix="gccllm-trial-") as folder:
        scratch = Path(folder)
        # gcc writes the name into .file, and the judged baseline has to be this very text.
        source = scratch / f"{wanted.name}.c"
        source.write_text(text, encoding="utf-8")
        assembly = _build(tools, source, scratch, demands.flags)
        if assembly is None:
            return Dropped(wanted.name, "gcc refuses it")
        made = assembly.decode("utf-8", "replace")
        if (len(text) + len(made)) / BYTES_PER_TOKEN > demands.most_tokens:
            return Dropped(wanted.name, "too long")
        seen = _run_tests(sandbox, scratch, cases, demands.most_tests)
        if len(seen) < demands.least_tests:
            return Dropped(wanted.name, "no test that it passes alike, always")
        ratio = 0.0
        if demands.least_ratio > 0:
            rough = sum(x.slow for x in seen) / max(sum(x.fast for x in seen), 1e-6)
            # A busy machine may halve it, not more: what is far off is not worth a core.
            ratio = (
                rough
                if rough < demands.least_ratio / 2
                else _ratio(sandbox, scratch, seen, demands)
            )
            if ratio < demands.least_ratio:
                return Dropped(wanted.name, f"-O0/-O3 below {demands.least_ratio:g}")
        return ProgramRow(
            name=wanted.name,
            c_code=text,
            assembly=made,
            inputs=tuple(x.case.stdin.decode("utf-8") for x in seen),
            outputs=tuple(x.output.decode("utf-8") for x in seen),
            split=wanted.split,
            extras=tuple(x.case.extra for x in seen),
            origin=wanted.origin,
            problem=wanted.problem,
            compiler=tools.identity.version,
            flags=" ".join(demands.flags),
            baseline="O3" if demands.flags == ("-O3",) else " ".join(demands.flags),
            ratio=round(ratio, 4),
            compiled=(scratch / FAST).read_bytes(),
        )


def _cases(folder: Path) -> list[_Case]:
    """Tests in the order of their numbers or names. Raises OSError or RecordingError."""
    inputs = sorted(folder.glob("input.*.txt"), key=lambda x: _number(x.name))
    if inputs:
        return [_Case(x.read_bytes()) for x in inputs]
    found = []
    for case in load(folder).cases:
        given, expected = case.given, case.expected
        if given.files is None and not expected.written and expected.exit_status >= 0:
            stdin = given.stdin.read_bytes() if given.stdin else b""
            extra = CaseExtra(given.args, expected.exit_status)
            found.append(_Case(stdin, extra, expected.stdout))
    return found


def _number(name: str) -> tuple[int, str]:
    found = re.search(r"\d+", name)
    return (int(found[0]) if found else 0, name)


def _build(tools: Toolchain, source: Path, scratch: Path, flags: Sequence[str]) -> bytes | None:
    """Both programs in ``scratch``, and the baseline's assembly; None where gcc fails."""
    assembly = source.with_suffix(".s")
    steps = (
        [*flags, "-w", "-S", str(source), "-o", str(assembly)],
        [*flags, str(assembly), "-o", str(scratch / FAST), *LIBRARIES],
        ["-O0", "-w", str(source), "-o", str(scratch / SLOW), *LIBRARIES],
    )
    for step in steps:
        done = process.run(
            [tools.cc, *step], timeout=BUILD_SECONDS, cwd=scratch, limits=BUILD_LIMITS
        )
        if not done.ok:
            return None
    return assembly.read_bytes()


def _run_tests(sandbox: Sandbox, scratch: Path, cases: Sequence[_Case], most: int) -> list[_Seen]:
    """The first ``most`` tests on which both programs do the same, the baseline's twice."""
    inputs = _staged(scratch, cases)
    programs = {SLOW: scratch / SLOW, FAST: scratch / FAST}
    found: list[_Seen] = []
    with sandbox.open(programs, inputs, limits=RUN_LIMITS) as session:
        for index, case in enumerate(cases):
            if len(found) == most:
                break
            first = session.run(FAST, index)
            expected = first.stdout if case.expected is None else case.expected
            if _wrong(first, expected, case.extra) or not _is_text(case.stdin, expected):
                continue
            again, slow = session.run(FAST, index), session.run(SLOW, index)
            if not (_wrong(again, expected, case.extra) or _wrong(slow, expected, case.extra)):
                found.append(_Seen(case, expected, slow.cpu, min(first.cpu, again.cpu)))
    return found


def _ratio(sandbox: Sandbox, scratch: Path, seen: Sequence[_Seen], demands: Demands) -> float:
    """Time at -O0 by that at -O3 over all tests: the median of interleaved pairs on one core."""
    inputs = _staged(scratch, [x.case for x in seen])
    programs = {SLOW: scratch / SLOW, FAST: scratch / FAST}

    def check(index: int, result: RunResult) -> str:
        return _wrong(result, seen[index].output, seen[index].case.extra)

    with lane(cache_dir(), LANE_SECONDS) as core:
        if core is None:
            raise GccllmError(f"every core for timing was busy for {LANE_SECONDS:.0f} s")
        with sandbox.open(programs, inputs, limits=RUN_LIMITS, core=core) as session:
            timed = [TimedCase(x) for x in range(len(seen))]
            rule, rng = Rule(warmups=1), random.Random(0)
            try:
                pairs, _ = measure(
                    session,
                    SLOW,
                    FAST,
                    timed,
                    check,
                    rule,
                    rng,
                    most_pairs=demands.pairs,
                    early_stop=False,
                )
            except RunFailed:
                return 0.0
            return median(pairs.ratios)


def _staged(scratch: Path, cases: Sequence[_Case]) -> list[RunInput]:
    inputs = []
    for number, case in enumerate(cases):
        path = scratch / f"{number}.in"
        path.write_bytes(case.stdin)
        inputs.append(RunInput(case.extra.args, path))
    return inputs


def _wrong(result: RunResult, expected: bytes, extra: CaseExtra) -> str:
    if result.ending is not Ending.EXITED or result.code != extra.exit_status:
        return f"{result.ending.value} {result.code}"
    if result.stdout != expected:
        return "other output"
    return "files written" if result.files else ""


def _is_text(*parts: bytes) -> bool:
    """The published columns are texts."""
    try:
        for part in parts:
            part.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
