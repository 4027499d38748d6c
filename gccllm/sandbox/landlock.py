"""Sandboxes without namespaces, for where bubblewrap can't work: the runner alone.

``LandlockSandbox``: seccomp and Landlock, both mandatory. Against bwrap it lacks: programs can
learn by stat that a host file exists, though not read it; other processes can be seen by getpid
and its like, though not signalled; the total of written files is watched, not enforced.

``UnconfinedSandbox`` applies resource limits only. A program can do what the user can. It is
never chosen unless the user asks for it by name, and its name stands in every report.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gccllm.errors import SandboxUnavailable
from gccllm.sandbox.base import RunInput, RunLimits
from gccllm.sandbox.build import build_runner, usable_cache
from gccllm.sandbox.bwrap import NOBODY, PROCESSES
from gccllm.sandbox.session import Confinement, RunnerSession, runner_arguments, runner_session
from gccllm.sandbox.staging import Stage, staged

__all__ = ["LandlockSandbox", "UnconfinedSandbox"]


class _DirectSandbox(ABC):
    """A runner that is an ordinary child process; as root it becomes nobody."""

    def __init__(self, cache_folder: Path | None = None) -> None:
        self._cache = cache_folder

    @abstractmethod
    def _confinement(self) -> Confinement: ...

    @contextmanager
    def open(
        self,
        programs: Mapping[str, Path],
        cases: Sequence[RunInput],
        *,
        limits: RunLimits,
        core: int | None = None,
    ) -> Iterator[RunnerSession]:
        """See :class:`gccllm.sandbox.base.Sandbox`."""
        runner = build_runner(self._cache)
        with staged(programs, cases, usable_cache(self._cache)) as stage:
            work = str(stage.work)
            if os.geteuid() == 0:
                _hand_over(stage)
            argv = [
                str(runner),
                *runner_arguments(work, stage, limits, core, self._confinement()),
            ]
            with runner_session([], argv, stage, cases, limits) as session:
                yield session


class LandlockSandbox(_DirectSandbox):
    """Landlock and seccomp around each program."""

    name = "landlock"

    def _confinement(self) -> Confinement:
        return Confinement(landlock=2, seccomp=True, uid=NOBODY, processes=_processes())


class UnconfinedSandbox(_DirectSandbox):
    """Resource limits only, by the user's explicit consent."""

    name = "none"

    def _confinement(self) -> Confinement:
        return Confinement(landlock=0, seccomp=False, uid=NOBODY, processes=_processes())


def _processes() -> int:
    """For an ordinary user the limit would count everything else that the user runs."""
    return PROCESSES if os.geteuid() == 0 else 0


def _hand_over(stage: Stage) -> None:
    """Let nobody, and no other user, reach its working folder by name and write there."""
    try:
        os.chown(stage.root, 0, NOBODY)
        stage.root.chmod(0o710)
        os.chown(stage.work, NOBODY, NOBODY)
    except OSError as error:
        raise SandboxUnavailable(f"can't prepare the working folder: {error}") from None
