"""Where programs of one judgement run: the sandbox with the recording's inputs, and a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from gccllm.program import Program
from gccllm.recordings import Recording
from gccllm.sandbox.base import RunLimits, Sandbox, Session

__all__ = ["Arena"]


@dataclass(frozen=True)
class Arena:
    """``core``: the core to pin to; ``expired()`` true: the time for all this is over."""

    program: Program
    recording: Recording
    sandbox: Sandbox
    scratch: Path
    core: int | None
    expired: Callable[[], bool]

    def open(
        self, programs: Mapping[str, Path], limits: RunLimits
    ) -> AbstractContextManager[Session]:
        """A session over the recording's cases, in their order."""
        inputs = [case.given for case in self.recording.cases]
        return self.sandbox.open(programs, inputs, limits=limits, core=self.core)
