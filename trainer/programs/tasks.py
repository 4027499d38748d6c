"""Questions about whole programs, and who judges the answers in a lane of the reward service."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gccllm.prompts import Malformed, parse_answer
from gccllm.sandbox.choice import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Verdict, VerdictKind
from trainer.corpus.program_folders import unfold
from trainer.corpus.program_rows import ProgramRow
from trainer.corpus.programs import JudgedProgram
from trainer.judging import Timing, timed
from trainer.ppo.shelf import Shelf
from trainer.ppo.tasks import program_digest
from trainer.ppo.worker import How
from trainer.programs.cores import core_use
from trainer.programs.examining import worth_examining
from trainer.programs.judging import ProgramJudge

__all__ = ["EXAMINE_SECONDS", "ProgramHow", "ProgramJudging", "ProgramTask", "program_tasks"]

ANY_CORE = -1
MOST_USED = 0.1
"""of a core, by others, where it is to be isolated"""
EXAMINE_SECONDS = 30.0


@dataclass(frozen=True)
class ProgramTask:
    """A question: ``prompt`` about ``program``, which has ``tests`` recorded cases.

    ``digest`` names program, recording and compiler.
    """

    program: JudgedProgram
    prompt: str
    digest: str
    tests: int

    @property
    def name(self) -> str:
        """The program's."""
        return self.program.name


def program_tasks(
    rows: Iterable[ProgramRow], folder: Path, prompt: str, tools: Toolchain
) -> list[ProgramTask]:
    """A task a row, its program written into ``folder``; ``prompt`` is "with-o3" or "c-only"."""
    found = []
    for row in rows:
        program = unfold(row, folder)
        shown = row.c_only_question if prompt == "c-only" else row.question
        found.append(ProgramTask(program, shown, program_digest(program, tools), len(row.inputs)))
    return found


@dataclass(frozen=True)
class ProgramHow(How):
    """As :class:`How`, for whole programs, to which ``states`` mean nothing.

    ``isa`` is what answers may use. ``isolated``: refuse to time on a core that others use.
    ``examine``: what is faster climbs the ladder, for as long as in a link of so many seconds
    (0: not).
    """

    states: int = 0
    isa: str = "native"
    isolated: bool = False
    examine: float = EXAMINE_SECONDS

    @property
    def identity(self) -> str:
        """What a verdict depends on."""
        return f"program {self.timing} {self.isa} {self.examine:g}"

    def judging(self, core: int | None) -> ProgramJudging:
        """Who judges on ``core``."""
        return ProgramJudging(self, None if core == ANY_CORE else core)

    def held(self) -> AbstractContextManager[int | None]:
        """A core to time on; who does not time needs none to itself."""
        if self.timing == Timing.NONE.value:
            return nullcontext(ANY_CORE)
        return super().held()


class ProgramJudging:
    """Judges answers to :class:`ProgramTask` on ``core``. A context manager."""

    def __init__(self, how: ProgramHow, core: int | None) -> None:
        self.how = how
        self._core = core
        self._tools = Toolchain()
        self._open: Shelf[ProgramJudge] = Shelf(how.programs)

    def __enter__(self) -> ProgramJudging:
        self._sandbox = choose()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def verdict(self, task: ProgramTask, answer: str) -> Verdict:
        """What the judge says of a model's whole answer."""
        if self.how.isolated and self._core is not None:
            used = core_use(self._core)
            if used > MOST_USED:
                shared = f"core {self._core} is not our own: {used:.0%} of it is used by others"
                return Verdict(VerdictKind.UNJUDGED, shared)
        judge = self._open.get(
            task.digest + task.name,
            lambda: ProgramJudge(
                task.program,
                tools=self._tools,
                sandbox=self._sandbox,
                isa=self.how.isa,
                core=self._core,
            ),
        )
        parsed = parse_answer(answer)
        if isinstance(parsed, Malformed):
            return judge.answer("", parsed.reason).verdict
        judged = judge.answer(parsed)
        try:
            if judged.trial is None:
                return judged.verdict
            timing = Timing(self.how.timing)
            verdict = judged.verdict
            if timing is not Timing.QUICK:
                verdict = timed(judge.judge, judged.trial.admitted, timing)
            if self.how.examine and worth_examining(verdict):
                verdict = judge.examined(judged.trial, verdict, self.how.examine)
            return verdict
        finally:
            # The service remembers verdicts; builds would fill the disk.
            judge.forget(judged)
