"""The JSON record of everything that was decided about a program, and why (version 1)."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gccllm.types import Json, Outcome, Speedup, Verdict, VerdictKind

__all__ = ["FunctionRecord", "ProgramRecord", "write"]

VERSION = 1


@dataclass
class FunctionRecord:
    """One function (or a whole unit, function "*") and the best that was found for it."""

    unit: str
    function: str
    proposer: str
    verdict: VerdictKind
    assurance: str
    speedup: Speedup | None
    tests_run: int
    candidates: int
    seconds: float
    label: str = ""
    share: float | None = None
    calls: int | None = None
    detail: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)
    """what the assurance ladder found: level, rungs, basic blocks"""

    def as_json(self) -> dict[str, Json]:
        return {
            "unit": self.unit,
            "function": self.function,
            "proposer": self.proposer,
            "verdict": self.verdict.value,
            "assurance": self.assurance,
            **_speedup(self.speedup),
            "tests_run": self.tests_run,
            "candidates": self.candidates,
            "seconds": round(self.seconds, 3),
            "label": self.label,
            "share": self.share,
            "calls": self.calls,
            "detail": self.detail,
            "evidence": dict(self.evidence),
        }


@dataclass
class ProgramRecord:
    """What became of one program. ``reason`` is a stable word for anything but success;
    ``control`` the baseline against a copy of itself in the same run (A/A); ``considered`` the
    share of the run time that is in the functions that were searched."""

    program: str
    compiler: str
    isa: str
    model: str
    proposers: tuple[str, ...]
    outcome: Outcome = Outcome.FALLBACK
    assurance: str = ""
    reason: str = ""
    detail: str = ""
    sandbox: str = ""
    baseline_seconds: float | None = None
    optimized_seconds: float | None = None
    speedup: Speedup | None = None
    control: Speedup | None = None
    functions: list[FunctionRecord] = field(default_factory=list)
    counts: Counter[VerdictKind] = field(default_factory=Counter)
    proposed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    considered: float | None = None

    def see(self, verdict: Verdict, proposer: str) -> None:
        """Count a verdict on a candidate."""
        self.counts[verdict.kind] += 1
        self.proposed[proposer] += 1

    def as_json(self) -> dict[str, Json]:
        return {
            "version": VERSION,
            "program": self.program,
            "compiler": self.compiler,
            "isa": self.isa,
            "model": self.model,
            "proposers": list(self.proposers),
            "outcome": self.outcome.value,
            "assurance": self.assurance,
            "baseline_seconds": self.baseline_seconds,
            "optimized_seconds": self.optimized_seconds,
            **_speedup(self.speedup),
            "functions": [x.as_json() for x in self.functions],
            "counts": {k.value: n for k, n in sorted(self.counts.items())},
            "reason": self.reason,
            "detail": self.detail,
            "sandbox": self.sandbox,
            "control": _speedup(self.control),
            "proposed": dict(sorted(self.proposed.items())),
            "seconds": round(self.seconds, 3),
            "considered": None if self.considered is None else round(self.considered, 4),
        }


def write(record: ProgramRecord, path: Path) -> None:
    """Replace ``path`` by the record, atomically. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(record.as_json(), indent=1) + "\n")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _speedup(value: Speedup | None) -> dict[str, Json]:
    if value is None:
        return {"speedup": None, "speedup_low": None, "speedup_high": None}
    return {
        "speedup": round(value.ratio, 4),
        "speedup_low": round(value.low, 4),
        "speedup_high": round(value.high, 4),
    }
