"""A counterexample of the fuzzing rung, put to other builds of the program."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from gccllm.assurance.fuzz.behaviour import same
from gccllm.recordings import Recording
from gccllm.sandbox.base import RunLimits, Sandbox, Trial
from gccllm.types import Json

__all__ = ["agrees"]


def agrees(
    sandbox: Sandbox,
    programs: tuple[Path, Path],
    recording: Recording,
    counterexample: Mapping[str, Json],
    limits: RunLimits,
    core: int | None = None,
) -> bool:
    """Whether two ``programs`` do the same on a counterexample (as the evidence of an examination
    has it). False for one that is not understood. Raises SandboxError."""
    numbers = {case.name: i for i, case in enumerate(recording.cases)}
    encoded, args = counterexample.get("stdin_base64"), counterexample.get("args")
    number = numbers.get(str(counterexample.get("case")))
    others = counterexample.get("files_base64", {})
    if not isinstance(encoded, str) or not isinstance(args, list) or number is None:
        return False
    if not isinstance(others, dict):
        return False
    try:
        stdin = base64.b64decode(encoded, validate=True)
        files = {
            path: None if data is None else base64.b64decode(str(data), validate=True)
            for path, data in others.items()
        }
    except ValueError:
        return False
    trial = Trial(stdin, tuple(map(str, args)), number, files)
    given = [case.given for case in recording.cases]
    named = {"baseline": programs[0], "candidate": programs[1]}
    with sandbox.open(named, given, limits=limits, core=core) as session:
        one, other = (session.run_many(name, [trial])[0] for name in named)
    return same(one, other)
