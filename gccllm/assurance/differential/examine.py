"""One function of a program beside its candidate: from types and real calls to an Examination."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.unit import Unit, parse
from gccllm.assurance.differential.dwarf import Types
from gccllm.assurance.differential.entering import Entered, counting
from gccllm.assurance.differential.layout import Signature, Unsupported
from gccllm.assurance.differential.reach import led_away, replacements
from gccllm.assurance.differential.recording import Call, Global, record
from gccllm.assurance.differential.showing import shown
from gccllm.assurance.differential.source import checked_unit, types_of, uninlined_unit
from gccllm.assurance.differential.subject import Frame, Subject, frame_of, make_subject
from gccllm.assurance.differential.versions import Base, Versions, base_of, combine, link
from gccllm.assurance.differential.wire import Counts, Question, counts, difference
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.program import Program
from gccllm.proposers.base import CompileSpec
from gccllm.sandbox.base import RunInput, RunLimits, RunResult, Sandbox, Trial
from gccllm.types import Json

__all__ = ["Differential", "differential"]

SPARE_SECONDS = 60.0
SETTLE_SECONDS = 4.0
"""at most, for getting captured calls ready"""
MOST_PAIRS = 1_000_000
FEWEST_PAIRS = 1000
"""on inputs like those observed; less is not an examination"""


@dataclass(frozen=True)
class _Request:
    """The arguments of one examination."""

    unit: str
    function: str
    candidate: str
    spec: CompileSpec | None
    foreign: bool
    seconds: float
    pairs: int
    seed: int


class Differential:
    """Examines functions of one program. Types, calls and states are found out once a function."""

    def __init__(
        self, program: Program, cases: Sequence[RunInput], sandbox: Sandbox, scratch: Path
    ) -> None:
        """``cases``: the recordings' inputs; ``scratch``: an existing folder to build in."""
        self._program = program
        self._cases = cases
        self._sandbox = sandbox
        self._scratch = scratch
        self._units: dict[str, Unit] = {
            name: parse(frame.assembly) for name, frame in program.units.items()
        }
        self._names: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        """the units as the harness has them"""
        self._types: dict[str, Types] = {}
        self._checked: dict[str, Unit | None] = {}
        self._uninlined: dict[str, Unit | None] = {}
        self._bases: dict[tuple[str, str], Base] = {}
        self._calls: dict[tuple[str, str, tuple[Global, ...]], list[Call]] = {}
        self._subjects: dict[tuple[str, str, tuple[Global, ...]], Subject] = {}
        self._passed: dict[tuple[str, str, str], tuple[Subject, Versions]] = {}

    def examine(
        self,
        unit: str,
        function: str,
        candidate: str,
        *,
        spec: CompileSpec | None = None,
        foreign: bool = False,
        seconds: float = 10.0,
        pairs: int = MOST_PAIRS,
        seed: int = 0,
    ) -> Examination:
        """``candidate``: assembly that defines ``function`` (a whole unit, or the function and what
        it needs), which must have passed the text gate. ``spec``: how to compile the source again,
        for types and for what C leaves undefined; without it the unit has to have been compiled
        with -g. ``foreign`` as for splicing. At most ``seconds`` of CPU time and ``pairs`` of
        calls; ``seed`` repeats them.

        REFUTED: an input was observed, or lies within what was, on which the two differ. UNKNOWN:
        not supported (evidence ``applicable`` is then False), or they differ outside of that only.
        Raises SandboxError, ToolchainError.
        """
        started = time.monotonic()
        request = _Request(unit, function, candidate, spec, foreign, seconds, pairs, seed)
        try:
            made = self._examine(request)
        except Unsupported as error:
            made = _unknown(str(error), {"applicable": False})
        return replace(made, seconds=time.monotonic() - started)

    def signature(self, unit: str, function: str, spec: CompileSpec | None) -> Signature:
        """What the function takes and returns. Raises Unsupported."""
        if unit not in self._types:
            self._types[unit] = types_of(self._program, unit, spec, self._scratch)
        return self._types[unit].signature(function)

    def entered(
        self, unit: str, function: str, candidate: str, *, seconds: float, seed: int = 0
    ) -> Entered | None:
        """Which basic blocks of both versions the calls of :meth:`examine` enter, for a candidate
        that it passed; the same calls again, as many as ``seconds`` of CPU time allow, on versions
        that count. None where that can't be done. Raises SandboxError, ToolchainError,
        Unsupported."""
        known = self._passed.get((unit, function, candidate))
        if known is None:
            return None
        subject, versions = known
        counted = counting(self._program.toolchain, versions, function, self._scratch)
        if counted is None:
            return None
        symbols = [x.symbol for x in subject.frame.variables]
        texts = replace(versions, text=counted.made.text)
        harness = self._linked(unit, texts, symbols, [counted.counters])
        question = subject.question(
            len(versions.names), versions.constants, seed=seed, pairs=MOST_PAIRS, seconds=seconds
        )
        with self._sandbox.open(
            {"harness": harness}, [RunInput()], limits=_limits(question)
        ) as session:
            (done,) = session.run_many("harness", [Trial(question.encode())], notes=True)
        sound = counts(done.stdout) is not None and difference(done.stdout) is None
        return counted.entered(done.notes) if sound else None

    def _examine(self, request: _Request) -> Examination:
        unit, function = request.unit, request.function
        own = self._units[unit].functions.get(function)
        if own is None or own.obstacles:
            why = ", ".join(own.obstacles) if own is not None else "it is not there"
            raise Unsupported(f"{function} can't be called apart: {why}")
        self.signature(unit, function, request.spec)
        if unit not in self._checked:
            self._checked[unit] = checked_unit(self._program, request.spec, self._scratch)
        if (unit, function) not in self._bases:
            self._bases[unit, function] = base_of(self._units[unit], function, self._checked[unit])
        versions = combine(
            self._units,
            unit,
            self._bases[unit, function],
            parse(request.candidate),
            foreign=request.foreign,
        )
        frame = frame_of(self._types[unit], function, sorted(versions.data.items()))
        key = (unit, function, frame.variables)
        if key not in self._calls:
            self._calls[key] = self._record(request, frame)
        symbols = [x.symbol for x in frame.variables]
        harness = self._linked(unit, versions, symbols)
        if key not in self._subjects:
            self._subjects[key] = make_subject(
                frame,
                self._calls[key],
                lambda question: self._run(harness, question).stdout,
                len(versions.names),
                min(SETTLE_SECONDS, request.seconds),
            )
        done = self._test(self._subjects[key], harness, versions, request)
        if done.standing is Standing.PASSED:
            self._passed[unit, function, request.candidate] = (self._subjects[key], versions)
        return done

    def _linked(
        self, unit: str, versions: Versions, symbols: Sequence[str], extra: Sequence[Path] = ()
    ) -> Path:
        if not self._names:
            self._names = replacements(self._units)
            self._texts = {x: led_away(y.lines, self._names) for x, y in self._units.items()}
        others = {x: y for x, y in self._texts.items() if x != unit}
        return link(
            self._program, unit, versions, others, self._names, symbols, self._scratch, extra
        )

    def _record(self, request: _Request, frame: Frame) -> list[Call]:
        """Its calls; where gcc inlined them all, those of a build that inlines nothing."""
        calls = self._recorded(request, self._units[request.unit], frame)
        if calls:
            return calls
        if request.unit not in self._uninlined:
            made = uninlined_unit(self._program, request.spec, self._scratch)
            self._uninlined[request.unit] = made
        unit = self._uninlined[request.unit]
        if unit is None or request.function not in unit.functions:
            return []
        if not all(unit.defines(x.symbol) for x in frame.variables):
            return []
        return self._recorded(request, unit, frame)

    def _recorded(self, request: _Request, unit: Unit, frame: Frame) -> list[Call]:
        return record(
            self._program,
            unit,
            request.unit,
            request.function,
            frame.layouts,
            frame.variables,
            self._cases,
            self._sandbox,
            self._scratch,
        )

    def _test(
        self, subject: Subject, harness: Path, versions: Versions, request: _Request
    ) -> Examination:
        question = subject.question(
            len(versions.names),
            versions.constants,
            seed=request.seed,
            pairs=request.pairs,
            seconds=request.seconds,
        )
        done = self._run(harness, question)
        found = difference(done.stdout)
        done_counts = counts(done.stdout)
        evidence = _evidence(subject, versions, done_counts)
        symbols = [x.symbol for x in subject.frame.variables]
        text = ""
        if found is not None:
            text = shown(found, subject.frame.signature, subject.frame.layouts, symbols)
            evidence["counterexample"] = text
            evidence["where"] = found.where
        if found is not None and found.where == "within":
            return Examination(Assurance.DIFFERENTIAL, Standing.REFUTED, text, evidence)
        if done_counts is None:
            return _unknown(f"the harness did not come to its end: {done.ending.value}", evidence)
        if found is not None:
            why = "reads more than gcc's" if found.where == "reach" else "differs"
            return _unknown(f"{why} outside observed inputs: {text}", evidence)
        observed = done_counts.pairs - done_counts.outside
        if observed < min(FEWEST_PAIRS, request.pairs // 2):
            return _unknown(f"only {observed} inputs like the observed ones ran", evidence)
        detail = (
            f"equal on {done_counts.pairs} inputs, {len(subject.states)} of them captured and"
            f" {done_counts.outside} outside of what was observed: {subject.frame.signature}"
        )
        return Examination(Assurance.DIFFERENTIAL, Standing.PASSED, detail, evidence)

    def _run(self, harness: Path, question: Question) -> RunResult:
        given = self._scratch / "question"
        given.write_bytes(question.encode())
        limits = _limits(question)
        with self._sandbox.open({"harness": harness}, [RunInput(stdin=given)], limits=limits) as it:
            return it.run("harness", 0, collect_files=False)


def _limits(question: Question) -> RunLimits:
    return RunLimits(
        wall_seconds=6 * question.seconds + SPARE_SECONDS,
        cpu_seconds=int(question.seconds) + 30,
        output_bytes=32 << 20,
    )


def _unknown(why: str, evidence: dict[str, Json] | None = None) -> Examination:
    return Examination(Assurance.DIFFERENTIAL, Standing.UNKNOWN, why, evidence or {})


def _evidence(subject: Subject, versions: Versions, found: Counts | None) -> dict[str, Json]:
    made: dict[str, Json] = {
        "types": str(subject.frame.signature),
        "calls": subject.captured,
        "captured": len(subject.states),
        "globals": [x.symbol for x in subject.frame.variables],
        "lengths": len(subject.relations),
        "constants": len(versions.constants),
        "undefined_known": len(versions.names) > 2,
    }
    if found is not None:
        made["pairs"] = found.pairs
        made["kinds"] = {
            "captured": found.captured,
            "mutated": found.pairs - found.captured - found.outside,
            "outside": found.outside,
        }
        made["skipped"] = found.skipped
        made["ended"] = found.ended
        made["differing_overlapping"] = found.overlapping
        made["undefined"] = found.undefined
        made["unstable"] = found.unstable
        made["differing_outside"] = found.differing_outside
        made["cpu_seconds"] = round(found.cpu_seconds, 3)
    return made


def differential(
    program: Program,
    unit: str,
    function: str,
    candidate: str,
    cases: Sequence[RunInput],
    *,
    sandbox: Sandbox,
    scratch: Path,
    spec: CompileSpec | None = None,
    foreign: bool = False,
    seconds: float = 10.0,
    pairs: int = MOST_PAIRS,
    seed: int = 0,
) -> Examination:
    """One examination; :class:`Differential` is for several functions or candidates of a program.

    Arguments and errors as for :meth:`Differential.examine`.
    """
    return Differential(program, cases, sandbox, scratch).examine(
        unit,
        function,
        candidate,
        spec=spec,
        foreign=foreign,
        seconds=seconds,
        pairs=pairs,
        seed=seed,
    )
