"""The product on whole programs: ``gcc-llm`` at link time, with one kind of proposer or all.

Every build has a store of its own, so that nothing accepted before helps. The figures are those of
gcc-llm's report: an accepted speedup was measured on fresh interleaved pairs with a copy of gcc's
program as control (A/A); what was not accepted counts as 1.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gccllm import process
from gccllm.errors import ToolchainError
from trainer.corpus.programs import JudgedProgram

__all__ = ["PROPOSERS", "Build", "built"]

PROPOSERS: Mapping[str, str] = {
    "model": "model",
    "idioms": "idioms",
    "compilers": "compilers",
    "all": "model,idioms,compilers",
}
"""column → -fllm-proposers"""
OPTIMIZED = ("optimized", "applied")
SPARE_SECONDS = 240.0


@dataclass(frozen=True)
class Build:
    """How gcc-llm is called; ``budget`` in seconds a program."""

    model: str = "mini"
    isa: str = "native"
    budget: float = 45.0


def built(program: JudgedProgram, proposers: str, build: Build) -> dict[str, Any]:
    """Build ``program`` as a user would and give what the report says: "outcome", "reason",
    "speedup" with "low" and "high" (1 where nothing was accepted), "control" and "what" won.

    Raises ToolchainError where the build fails, which gcc-llm never should.
    """
    front = Path(sys.executable).parent / "gcc-llm"
    with tempfile.TemporaryDirectory(prefix="gccllm-eval-") as folder:
        report = Path(folder) / "report.json"
        argv = [
            str(front),
            *program.options,
            "-w",
            f"-fllm-isa={build.isa}",
            f"-fllm-budget={build.budget}",
            f"-fllm-proposers={proposers}",
            f"-fllm-model={build.model}",
            f"-fllm-tests={program.tests}",
            f"-fllm-report={report}",
            str(program.source),
            *program.libraries,
            "-o",
            str(Path(folder) / program.name),
        ]
        environment = {**os.environ, "GCCLLM_STORE": str(Path(folder) / "store")}
        done = process.run(argv, timeout=build.budget + SPARE_SECONDS, env=environment)
        if not done.ok:
            raise ToolchainError(f"gcc-llm failed on {program.name}: {done.error_line()}")
        try:
            return _read(json.loads(report.read_text()))
        except (OSError, ValueError, KeyError) as error:
            raise ToolchainError(f"gcc-llm left no report on {program.name}: {error}") from error


def _read(report: Mapping[str, Any]) -> dict[str, Any]:
    won = report["outcome"] in OPTIMIZED
    accepted = [x for x in report["functions"] if x["verdict"] == "accepted"]
    return {
        "outcome": report["outcome"],
        "reason": report["reason"],
        "speedup": report["speedup"] if won else 1.0,
        "low": report["speedup_low"] if won else 1.0,
        "high": report["speedup_high"] if won else 1.0,
        "control": report["control"]["speedup"] if won else None,
        "accepted": len(accepted) if won else 0,
        "what": "; ".join(f"{x['function']}: {x['label']}" for x in accepted) if won else "",
        "by": "+".join(dict.fromkeys(x["proposer"] for x in accepted)) if won else "",
        "counts": report["counts"],
        "proposed": report["proposed"],
        "seconds": report["seconds"],
    }
