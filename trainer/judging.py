"""Judge answers to region prompts on a real program: the judge of gcc-llm, opened once.

    answer ─▶ lines of the region ─▶ donor ─▶ screen ─▶ splice ─▶ admit (all recordings) ─▶ time

A :class:`RegionJudge` builds a program of :mod:`trainer.corpus.programs`, checks its baseline, and
then judges any number of answers; sessions of the sandbox stay open in between. Whatever is wrong
with an answer is a verdict, and so is whatever is wrong with us (unjudged).
"""

from __future__ import annotations

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from gccllm.asm.unit import parse
from gccllm.errors import GccllmError
from gccllm.harness.compare import Harness
from gccllm.harness.comparison import Comparison
from gccllm.judge.baseline import Admitted
from gccllm.judge.clock import Clock
from gccllm.judge.judge import Judge
from gccllm.judge.timing import Rule
from gccllm.judge.trusted import profile
from gccllm.program import Program
from gccllm.recordings import load
from gccllm.sandbox.base import Sandbox
from gccllm.sandbox.choice import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, Isa, Verdict, VerdictKind
from trainer.corpus.programs import JudgedProgram
from trainer.differential import Differential, JudgedRegion, regions_of
from trainer.linked import link_program
from trainer.warm_sandbox import WarmSandbox

__all__ = [
    "JudgedRegion",
    "OpenProgram",
    "Opened",
    "RegionJudge",
    "StageTimes",
    "Timing",
    "is_faster",
    "open_judge",
    "timed",
]

LEAST_RATIO = 1.05
QUICK_PAIRS = 5
QUICK_RULE = Rule(warmups=1)


class Timing(str, Enum):
    """How long to look at a right answer's speed."""

    NONE = "none"
    QUICK = "quick"
    """a few pairs: a speedup with its interval, never "accepted" """
    FULL = "full"
    """the product's rule of acceptance"""


@dataclass
class StageTimes:
    """What judging cost: stage → seconds of wall time, and how often it was entered."""

    seconds: dict[str, float] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count what happens inside to ``stage``."""
        started = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - started
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
            self.entered[stage] = self.entered.get(stage, 0) + 1

    def milliseconds(self) -> dict[str, float]:
        """Stage → mean of one pass through it."""
        return {x: 1000 * self.seconds[x] / self.entered[x] for x in self.seconds}


def is_faster(verdict: Verdict) -> bool:
    """Accepted, or by quick timing at least 1.05 times as fast with all of the interval above 1."""
    if verdict.accepted:
        return True
    measured = verdict.speedup
    quick = verdict.evidence.get("timing") == Timing.QUICK.value
    return quick and measured is not None and measured.ratio >= LEAST_RATIO and measured.low > 1.0


@dataclass(frozen=True)
class Opened:
    """A program that was built and its judge; ``fault`` is why nothing can be judged here."""

    judge: Judge
    linked: Program
    scratch: Path
    fault: Verdict | None


def open_judge(
    stack: ExitStack,
    program: JudgedProgram,
    isas: Mapping[str, Isa],
    *,
    tools: Toolchain,
    sandbox: Sandbox | None = None,
    core: int | None = None,
    seed: int = 0,
    expired: Callable[[], bool] = lambda: False,
) -> Opened:
    """Build ``program`` in a folder that lives as long as ``stack``, and judge its baseline.

    Sessions of the sandbox stay open in between judgements. Raises GccllmError or OSError where it
    can't be built or run.
    """
    folder = tempfile.TemporaryDirectory(prefix="gccllm-judging-")
    scratch = Path(stack.enter_context(folder))
    linked = link_program(tools, program, scratch)
    judge = Judge(
        linked,
        load(program.tests),
        stack.enter_context(WarmSandbox(sandbox or choose())),
        isas,
        scratch=scratch,
        core=core,
        seed=seed,
        expired=expired,
    )
    return Opened(judge, linked, scratch, judge.check_baseline(linked.output))


def timed(judge: Judge, admitted: Admitted, timing: Timing) -> Verdict:
    """What the clock says of a right candidate, looking as long as ``timing`` wants."""
    if timing is Timing.NONE:
        right = "right on every recording, not timed"
        return Verdict(VerdictKind.NOT_FASTER, right, tests_run=admitted.tests_run)
    if timing is Timing.FULL:
        return judge.clock.confirm(admitted)[0]
    clock = Clock(judge.arena, judge.baseline, QUICK_RULE, judge.rng)
    verdict = clock.glance(admitted, QUICK_PAIRS)
    return replace(verdict, evidence={**verdict.evidence, "timing": timing.value})


_Self = TypeVar("_Self", bound="OpenProgram")


class OpenProgram(ABC):
    """One program, open for judging as long as the context lasts; not for several threads.

    ``fault`` is why nothing can be judged here (gcc's own program fails its recording, say), None
    when all is well; it then is the verdict on every answer.
    """

    def __init__(
        self,
        program: JudgedProgram,
        *,
        tools: Toolchain | None = None,
        sandbox: Sandbox | None = None,
        core: int | None = None,
        seed: int = 0,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        """``core``: where runs are pinned to. ``seed`` orders timed pairs. ``expired`` true ends
        timing early."""
        self.program = program
        self.fault: Verdict | None = None
        self._tools = tools or Toolchain()
        self._sandbox = sandbox
        self._core = core
        self._seed = seed
        self._expired = expired
        self._stack = ExitStack()

    def __enter__(self: _Self) -> _Self:
        with ExitStack() as stack:
            try:
                self._open(stack)
            except (GccllmError, OSError) as error:
                self.fault = Verdict(VerdictKind.UNJUDGED, str(error), {"reason": "not-built"})
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @abstractmethod
    def _open(self, stack: ExitStack) -> None:
        """Open what lives as long as ``stack``. May raise GccllmError and OSError."""

    def _judged(self, stack: ExitStack, isas: Mapping[str, Isa]) -> Opened:
        """The program built and its baseline judged; sets ``fault``."""
        opened = open_judge(
            stack,
            self.program,
            isas,
            tools=self._tools,
            sandbox=self._sandbox,
            core=self._core,
            seed=self._seed,
            expired=self._expired,
        )
        self.fault = opened.fault
        return opened


class RegionJudge(OpenProgram):
    """Judges answers for the regions of a program. ``regions`` is empty where there is a ``fault``;
    ``times`` tells what each stage cost.
    """

    def __init__(
        self,
        program: JudgedProgram,
        *,
        tools: Toolchain | None = None,
        sandbox: Sandbox | None = None,
        harness: Harness | None = None,
        core: int | None = None,
        seed: int = 0,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        """``harness`` is one that is open already, for :meth:`differential`; else one is opened
        when it is first needed. The others are those of :class:`OpenProgram`."""
        super().__init__(
            program, tools=tools, sandbox=sandbox, core=core, seed=seed, expired=expired
        )
        self.times = StageTimes()
        self.regions: tuple[JudgedRegion, ...] = ()
        self._differential = Differential(self._tools, harness)
        self._isas: dict[str, Isa] = {}
        self._levels: dict[str, Isa] = {}
        self._judge: Judge | None = None

    @property
    def tests(self) -> int:
        """Recorded cases."""
        return len(self._judge.arena.recording.cases) if self._judge else 0

    def judge(
        self, region: JudgedRegion, answer: str, level: str, timing: Timing = Timing.QUICK
    ) -> Verdict:
        """What the judge says of the program with ``answer`` in the region's place.

        ``answer`` is ``keep`` or new lines in canonical form, which may use the instructions of
        ``level`` ("x86-64-v3"). Without timing a right answer's verdict is not-faster, with no
        speedup.
        """
        if self.fault is not None:
            return self.fault
        started = time.monotonic()
        try:
            self._isas[self.program.name] = self._isa(level)
            verdict = self._verdict(region, answer, timing)
        except (GccllmError, OSError) as error:
            reason = getattr(error, "reason", "io-error")
            verdict = Verdict(VerdictKind.UNJUDGED, str(error), {"reason": reason})
        return replace(verdict, seconds=time.monotonic() - started)

    def differential(
        self, region: JudgedRegion, answers: Sequence[str], states: int = 2000, seed: int = 0
    ) -> list[Comparison]:
        """See :meth:`trainer.differential.Differential.compare`."""
        with self.times.of("differential"):
            return self._differential.compare(region, answers, states, seed)

    def hot_functions(self) -> tuple[str, ...]:
        """The program's own functions by their share of its time, the greatest first."""
        if self._judge is None:
            return ()
        shares, _ = profile(self._judge.arena, self._judge.baseline)
        known = {x.function for x in self.regions}
        return tuple(x.name for x in shares if x.name in known)

    def assembles(self, region: JudgedRegion, answer: str) -> bool:
        """See :meth:`trainer.differential.Differential.assembles`."""
        return self._differential.assembles(region, answer, self._scratch / "assembled.o")

    def _open(self, stack: ExitStack) -> None:
        with self.times.of("open"):
            stack.enter_context(self._differential)
            opened = self._judged(stack, self._isas)
            self._scratch = opened.scratch
            if self.fault is not None:
                return
            self._judge = opened.judge
            unit = parse(opened.linked.units[self.program.name].assembly)
            names = self.program.functions or tuple(unit.functions)
            self.regions = regions_of(self._tools, unit, names, self._scratch / "layout.o")

    def _verdict(self, region: JudgedRegion, answer: str, timing: Timing) -> Verdict:
        assert self._judge is not None
        with self.times.of("parse"):
            if region.leaves(answer):
                return Verdict(VerdictKind.UNCHANGED, "the region is left as gcc made it")
            try:
                text = region.rewritten(answer)
            except ValueError as error:
                return Verdict(VerdictKind.MALFORMED, str(error))
        candidate = Candidate("answer", self.program.name, (region.function,), text)
        with self.times.of("screen"):
            donor = self._judge.screen(candidate)
        if isinstance(donor, Verdict):
            return donor
        with self.times.of("splice"):
            texts = self._judge.splice({}, donor, [region.function])
        if isinstance(texts, Verdict):
            return texts
        with self.times.of("admit"):
            admitted = self._judge.admit(texts)
        if isinstance(admitted, Verdict):
            return admitted
        try:
            with self.times.of(f"time-{timing.value}"):
                return timed(self._judge, admitted, timing)
        finally:
            admitted.build.executable.unlink(missing_ok=True)

    def _isa(self, level: str) -> Isa:
        if level not in self._levels:
            self._levels[level] = self._tools.isa("target", (f"-march={level}",))
        return self._levels[level]
