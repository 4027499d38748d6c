"""Run a program's recordings in the sandbox and compare. Expected behaviour never goes inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gccllm.recordings import Case
from gccllm.sandbox.base import Ending, RunResult, Session
from gccllm.types import Json, Verdict, VerdictKind

__all__ = ["CaseTimes", "compare", "describe", "run_all"]

SHOWN = 120


@dataclass(frozen=True)
class CaseTimes:
    """What one passed run of each case took, in the order of the cases: user+sys seconds."""

    cpu: tuple[float, ...]
    wall: tuple[float, ...]


def compare(case: Case, result: RunResult) -> Verdict | None:
    """None when the run did what was recorded, else the verdict with evidence."""
    expected = case.expected
    evidence: dict[str, Json] = {"case": case.name, "ending": result.ending.value}
    if result.ending is Ending.TIMED_OUT:
        return Verdict(VerdictKind.TIMED_OUT, f"case {case.name}: time limit", evidence)
    if result.ending is Ending.TOO_MUCH_OUTPUT:
        return Verdict(VerdictKind.WRONG_OUTPUT, f"case {case.name}: too much output", evidence)
    status = result.code if result.ending is Ending.EXITED else -result.code
    if status != expected.exit_status:
        evidence |= {"expected_exit": expected.exit_status, "exit": status}
        detail = f"case {case.name}: {describe(result)}, recorded was {expected.exit_status}"
        kind = VerdictKind.WRONG_EXIT if status >= 0 else VerdictKind.CRASHED
        return Verdict(kind, detail, evidence)
    for name, want, have in (
        ("stdout", expected.stdout, result.stdout),
        ("stderr", expected.stderr, result.stderr),
    ):
        if want is not None and want != have:
            return _wrong_output(case, name, want, have, evidence)
    for path, want in expected.written.items():
        if result.files.get(path) != want:
            return _wrong_output(case, path, want, result.files.get(path, b""), evidence)
    unexpected = sorted(set(result.files) - set(expected.written))
    if unexpected:
        evidence["file"] = unexpected[0]
        detail = f"case {case.name}: wrote {unexpected[0]}, which was not recorded"
        return Verdict(VerdictKind.WRONG_OUTPUT, detail, evidence)
    return None


def run_all(
    session: Session, program: str, cases: Sequence[Case]
) -> tuple[Verdict | None, CaseTimes]:
    """Run every case once; stops at the first that fails."""
    cpu: list[float] = []
    wall: list[float] = []
    for index, case in enumerate(cases):
        result = session.run(program, index)
        failed = compare(case, result)
        if failed is not None:
            return failed, CaseTimes(tuple(cpu), tuple(wall))
        cpu.append(result.cpu)
        wall.append(result.wall)
    return None, CaseTimes(tuple(cpu), tuple(wall))


def describe(result: RunResult) -> str:
    """How a run ended, for a person."""
    if result.ending is Ending.EXITED:
        return f"exit status {result.code}"
    if result.ending is Ending.FORBIDDEN:
        return "killed by the sandbox for a forbidden system call"
    return f"{result.ending.value} (signal {result.code})"


def _wrong_output(
    case: Case, name: str, want: bytes, have: bytes, evidence: dict[str, Json]
) -> Verdict:
    at = next(
        (i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b),
        min(len(want), len(have)),
    )
    line = want[:at].count(b"\n") + 1
    evidence |= {
        "stream": name,
        "line": line,
        "expected": want[max(0, at - 20) : at + SHOWN].decode("utf-8", "replace"),
        "actual": have[max(0, at - 20) : at + SHOWN].decode("utf-8", "replace"),
    }
    detail = f"case {case.name}: {name} differs from line {line} on"
    return Verdict(VerdictKind.WRONG_OUTPUT, detail, evidence)
