"""The baseline goes first.

Only a program that is byte for byte what gcc made, and passes its own recordings twice and alike,
earns candidates.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gccllm.judge.arena import Arena
from gccllm.judge.running import CaseTimes, compare, run_all
from gccllm.judge.timing import TimedCase
from gccllm.program import Build, BuildStep
from gccllm.recordings import Case
from gccllm.sandbox.base import RunLimits, RunResult
from gccllm.types import Verdict, VerdictKind

__all__ = ["Admitted", "Baseline", "establish"]

SHORT_SECONDS = 0.02
MOST_REPEATS = 10
MOST_TIMED_CASES = 3


@dataclass(frozen=True)
class Baseline:
    """gcc's own program, which passed. ``cases`` carry what it was seen to do where the recording
    says nothing (stderr, written files). Times are user+sys seconds of one run a case."""

    build: Build
    cases: tuple[Case, ...]
    times: CaseTimes
    timed: tuple[TimedCase, ...]

    @property
    def seconds(self) -> float:
        """User+sys of one pass over the timed cases."""
        return sum(self.times.cpu[x.index] for x in self.timed)

    def limits(self) -> RunLimits:
        """What a candidate may use: ten times the baseline's slowest run."""
        wall = max(2.0, 10 * max(self.times.wall, default=0.0))
        return RunLimits(wall_seconds=wall, cpu_seconds=int(wall) + 1)


@dataclass(frozen=True)
class Admitted:
    """A combination that was screened, built, and right on every recording.

    ``texts`` is what was judged of it, ``placed`` the units that ship otherwise: with new code
    beside gcc's. The executable of ``build`` is the one that ships, its objects are of ``texts``.
    """

    texts: Mapping[str, str]
    build: Build
    tests_run: int
    placed: Mapping[str, str] = field(default_factory=dict)

    @property
    def shipped(self) -> Mapping[str, str]:
        """The units that differ from gcc's, as they are linked."""
        return {**self.texts, **self.placed}


def establish(arena: Arena, shipped: Path) -> Baseline | Verdict:
    """Build the baseline again, compare it with ``shipped`` (gcc's output), run it twice.

    Returns it when all is well; else a verdict that says why nothing can be concluded here.
    """
    built = arena.program.build({}, arena.scratch / "baseline")
    if isinstance(built, BuildStep):
        return Verdict(VerdictKind.UNJUDGED, f"baseline: {built.stage}: {built.detail}")
    if built.executable.read_bytes() != shipped.read_bytes():
        detail = "the program can't be rebuilt byte for byte from the assembly it carries"
        return Verdict(VerdictKind.UNJUDGED, detail, {"reason": "unreproducible"})
    limits = RunLimits()
    with arena.open({"baseline": built.executable}, limits) as session:
        seen = [session.run("baseline", x) for x in range(len(arena.recording.cases))]
        cases: list[Case] = []
        for case, result in zip(arena.recording.cases, seen, strict=True):
            observed = _with_observed(case, result)
            failed = compare(observed, result)
            if failed is not None:
                return _fails(arena, case, failed)
            cases.append(observed)
        failed, times = run_all(session, "baseline", cases)
        if failed is not None:
            detail = f"the baseline behaves differently from run to run: {failed.detail}"
            return replace(failed, kind=VerdictKind.UNJUDGED, detail=detail)
    return Baseline(built, tuple(cases), times, _timed_cases(times.cpu))


def _timed_cases(cpu: Sequence[float]) -> tuple[TimedCase, ...]:
    """The few slowest cases; a program too small to time is run several times a pair."""
    slowest = max(cpu)
    order = sorted(range(len(cpu)), key=lambda x: -cpu[x])
    chosen = [x for x in order if cpu[x] >= 0.3 * slowest][:MOST_TIMED_CASES]
    total = sum(cpu[x] for x in chosen)
    repeats = max(1, min(MOST_REPEATS, round(SHORT_SECONDS / max(total, 1e-4))))
    return tuple(TimedCase(x, repeats) for x in sorted(chosen))


def _with_observed(case: Case, result: RunResult) -> Case:
    """What the recording leaves open is taken from the baseline's own run."""
    expected = case.expected
    return replace(
        case,
        expected=replace(
            expected,
            stderr=expected.stderr if expected.stderr is not None else result.stderr,
            written=expected.written or dict(result.files),
        ),
    )


def _fails(arena: Arena, case: Case, failed: Verdict) -> Verdict:
    stdin = f" < {shlex.quote(str(case.given.stdin))}" if case.given.stdin else ""
    arguments = "".join(f" {shlex.quote(x)}" for x in case.given.args)
    program = shlex.quote(str(arena.program.output))
    reproduce = f"{program}{arguments}{stdin}"
    detail = (
        f"gcc's own program fails its recording ({failed.detail}); "
        f"compare: {reproduce} with {arena.recording.folder / (case.name + '.out')}"
    )
    evidence = {**failed.evidence, "reason": "baseline-fails", "reproduce": reproduce}
    return Verdict(VerdictKind.UNJUDGED, detail, evidence)
