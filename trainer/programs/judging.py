"""A whole program, open for judging: candidates in, verdicts out, and what was built of them.

The same judge as everywhere, and the same search decides which of a candidate's functions replace
gcc's (all that can be, else those that can). What is right keeps its build, so that any protocol
can time it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from gccllm.asm.normalise import same_code
from gccllm.assurance.ladder.unchanged import unchanged
from gccllm.errors import GccllmError
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Judge
from gccllm.judge.trusted import instrument, profile
from gccllm.proposers.base import Task
from gccllm.recompile import recompile
from gccllm.sandbox.base import Sandbox
from gccllm.search import Search
from gccllm.search.trial import Trial
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, HotFunction, Isa, Verdict, VerdictKind
from trainer.corpus.programs import JudgedProgram
from trainer.judging import OpenProgram
from trainer.programs.examining import Examiner

__all__ = ["Judged", "ProgramJudge"]


@dataclass(frozen=True)
class Judged:
    """What became of a candidate. ``trial`` is there where it is right and differs; its verdict
    then is not-faster, with the speedup of a glance."""

    verdict: Verdict
    trial: Trial | None = None

    @property
    def admitted(self) -> Admitted | None:
        """What was built of it."""
        return self.trial.admitted if self.trial else None


class ProgramJudge(OpenProgram):
    """Judges candidates for one program of one unit."""

    def __init__(
        self,
        program: JudgedProgram,
        *,
        tools: Toolchain | None = None,
        sandbox: Sandbox | None = None,
        isa: str = "native",
        core: int | None = None,
        seed: int = 0,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        """``isa``: what candidates may use, "native" or "target" (the program's own options). The
        others are those of :class:`trainer.judging.OpenProgram`."""
        super().__init__(
            program, tools=tools, sandbox=sandbox, core=core, seed=seed, expired=expired
        )
        self._mode = isa
        self._known: dict[str, Judged] = {}
        self._examiners: dict[float, Examiner] = {}

    @property
    def judge(self) -> Judge:
        """Whoever times and builds. Only where there is no ``fault``."""
        return self._judge

    @property
    def isa(self) -> Isa:
        """What candidates may use."""
        return self._isa

    @property
    def baseline(self) -> str:
        """gcc's assembly of the program."""
        return self._judge.program.units[self.program.name].assembly

    @property
    def tests(self) -> int:
        """Recorded cases; 0 where there is a fault."""
        return 0 if self.fault else len(self._judge.arena.recording.cases)

    def try_candidate(self, candidate: Candidate) -> Judged:
        """What the judge says, short of confirming; equal candidates are judged once."""
        if self.fault is not None:
            return Judged(self.fault)
        key = repr((candidate.functions, candidate.malformed, candidate.foreign, candidate.text))
        if key not in self._known:
            self._known[key] = self._try(candidate)
        return self._known[key]

    def answer(self, text: str, malformed: str = "") -> Judged:
        """As :meth:`try_candidate`, for a model's assembly of the whole program; but where a
        function that it changes is refused, all of it is, and not what it says of others judged."""
        candidate = Candidate("answer", self.program.name, (), text, malformed=malformed)
        judged = self.try_candidate(candidate)
        refused = self._left_out(candidate, judged.trial) if judged.trial else None
        if refused is None:
            return judged
        self.forget(judged)
        return Judged(refused)

    def forget(self, judged: Judged) -> None:
        """Remove what was built of a candidate; asked about again, it is judged again."""
        if judged.admitted is not None:
            judged.admitted.build.executable.unlink(missing_ok=True)
            self._known = {k: x for k, x in self._known.items() if x is not judged}
            self._search = self._new_search()

    def examined(self, trial: Trial, verdict: Verdict, seconds: float) -> Verdict:
        """The clock's ``verdict`` on something right, or what the ladder says of it instead; see
        :class:`trainer.programs.examining.Examiner` for ``seconds``."""
        if seconds not in self._examiners:
            scratch = self._opened.scratch / f"ladder-{len(self._examiners)}"
            scratch.mkdir()
            _, spec = recompile(self._judge.program, self.program.name, scratch, lambda line: None)
            specs = {self.program.name: spec} if spec else {}
            self._examiners[seconds] = Examiner.over(self._judge, specs, scratch, seconds)
        return self._examiners[seconds].examined(trial, verdict)

    def task(self, samples: int, deadline: float = math.inf, *, only_hot: bool = False) -> Task:
        """What a proposer is asked. ``deadline`` is of time.monotonic(). ``only_hot`` profiles the
        program first, for proposers that go function by function."""
        scratch = self._opened.scratch / f"propose-{time.monotonic_ns()}"
        scratch.mkdir()
        unit = self.program.name
        source, spec = recompile(self._judge.program, unit, scratch, lambda line: None)
        functions = self._functions
        if only_hot:
            shares, _ = profile(self._judge.arena, self._judge.baseline)
            names = {x.name for x in functions}
            functions = tuple(x for x in shares if x.name in names) or functions
        return Task(
            unit=unit,
            baseline=self.baseline,
            functions=functions,
            isa=self._isa,
            scratch=scratch,
            deadline=deadline,
            source=source,
            compile=spec,
            instrument=instrument(self._judge.arena, unit),
            samples=samples,
        )

    def _open(self, stack: ExitStack) -> None:
        self._isa = self._tools.isa(self._mode, self.program.options)
        self._opened = self._judged(stack, {self.program.name: self._isa})
        self._judge = self._opened.judge
        if self.fault is not None:
            return
        names = [x for x in self._judge.functions(self.program.name) if not x.endswith(".cold")]
        self._functions = tuple(HotFunction(x, 1 / len(names)) for x in names)
        self._search = self._new_search()

    def _left_out(self, candidate: Candidate, trial: Trial) -> Verdict | None:
        """The refusal of a function that the search then did without."""
        donor = self._judge.screen(candidate)
        if isinstance(donor, Verdict):
            return donor
        base = self._judge.base(candidate.unit)
        taken = [name for _, name in trial.functions]
        for name in (x.name for x in self._functions):
            if name in taken or name not in donor.unit.functions:
                continue
            if unchanged(base, donor.unit, name):
                continue
            done = self._judge.splice(trial.admitted.texts, donor, [name])
            if isinstance(done, Verdict) and done.kind is not VerdictKind.UNCHANGED:
                return done
        return None

    def _new_search(self) -> Search:
        """One that has tried nothing: it remembers what it saw, but not what was built of it."""
        hot = {self.program.name: self._functions}
        return Search(self._judge, hot, math.inf, lambda seen: None)

    def _try(self, candidate: Candidate) -> Judged:
        if candidate.text and same_code(candidate.text, self.baseline):
            # Spliced, a copy has labels and constants of its own, and would be taken for news.
            return Judged(Verdict(VerdictKind.UNCHANGED, "gcc's own code again"))
        try:
            verdict, trial = self._tried(candidate)
            if verdict.kind is VerdictKind.NOT_FASTER and trial is None:
                # The same code in other words: a new search builds it for this one, too.
                self._search = self._new_search()
                verdict, trial = self._tried(candidate)
        except (GccllmError, OSError) as error:
            reason = getattr(error, "reason", "io-error")
            return Judged(Verdict(VerdictKind.UNJUDGED, str(error), {"reason": reason}))
        return Judged(verdict, trial)

    def _tried(self, candidate: Candidate) -> tuple[Verdict, Trial | None]:
        before = len(self._search.trials)
        verdict = self._search.try_candidate(candidate)
        new = self._search.trials[before:]
        if not new:
            return verdict, None
        return replace(verdict, detail=f"right; {verdict.detail}"), new[-1]
