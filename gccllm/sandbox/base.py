"""The seam of the sandbox: open a session over some programs and cases, run them at will.

One session is one isolated process tree that lives as long as the ``with`` block; inside it a small
C runner starts every run anew with empty descriptors, a fresh folder and its own limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

__all__ = ["Ending", "RunInput", "RunLimits", "RunResult", "Sandbox", "Session", "Trial"]


@dataclass(frozen=True)
class RunInput:
    """What one run is given. ``stdin`` is a file (None: empty); ``files`` a folder whose contents
    (regular files and folders) are copied into the run's fresh working folder; ``environment``
    variables (name, value) beside those that every run has (LC_ALL, PATH, HOME)."""

    args: tuple[str, ...] = ()
    stdin: Path | None = None
    files: Path | None = None
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Trial:
    """An input that is made up while a session is open: its stdin is bytes, and ``case`` is the
    session's case whose ``files`` and ``environment`` it is given (None: none).

    ``files`` are other contents for some of that case's files, by relative path (None: the file is
    not there); naming a file that the case does not have is an error."""

    stdin: bytes = b""
    args: tuple[str, ...] = ()
    case: int | None = None
    files: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True)
class RunLimits:
    """Limits of one run: wall and CPU in seconds, the rest in bytes."""

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    address_space: int = 2 << 30
    output_bytes: int = 8 << 20
    stack_bytes: int = 64 << 20


class Ending(str, Enum):
    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed-out"
    TOO_MUCH_OUTPUT = "too-much-output"
    FORBIDDEN = "forbidden"
    """killed by the seccomp filter (SIGSYS)"""


@dataclass(frozen=True)
class RunResult:
    """One run. ``code`` is the exit status, or the signal's number for SIGNALLED/FORBIDDEN.

    ``files`` holds what the run created or changed in its working folder, by relative path
    (``files`` of its input that it left as they were are not repeated). ``notes`` is what it left
    on descriptor 3, where that was asked for. Times are seconds.
    """

    ending: Ending
    code: int
    stdout: bytes
    stderr: bytes
    user: float
    system: float
    wall: float
    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: bytes = b""

    @property
    def cpu(self) -> float:
        return self.user + self.system


class Session(Protocol):
    def run(self, program: str, case: int, *, collect_files: bool = True) -> RunResult:
        """Run ``programs[program]`` on ``cases[case]``, pinned to the session's core.

        Raises SandboxError when the sandbox itself broke (not when the program did).
        """
        ...

    def run_many(
        self, program: str, trials: Sequence[Trial], *, notes: bool = False
    ) -> list[RunResult]:
        """Run a program once on each trial, in turn: many short runs at the least cost. As for
        ``run``, each run is a process of its own in a fresh folder. ``notes``: descriptor 3 is an
        empty file, whose contents come back. Raises SandboxError."""
        ...

    def profile(self, program: str, case: int) -> tuple[RunResult, bytes]:
        """Run a program that we trust, one with a sampling profiler linked in: timers are allowed
        and descriptor 3 is an empty file, whose contents are the second result. No files are
        collected. Raises SandboxError."""
        ...

    def add_program(self, name: str, path: Path) -> None:
        """Make one more program known to a session that is already open."""
        ...


class Sandbox(Protocol):
    name: str
    """"bwrap", "landlock" or "none": stands in reports"""

    def open(
        self,
        programs: Mapping[str, Path],
        cases: Sequence[RunInput],
        *,
        limits: RunLimits,
        core: int | None = None,
    ) -> AbstractContextManager[Session]:
        """Start a session. Programs and inputs are read-only inside. Raises SandboxUnavailable."""
        ...
