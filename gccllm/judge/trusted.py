"""Trusted builds: our own compiler's, of the user's own code, run to learn something from them.

They run in the sandbox all the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from gccllm.judge.arena import Arena
from gccllm.judge.baseline import Baseline
from gccllm.profile import hot_functions, profiled_build
from gccllm.program import BuildStep
from gccllm.proposers.base import Instrument
from gccllm.sandbox.base import RunLimits
from gccllm.types import HotFunction

__all__ = ["instrument", "profile"]

_numbers = itertools.count(1)


def instrument(arena: Arena, unit: str) -> Instrument:
    """See :data:`gccllm.proposers.base.Instrument`: our own compiler's build of the user's
    own code, run in the sandbox for the files that it leaves (profiles)."""

    def run(assembly: str, link_options: Sequence[str]) -> Mapping[str, bytes]:
        out = arena.scratch / f"instrumented-{next(_numbers)}"
        built = arena.program.build({unit: assembly}, out, extra=link_options)
        if isinstance(built, BuildStep):
            return {}
        files: dict[str, bytes] = {}
        with arena.open({"instrumented": built.executable}, RunLimits()) as session:
            for index in range(len(arena.recording.cases)):
                done = session.run("instrumented", index)
                files.update({f"{index}/{name}": x for name, x in done.files.items()})
        return files

    return run


def profile(arena: Arena, baseline: Baseline) -> tuple[list[HotFunction], int]:
    """Hot functions of the baseline and the number of samples behind that."""
    built = profiled_build(arena.program, arena.scratch / "profiled")
    if isinstance(built, BuildStep):
        return [], 0
    with arena.open({"profiled": built}, RunLimits()) as session:
        return hot_functions(
            built,
            lambda case: session.profile("profiled", case)[1],
            [x.index for x in baseline.timed],
        )
