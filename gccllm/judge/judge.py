"""The judge: candidate in, verdict out. One judge serves the driver, the trainer and evaluation.

    screen (text gate) → splice (rules, ABI check) → screen (object gate) → build
        → run every recording → time

The baseline is judged first; only one that passes its own recordings earns candidates. Whatever
is expected to go wrong with a candidate is a verdict; exceptions are our own faults.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.asm.elf import ElfError
from gccllm.asm.normalise import same_code
from gccllm.asm.rules import check as check_rules
from gccllm.asm.splice import Refusal, Spliced, splice
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.abi import AbiReport, Checker
from gccllm.assurance.levels import Standing
from gccllm.judge.arena import Arena
from gccllm.judge.baseline import Admitted, Baseline, establish
from gccllm.judge.clock import Clock
from gccllm.judge.placing import check_placed, place_unit
from gccllm.judge.running import run_all
from gccllm.judge.screen import Finding, check_executable, check_object, check_text, imports_of
from gccllm.judge.timing import Rule
from gccllm.program import BuildStep, Program
from gccllm.recordings import Recording
from gccllm.sandbox.base import Sandbox
from gccllm.types import Candidate, Isa, Json, Verdict, VerdictKind

__all__ = ["Donor", "Judge"]


@dataclass(frozen=True)
class Donor:
    """A candidate whose text passed the text gate, parsed."""

    candidate: Candidate
    unit: Unit
    tag: str


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
        self.arena = Arena(program, recording, sandbox, scratch, core, expired)
        self.program = program
        self.isas = isas
        self.rule = rule or Rule()
        self.rng = random.Random(seed)
        self._baseline: Baseline | None = None
        self._parsed: dict[str, Unit] = {}
        self._own_code: dict[str, ObjectCode] = {}
        self._imports: frozenset[str] = frozenset()
        self._builds = 0

    def check_baseline(self, shipped: Path) -> Verdict | None:
        """Judge gcc's own program first; see :func:`gccllm.judge.baseline.establish`.

        None when all is well; else the verdict that ends everything here.
        """
        done = establish(self.arena, shipped)
        if isinstance(done, Verdict):
            return done
        self._baseline = done
        self._imports = imports_of(done.build.executable)
        return None

    @property
    def baseline(self) -> Baseline:
        if self._baseline is None:
            raise RuntimeError("check_baseline has to come first")
        return self._baseline

    @property
    def clock(self) -> Clock:
        """What times this judge's admitted candidates."""
        return Clock(self.arena, self.baseline, self.rule, self.rng)

    def functions(self, unit: str) -> tuple[str, ...]:
        """The functions of a unit's baseline, in its order."""
        return tuple(self.base(unit).functions)

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
        if not any(name in unit.functions for name in self.base(candidate.unit).functions):
            return Verdict(VerdictKind.MALFORMED, "it defines no function of the unit")
        tag = hashlib.sha256(candidate.text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return Donor(candidate, unit, tag)

    def splice(
        self, texts: Mapping[str, str], donor: Donor, names: Sequence[str]
    ) -> dict[str, str] | Verdict:
        """``texts`` (units that already differ from the baseline) with ``names`` from the donor."""
        name = donor.candidate.unit
        base = parse(texts[name]) if name in texts else self.base(name)
        done = splice(base, donor.unit, names, tag=donor.tag, foreign=donor.candidate.foreign)
        if isinstance(done, Refusal):
            return _refused(done)
        if same_code(done.text, base.text):
            return Verdict(VerdictKind.UNCHANGED, "the same code as the baseline's")
        return self._against_the_rules(base, donor, done) or {**texts, name: done.text}

    def _against_the_rules(self, base: Unit, donor: Donor, done: Spliced) -> Verdict | None:
        """What gcc's own assumptions about the replaced functions, and the ABI, say to a splice.

        Before anything runs, for it is cheap (10 ms a function) and spares the recordings."""
        name = donor.candidate.unit
        before = self._code(name, base.text)
        after = self._code(name, done.text)
        if isinstance(before, BuildStep):
            return _not_assembled(before)
        if isinstance(after, BuildStep):
            return _not_assembled(after)
        own = self._code(name, donor.candidate.text) if done.assumed else None
        red_zone = "-mno-red-zone" not in self.program.units[name].options
        refusals = check_rules(
            before,
            after,
            done,
            donor=None if isinstance(own, BuildStep) else own,
            red_zone=red_zone,
        )
        if refusals:
            return _refused(refusals[0])
        checker = Checker(before, after, replaced=done.functions, red_zone=red_zone)
        for report in map(checker.check, done.functions):
            if report.standing is Standing.REFUTED:
                return _against_the_abi(report)
        return None

    def _code(self, unit: str, text: str) -> ObjectCode | BuildStep:
        own = text == self.program.units[unit].assembly
        if own and unit in self._own_code:
            return self._own_code[unit]
        made = self.program.assemble(unit, text)
        if isinstance(made, BuildStep):
            return made
        try:
            code = functions_of(made)
        except ElfError as error:
            return BuildStep("assemble", f"as left an object that can't be read: {error}")
        if own:
            self._own_code[unit] = code
        return code

    def admit(self, texts: Mapping[str, str]) -> Admitted | Verdict:
        """Screen the objects, build, check the executable, run every recording once."""
        baseline = self.baseline
        objects: dict[str, Path] = {}
        for name, text in texts.items():
            made = self.program.assemble(name, text)
            if isinstance(made, BuildStep):
                return _not_assembled(made)
            findings = check_object(
                made, baseline.build.objects[name], self.isas[name], program_imports=self._imports
            )
            if findings:
                return _screened("object", findings)
            objects[name] = made
        shipped = self.shipped(texts)
        if isinstance(shipped, Verdict):
            return shipped
        self._builds += 1
        out = self.arena.scratch / f"candidate-{self._builds}"
        built = self.program.build(shipped, out)
        if isinstance(built, BuildStep):
            return Verdict(VerdictKind.NOT_LINKED, built.detail, {"stage": built.stage})
        findings = check_executable(built.executable, baseline.build.executable)
        if findings:
            return _screened("executable", findings)
        with self.arena.open({"candidate": built.executable}, baseline.limits()) as session:
            failed, times = run_all(session, "candidate", baseline.cases)
        if failed is not None:
            return replace(failed, tests_run=len(times.cpu) + 1)
        build = replace(built, objects={**built.objects, **objects})
        placed = {name: text for name, text in shipped.items() if text != texts[name]}
        return Admitted(dict(texts), build, len(baseline.cases), placed)

    def shipped(self, texts: Mapping[str, str]) -> dict[str, str] | Verdict:
        """Units that were spliced, as they are linked: where a processor may lack what they need,
        their new code stands behind a check."""
        ships: dict[str, str] = {}
        for name, text in texts.items():
            done = self._placed(name, text)
            if isinstance(done, Verdict):
                return done
            ships[name] = done
        return ships

    def _placed(self, unit: str, text: str) -> str | Verdict:
        isa = self.isas[unit]
        done = place_unit(self.program, unit, self.base(unit), text, isa)
        if isinstance(done, BuildStep):
            return _not_assembled(done)
        if isinstance(done, Refusal):
            return _refused(done)
        findings = check_placed(self.program, unit, done, isa, imports=self._imports)
        if isinstance(findings, BuildStep):
            return _not_assembled(findings)
        return _screened("object", findings) if findings else done.text

    def base(self, unit: str) -> Unit:
        """The unit's baseline, parsed."""
        if unit not in self._parsed:
            self._parsed[unit] = parse(self.program.units[unit].assembly)
        return self._parsed[unit]


def _not_assembled(stopped: BuildStep) -> Verdict:
    return Verdict(VerdictKind.NOT_ASSEMBLED, stopped.detail, {"stage": stopped.stage})


def _refused(refusal: Refusal) -> Verdict:
    evidence: dict[str, Json] = {"gate": "splice", "rule": refusal.reason}
    return Verdict(VerdictKind.SCREENED, f"{refusal.reason}: {refusal.detail}", evidence)


def _against_the_abi(report: AbiReport) -> Verdict:
    first = report.findings[0]
    shown: list[Json] = [str(x) for x in report.findings[:5]]
    evidence: dict[str, Json] = {"gate": "abi", "rule": first.kind.value, "findings": shown}
    return Verdict(VerdictKind.SCREENED, f"{report.name}: {first}: {first.kind.meaning}", evidence)


def _screened(gate: str, findings: Sequence[Finding]) -> Verdict:
    first = findings[0]
    shown: list[Json] = [f"{x.rule}: {x.detail}" for x in findings[:5]]
    evidence: dict[str, Json] = {"gate": gate, "rule": first.rule, "findings": shown}
    where = f"line {first.line}: " if first.line else ""
    return Verdict(VerdictKind.SCREENED, f"{first.rule}: {where}{first.detail}", evidence)
