"""What the user asked for, from the environment; -fllm options arrive as the same variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import UsageError

__all__ = [
    "ASSURANCES",
    "DEFAULT_ASSURANCE",
    "DEFAULT_MODEL",
    "DEFAULT_PROPOSERS",
    "ISA_MODES",
    "Settings",
]

DEFAULT_MODEL = "mini"
DEFAULT_PROPOSERS = ("model", "idioms", "compilers")
ISA_MODES = ("target", "native", "dispatch")
ASSURANCES = ("tests", "fuzzed", "differential", "proved")
"""the values of gccllm.assurance.levels.Assurance, weakest first"""
DEFAULT_ASSURANCE = "fuzzed"


@dataclass(frozen=True)
class Settings:
    """The options that are decided here; ``budget`` in seconds. ``assurance`` is what a rewrite
    needs to be shipped. ``lock``: the file whose rewrites are applied, and no others;
    ``lock_assurance`` what those need, where the user has named a level."""

    tests: Path | None = None
    model: str = DEFAULT_MODEL
    proposers: tuple[str, ...] = DEFAULT_PROPOSERS
    isa: str = "target"
    budget: float = 60.0
    samples: int = 8
    refine: int = 0
    assurance: str = DEFAULT_ASSURANCE
    report: Path | None = None
    lock: Path | None = None
    lock_assurance: str = ASSURANCES[0]
    verbose: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read GCCLLM_* variables. Raises UsageError, naming the variable and what it takes."""
        env = os.environ if environment is None else environment
        isa = env.get("GCCLLM_ISA") or "target"
        if isa not in ISA_MODES:
            takes = ", ".join(ISA_MODES)
            raise UsageError(f"GCCLLM_ISA (-fllm-isa) is '{isa}'; it takes {takes}")
        assurance = env.get("GCCLLM_ASSURANCE") or DEFAULT_ASSURANCE
        if assurance not in ASSURANCES:
            takes = ", ".join(ASSURANCES)
            raise UsageError(
                f"GCCLLM_ASSURANCE (-fllm-assurance) is '{assurance}'; it takes {takes}"
            )
        names = env.get("GCCLLM_PROPOSERS")
        tests = env.get("GCCLLM_TESTS")
        report = env.get("GCCLLM_REPORT")
        lock = env.get("GCCLLM_LOCK")
        return cls(
            tests=Path(tests).absolute() if tests else None,
            model=env.get("GCCLLM_MODEL") or DEFAULT_MODEL,
            proposers=_names(names) if names else DEFAULT_PROPOSERS,
            isa=isa,
            budget=_number(env, "GCCLLM_BUDGET", "-fllm-budget", 60.0),
            samples=int(_number(env, "GCCLLM_SAMPLES", "-fllm-samples", 8)),
            refine=int(_number(env, "GCCLLM_REFINE", "-fllm-refine", 0)),
            assurance=assurance,
            report=Path(report).absolute() if report else None,
            lock=Path(lock).absolute() if lock else None,
            lock_assurance=assurance if env.get("GCCLLM_ASSURANCE") else ASSURANCES[0],
            verbose=bool(env.get("GCCLLM_VERBOSE")),
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(x.strip() for x in text.split(",") if x.strip())


def _number(env: Mapping[str, str], variable: str, option: str, default: float) -> float:
    text = env.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e7:
        raise UsageError(f"{variable} ({option}) is '{text}'; it takes a number from 0 up")
    return value
