"""One lane of the reward service: a process that judges answers, one at a time, on one core.

It is told tasks and answers through a pipe and tells verdicts. Programs stay open in it, the least
recently asked for is closed first. Its lane (see :mod:`gccllm.lanes`) is held while questions keep
coming and given back when they stop, so that others can measure too.
"""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from gccllm.errors import GccllmError
from gccllm.harness.compare import Harness
from gccllm.harness.comparison import ComparisonKind
from gccllm.lanes import lane
from gccllm.sandbox.choice import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Verdict, VerdictKind
from trainer.judging import RegionJudge, Timing
from trainer.ppo.shelf import Shelf
from trainer.ppo.tasks import Task

__all__ = ["How", "Judge", "Judging", "work"]

IDLE_SECONDS = 1.0
_RIGHT = (VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER)
_UNEQUAL = (ComparisonKind.DIFFERS, ComparisonKind.FAULTED, ComparisonKind.HUNG)


@dataclass(frozen=True)
class How:
    """``timing`` as in :class:`Timing`. What is right on all recordings is moreover compared with
    gcc's own lines on ``states`` random states (0: not), so that a reward can't be had by what the
    recordings do not show. ``programs`` stay open at most. ``lanes`` is the folder of the lanes'
    locks, ``wait`` the seconds that a free one is waited for."""

    timing: str = Timing.QUICK.value
    states: int = 2000
    programs: int = 128
    lanes: Path = Path()
    wait: float = 60.0

    @property
    def identity(self) -> str:
        """What a verdict depends on."""
        return f"{self.timing} {self.states}"

    def judging(self, core: int | None) -> Judge:
        """Who judges on ``core``; called in the lane's process."""
        return Judging(self, core)

    def held(self) -> AbstractContextManager[int | None]:
        """Holds what judging needs to itself: a core. None: none came free in time."""
        return lane(self.lanes, self.wait)


class Judge(Protocol):
    """A context manager that judges answers to questions of one kind."""

    def __enter__(self) -> Judge: ...

    def __exit__(self, *_: object) -> None: ...

    def verdict(self, task: Any, answer: str) -> Verdict:
        """What is said of ``answer``. Raises GccllmError or OSError for our own faults."""
        ...


class Judging:
    """Judges answers to tasks on ``core``. A context manager."""

    def __init__(self, how: How, core: int | None) -> None:
        self.how = how
        self._core = core
        self._stack = ExitStack()
        self._tools = Toolchain()
        self._open: Shelf[RegionJudge] = Shelf(how.programs)

    def __enter__(self) -> Judging:
        self._sandbox = choose()
        self._harness = self._stack.enter_context(Harness(toolchain=self._tools))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._stack.close()

    def verdict(self, task: Task, answer: str) -> Verdict:
        """What the judge says; unjudged where the task is not what the program has."""
        judge = self._judge(task)
        if judge.fault is not None:
            return judge.fault
        if task.region >= len(judge.regions):
            return Verdict(VerdictKind.UNJUDGED, f"{task.name}: there is no such region any more")
        region = judge.regions[task.region]
        if region.prompt(task.level).text != task.prompt:
            return Verdict(VerdictKind.UNJUDGED, f"{task.name}: the region is another one now")
        found = judge.judge(region, answer, task.level, Timing(self.how.timing))
        if found.kind in _RIGHT and self.how.states:
            compared = judge.differential(region, [answer], self.how.states)[0]
            # Pointers that overlap may be what no caller does: then the recordings decide.
            if compared.kind in _UNEQUAL and not compared.overlapping:
                return Verdict(VerdictKind.DIFFERS, compared.detail, tests_run=found.tests_run)
        return found

    def _judge(self, task: Task) -> RegionJudge:
        return self._open.get(
            task.digest + task.program.name,
            lambda: RegionJudge(
                task.program,
                tools=self._tools,
                sandbox=self._sandbox,
                harness=self._harness,
                core=self._core,
            ),
        )


def work(pipe: Connection, how: How) -> None:
    """The process: (task, answer) come through ``pipe``, verdicts go back, None ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    question = _next(pipe)
    judging: Judge | None = None
    held: int | None = None
    with ExitStack() as stack:
        while question is not None:
            with how.held() as core:
                if core is None:
                    busy = "every core for timing was busy with other measurements"
                    pipe.send(Verdict(VerdictKind.UNJUDGED, busy))
                    question = _next(pipe)
                    continue
                if judging is None or held != core:
                    stack.close()
                    judging, held = stack.enter_context(how.judging(core)), core
                while question is not None:
                    pipe.send(_answer(judging, *question))
                    if not pipe.poll(IDLE_SECONDS):
                        break
                    question = _next(pipe)
            if question is not None:
                question = _next(pipe)


def _next(pipe: Connection) -> tuple[Any, str] | None:
    try:
        question: tuple[Any, str] | None = pipe.recv()
    except EOFError:
        return None
    return question


def _answer(judging: Judge, task: Any, answer: str) -> Verdict:
    try:
        return judging.verdict(task, answer)
    except (GccllmError, OSError) as error:
        return Verdict(VerdictKind.UNJUDGED, f"{type(error).__name__}: {error}")
