"""The judge: candidate in, verdict out. One judge serves the driver, the trainer and evaluation.

    screen (text gate) → splice → screen (object gate) → build → run every recording → time

The baseline is judged first; only one that passes its own recordings earns candidates. Whatever
is expected to go wrong with a candidate is a verdict; exceptions are our own faults.
"""

from __future__ import annotations

import hashlib
import random
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.asm.normalise import same_code
from gccllm.asm.rules import check as check_rules
from gccllm.asm.splice import Refusal, Spliced, splice
from gccllm.asm.unit import Unit, parse
from gccllm.judge.running import CaseTimes, compare, run_all
from gccllm.judge.screen import Finding, check_executable, check_object, check_text, imports_of
from gccllm.judge.statistics import speedup
from gccllm.judge.timing import Decision, Pairs, Rule, RunFailed, TimedCase, decide, measure
from gccllm.profile import hot_functions, profiled_build
from gccllm.program import Build, BuildStep, Program
from gccllm.proposers.base import Instrument
from gccllm.recordings import Case, Recording
from gccllm.sandbox.base import RunLimits, RunResult, Sandbox, Session
from gccllm.types import Candidate, HotFunction, Isa, Json, Verdict, VerdictKind

__all__ = ["Admitted", "Baseline", "Donor", "Judge"]

SUSPICIOUS_RATIO = 50.0
NOP_SHIFTS = (16, 32, 48)
SHIFT_PAIRS = 5
SHORT_SECONDS = 0.02
MOST_REPEATS = 10
MOST_TIMED_CASES = 3


@dataclass(frozen=True)
class Baseline:
    """gcc's own program, which passed. ``cases`` carry what it was seen to do where the recording
    says nothing (stderr, written files). Times are user+sys seconds of one run a case."""

    build: Build
    cases: tuple[Case, ...]
    times: CaseTimes
    timed: tuple[TimedCase, ...]

    @property
    def seconds(self) -> float:
        """User+sys of one pass over the timed cases."""
        return sum(self.times.cpu[x.index] for x in self.timed)


@dataclass(frozen=True)
class Donor:
    """A candidate whose text passed the text gate, parsed."""

    candidate: Candidate
    unit: Unit
    tag: str


@dataclass(frozen=True)
class Admitted:
    """A combination that was screened, built, and right on every recording."""

    texts: Mapping[str, str]
    build: Build
    tests_run: int


class Judge:
    """Judges candidates for one program. Use ``check_baseline`` first."""

    def __init__(
        self,
        program: Program,
        recording: Recording,
        sandbox: Sandbox,
        isas: Mapping[str, Isa],
        *,
        scratch: Path,
        rule: Rule | None = None,
        core: int | None = None,
        seed: int = 0,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        """``isas`` by unit: what its code may use; ``seed`` orders the pairs.

        ``expired`` true ends timing early, with not-faster.
        """
        self.program = program
        self.recording = recording
        self.sandbox = sandbox
        self.isas = isas
        self.scratch = scratch
        self.rule = rule or Rule()
        self.core = core
        self.rng = random.Random(seed)
        self.expired = expired
        self.baseline: Baseline | None = None
        self._parsed: dict[str, Unit] = {}
        self._imports: frozenset[str] = frozenset()
        self._builds = 0

    def check_baseline(self, shipped: Path) -> Verdict | None:
        """Build the baseline again, compare it with ``shipped`` (gcc's output), run it twice.

        None when all is well; else a verdict that says why nothing can be concluded here.
        """
        built = self.program.build({}, self.scratch / "baseline")
        if isinstance(built, BuildStep):
            return Verdict(VerdictKind.UNJUDGED, f"baseline: {built.stage}: {built.detail}")
        if built.executable.read_bytes() != shipped.read_bytes():
            detail = "the program can't be rebuilt byte for byte from the assembly it carries"
            return Verdict(VerdictKind.UNJUDGED, detail, {"reason": "unreproducible"})
        limits = RunLimits()
        with self._session({"baseline": built.executable}, limits) as session:
            seen = [session.run("baseline", x) for x in range(len(self.recording.cases))]
            cases: list[Case] = []
            for case, result in zip(self.recording.cases, seen, strict=True):
                observed = _with_observed(case, result)
                failed = compare(observed, result)
                if failed is not None:
                    return self._baseline_fails(case, failed)
                cases.append(observed)
            failed, times = run_all(session, "baseline", cases)
            if failed is not None:
                detail = f"the baseline behaves differently from run to run: {failed.detail}"
                return replace(failed, kind=VerdictKind.UNJUDGED, detail=detail)
        self._imports = imports_of(built.executable)
        self.baseline = Baseline(built, tuple(cases), times, _timed_cases(times.cpu))
        return None

    def functions(self, unit: str) -> tuple[str, ...]:
        """The functions of a unit's baseline, in its order."""
        return tuple(self._base(unit).functions)

    def screen(self, candidate: Candidate) -> Donor | Verdict:
        """The text gate on the raw text, before anything else reads it."""
        if candidate.malformed:
            return Verdict(VerdictKind.MALFORMED, candidate.malformed)
        frame = self.program.units.get(candidate.unit)
        if frame is None:
            return Verdict(VerdictKind.MALFORMED, f"there is no unit '{candidate.unit}'")
        findings = check_text(candidate.text, frame.assembly)
        if findings:
            return _screened("text", findings)
        unit = parse(candidate.text)
        if not any(name in unit.functions for name in self._base(candidate.unit).functions):
            return Verdict(VerdictKind.MALFORMED, "it defines no function of the unit")
        tag = hashlib.sha256(candidate.text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return Donor(candidate, unit, tag)

    def splice(
        self, texts: Mapping[str, str], donor: Donor, names: Sequence[str]
    ) -> dict[str, str] | Verdict:
        """``texts`` (units that already differ from the baseline) with ``names`` from the donor."""
        name = donor.candidate.unit
        base = parse(texts[name]) if name in texts else self._base(name)
        done = splice(base, donor.unit, names, tag=donor.tag, foreign=donor.candidate.foreign)
        if isinstance(done, Refusal):
            return _refused(done)
        if same_code(done.text, base.text):
            return Verdict(VerdictKind.UNCHANGED, "the same code as the baseline's")
        refusals = self._against_the_rules(base, donor, done)
        if isinstance(refusals, BuildStep):
            return Verdict(VerdictKind.NOT_ASSEMBLED, refusals.detail, {"stage": refusals.stage})
        return _refused(refusals[0]) if refusals else {**texts, name: done.text}

    def _against_the_rules(
        self, base: Unit, donor: Donor, done: Spliced
    ) -> list[Refusal] | BuildStep:
        """What gcc's own assumptions about the replaced functions say to a splice."""
        name = donor.candidate.unit
        before = self.program.assemble(name, base.text)
        after = self.program.assemble(name, done.text)
        for made in (before, after):
            if isinstance(made, BuildStep):
                return made
        own: ObjectCode | None = None
        if done.assumed:
            made = self.program.assemble(name, donor.candidate.text)
            own = None if isinstance(made, BuildStep) else functions_of(made)
        assert isinstance(before, Path)
        assert isinstance(after, Path)
        red_zone = "-mno-red-zone" not in self.program.units[name].options
        return check_rules(
            functions_of(before), functions_of(after), done, donor=own, red_zone=red_zone
        )

    def admit(self, texts: Mapping[str, str]) -> Admitted | Verdict:
        """Screen the objects, build, check the executable, run every recording once."""
        baseline = self._need_baseline()
        for name, text in texts.items():
            made = self.program.assemble(name, text)
            if isinstance(made, BuildStep):
                return Verdict(VerdictKind.NOT_ASSEMBLED, made.detail, {"stage": made.stage})
            findings = check_object(
                made, baseline.build.objects[name], self.isas[name], program_imports=self._imports
            )
            if findings:
                return _screened("object", findings)
        self._builds += 1
        built = self.program.build(texts, self.scratch / f"candidate-{self._builds}")
        if isinstance(built, BuildStep):
            return Verdict(VerdictKind.NOT_LINKED, built.detail, {"stage": built.stage})
        findings = check_executable(built.executable, baseline.build.executable)
        if findings:
            return _screened("executable", findings)
        with self._session({"candidate": built.executable}, self._limits()) as session:
            failed, times = run_all(session, "candidate", baseline.cases)
        if failed is not None:
            return replace(failed, tests_run=len(times.cpu) + 1)
        return Admitted(dict(texts), built, len(baseline.cases))

    def glance(self, admitted: Admitted, pairs: int = 5) -> Verdict:
        """A few pairs, enough to rank candidates; never a reason to accept."""
        try:
            with self._pair_session(admitted.build.executable) as session:
                done, _ = self._measure(session, most_pairs=pairs)
        except RunFailed as error:
            return self._failed_run(error)
        return _not_faster(done, "at a glance, not chosen", admitted.tests_run)

    def confirm(self, admitted: Admitted) -> tuple[Verdict, Pairs]:
        """The rule of acceptance on fresh runs, then again, then under shifted code.

        The speedup of an accepted verdict comes from the second, fresh measurement with its
        control: the first one chose, and a choice flatters (winner's curse).
        """
        started = time.monotonic()
        try:
            verdict, pairs = self._confirm(admitted)
        except RunFailed as error:
            verdict, pairs = self._failed_run(error), Pairs()
        return replace(verdict, seconds=time.monotonic() - started), pairs

    def instrument(self, unit: str) -> Instrument:
        """See :data:`gccllm.proposers.base.Instrument`: our own compiler's build of the user's
        own code, run in the sandbox for the files that it leaves (profiles)."""

        def run(assembly: str, link_options: Sequence[str]) -> Mapping[str, bytes]:
            self._builds += 1
            out = self.scratch / f"instrumented-{self._builds}"
            built = self.program.build({unit: assembly}, out, extra=link_options)
            if isinstance(built, BuildStep):
                return {}
            files: dict[str, bytes] = {}
            with self._session({"instrumented": built.executable}, RunLimits()) as session:
                for index in range(len(self.recording.cases)):
                    done = session.run("instrumented", index)
                    files.update({f"{index}/{name}": x for name, x in done.files.items()})
            return files

        return run

    def profile(self) -> tuple[list[HotFunction], int]:
        """Hot functions of the baseline and the number of samples behind that."""
        baseline = self._need_baseline()
        built = profiled_build(self.program, self.scratch / "profiled")
        if isinstance(built, BuildStep):
            return [], 0
        with self._session({"profiled": built}, RunLimits()) as session:
            return hot_functions(
                built,
                lambda case: session.profile("profiled", case)[1],
                [x.index for x in baseline.timed],
            )

    def _confirm(self, admitted: Admitted) -> tuple[Verdict, Pairs]:
        baseline = self._need_baseline()
        with self._pair_session(admitted.build.executable) as session:
            first, decision = self._measure(session)
        if decision is not Decision.FASTER:
            return _not_faster(first, "by the rule", admitted.tests_run), first
        copy = self.scratch / "control"
        if not copy.exists():
            shutil.copy2(baseline.build.executable, copy)
        with self._pair_session(admitted.build.executable) as session:
            session.add_program("control", copy)
            pairs, decision = self._measure(session, early_stop=False, control="control")
        if decision is not Decision.FASTER:
            return _not_faster(pairs, "on fresh runs", admitted.tests_run), pairs
        measured = speedup(pairs.ratios)
        evidence: dict[str, Json] = {
            "control": round(speedup(pairs.control_ratios).ratio, 4),
            "wall": round(speedup(pairs.wall_ratios).ratio, 4),
        }
        for shift in NOP_SHIFTS:
            ratio = self._shifted(admitted, shift)
            if isinstance(ratio, Verdict):
                return ratio, pairs
            evidence[f"shift_{shift}"] = round(ratio, 4)
            if ratio < self.rule.least_ratio:
                detail = f"only {ratio:.3f}× with the code shifted by {shift} bytes"
                kind = VerdictKind.NOT_FASTER
                return Verdict(kind, detail, evidence, measured, admitted.tests_run), pairs
        kind, detail = VerdictKind.ACCEPTED, f"{measured.ratio:.2f}× on {measured.pairs} pairs"
        if measured.ratio > SUSPICIOUS_RATIO:
            kind = VerdictKind.SUSPICIOUS
            detail = f"{measured.ratio:.0f}× is more than recorded tests alone can vouch for"
        return Verdict(kind, detail, evidence, measured, admitted.tests_run), pairs

    def _shifted(self, admitted: Admitted, shift: int) -> float | Verdict:
        pad = self._nops(shift)
        out = self.scratch / "shifted"
        built = self.program.build(admitted.texts, out, before=[pad])
        if isinstance(built, BuildStep):
            return Verdict(VerdictKind.UNJUDGED, f"shift by {shift}: {built.detail}")
        with self._pair_session(built.executable) as session:
            pairs, _ = self._measure(session, most_pairs=SHIFT_PAIRS, early_stop=False)
        return speedup(pairs.ratios).ratio

    def _nops(self, size: int) -> Path:
        """An object that shifts all code behind it: ld places .text.unlikely first."""
        out = self.scratch / f"nops-{size}.o"
        if not out.exists():
            text = f'\t.section .text.unlikely,"ax",@progbits\n\t.skip {size}, 0x90\n'
            text += '\t.section .note.GNU-stack,"",@progbits\n'
            self.program.toolchain.assemble(text, out)
        return out

    def _measure(
        self,
        session: Session,
        *,
        most_pairs: int | None = None,
        early_stop: bool = True,
        control: str | None = None,
    ) -> tuple[Pairs, Decision]:
        baseline = self._need_baseline()

        def check(index: int, result: RunResult) -> str:
            failed = compare(baseline.cases[index], result)
            return failed.detail if failed else ""

        pairs, decision = measure(
            session,
            "baseline",
            "candidate",
            baseline.timed,
            check,
            self.rule,
            self.rng,
            most_pairs=most_pairs,
            early_stop=early_stop,
            control=control,
            deadline=self.expired,
        )
        if decision is Decision.NOT_FASTER and not self.expired():
            decision = decide(pairs, self.rule, final=True)
        return pairs, decision

    def _failed_run(self, error: RunFailed) -> Verdict:
        case = self._need_baseline().cases[error.case]
        failed = compare(case, error.result)
        if error.program != "candidate" or failed is None:
            detail = f"the baseline failed a timed run: {error.wrong}"
            return Verdict(VerdictKind.UNJUDGED, detail, {"case": case.name})
        return replace(failed, detail=f"in a timed run: {failed.detail}")

    def _baseline_fails(self, case: Case, failed: Verdict) -> Verdict:
        stdin = f" < {shlex.quote(str(case.given.stdin))}" if case.given.stdin else ""
        arguments = "".join(f" {shlex.quote(x)}" for x in case.given.args)
        program = shlex.quote(str(self.program.output))
        reproduce = f"{program}{arguments}{stdin}"
        detail = (
            f"gcc's own program fails its recording ({failed.detail}); "
            f"compare: {reproduce} with {self.recording.folder / (case.name + '.out')}"
        )
        evidence = {**failed.evidence, "reason": "baseline-fails", "reproduce": reproduce}
        return Verdict(VerdictKind.UNJUDGED, detail, evidence)

    def _limits(self) -> RunLimits:
        slowest = max(self._need_baseline().times.wall, default=0.0)
        wall = max(2.0, 10 * slowest)
        return RunLimits(wall_seconds=wall, cpu_seconds=int(wall) + 1)

    @contextmanager
    def _session(self, programs: Mapping[str, Path], limits: RunLimits) -> Iterator[Session]:
        inputs = [case.given for case in self.recording.cases]
        with self.sandbox.open(programs, inputs, limits=limits, core=self.core) as session:
            yield session

    @contextmanager
    def _pair_session(self, candidate: Path) -> Iterator[Session]:
        programs = {
            "baseline": self._need_baseline().build.executable,
            "candidate": candidate,
        }
        with self._session(programs, self._limits()) as session:
            yield session

    def _base(self, unit: str) -> Unit:
        if unit not in self._parsed:
            self._parsed[unit] = parse(self.program.units[unit].assembly)
        return self._parsed[unit]

    def _need_baseline(self) -> Baseline:
        if self.baseline is None:
            raise RuntimeError("check_baseline has to come first")
        return self.baseline


def _timed_cases(cpu: Sequence[float]) -> tuple[TimedCase, ...]:
    """The few slowest cases; a program too small to time is run several times a pair."""
    slowest = max(cpu)
    order = sorted(range(len(cpu)), key=lambda x: -cpu[x])
    chosen = [x for x in order if cpu[x] >= 0.3 * slowest][:MOST_TIMED_CASES]
    total = sum(cpu[x] for x in chosen)
    repeats = max(1, min(MOST_REPEATS, round(SHORT_SECONDS / max(total, 1e-4))))
    return tuple(TimedCase(x, repeats) for x in sorted(chosen))


def _with_observed(case: Case, result: RunResult) -> Case:
    """What the recording leaves open is taken from the baseline's own run."""
    expected = case.expected
    return replace(
        case,
        expected=replace(
            expected,
            stderr=expected.stderr if expected.stderr is not None else result.stderr,
            written=expected.written or dict(result.files),
        ),
    )


def _refused(refusal: Refusal) -> Verdict:
    evidence: dict[str, Json] = {"gate": "splice", "rule": refusal.reason}
    return Verdict(VerdictKind.SCREENED, f"{refusal.reason}: {refusal.detail}", evidence)


def _screened(gate: str, findings: Sequence[Finding]) -> Verdict:
    first = findings[0]
    shown: list[Json] = [f"{x.rule}: {x.detail}" for x in findings[:5]]
    evidence: dict[str, Json] = {"gate": gate, "rule": first.rule, "findings": shown}
    where = f"line {first.line}: " if first.line else ""
    return Verdict(VerdictKind.SCREENED, f"{first.rule}: {where}{first.detail}", evidence)


def _not_faster(pairs: Pairs, how: str, tests_run: int) -> Verdict:
    measured = speedup(pairs.ratios)
    detail = f"{measured.ratio:.3f}× {how} ({measured.pairs} pairs)"
    return Verdict(VerdictKind.NOT_FASTER, detail, {}, measured, tests_run)
