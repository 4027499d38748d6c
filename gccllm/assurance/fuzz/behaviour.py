"""What one run of a program did, as far as it counts, and how two runs differ."""

from __future__ import annotations

from gccllm.sandbox.base import Ending, RunResult

__all__ = ["describe", "difference", "same"]

SHOWN = 400


def same(one: RunResult, other: RunResult) -> bool:
    """Equal ending, exit status, streams and files."""
    return (one.ending, one.code, one.stdout, one.stderr, one.files) == (
        other.ending,
        other.code,
        other.stdout,
        other.stderr,
        other.files,
    )


def difference(baseline: RunResult, candidate: RunResult) -> str:
    """The first thing in which they differ, for a person; "" when they don't."""
    if (baseline.ending, baseline.code) != (candidate.ending, candidate.code):
        return f"{_ending(candidate)}, the baseline {_ending(baseline)}"
    if baseline.stdout != candidate.stdout:
        return "stdout differs"
    if baseline.stderr != candidate.stderr:
        return "stderr differs"
    for path in sorted({*baseline.files, *candidate.files}):
        if baseline.files.get(path) != candidate.files.get(path):
            return f"the file {path} differs"
    return ""


def describe(result: RunResult) -> dict[str, str | int]:
    """A run for a report, long streams cut."""
    return {
        "ending": result.ending.value,
        "code": result.code,
        "stdout": result.stdout[:SHOWN].decode("utf-8", "backslashreplace"),
        "stderr": result.stderr[:SHOWN].decode("utf-8", "backslashreplace"),
        "files": ", ".join(sorted(result.files))[:SHOWN],
    }


def _ending(result: RunResult) -> str:
    if result.ending is Ending.EXITED:
        return f"exits with {result.code}"
    if result.ending is Ending.SIGNALLED:
        return f"is killed by signal {result.code}"
    return {
        Ending.TIMED_OUT: "runs into its time limit",
        Ending.TOO_MUCH_OUTPUT: "writes too much",
    }.get(result.ending, "tries what the sandbox forbids")
