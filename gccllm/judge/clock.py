"""Is a candidate that is right also faster? A glance to rank, a confirmation to accept."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.judge.arena import Arena
from gccllm.judge.baseline import Admitted, Baseline
from gccllm.judge.running import compare
from gccllm.judge.statistics import speedup
from gccllm.judge.timing import Decision, Pairs, Rule, RunFailed, measure
from gccllm.program import BuildStep
from gccllm.sandbox.base import RunResult, Session
from gccllm.types import Json, Verdict, VerdictKind

__all__ = ["Clock"]

SUSPICIOUS_RATIO = 50.0
NOP_SHIFTS = (16, 32, 48)
SHIFT_PAIRS = 5


@dataclass
class Clock:
    """Times right candidates of one program against its baseline; ``rng`` orders the pairs."""

    arena: Arena
    baseline: Baseline
    rule: Rule
    rng: random.Random

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

    def _confirm(self, admitted: Admitted) -> tuple[Verdict, Pairs]:
        with self._pair_session(admitted.build.executable) as session:
            first, decision = self._measure(session)
        if decision is not Decision.FASTER:
            return _not_faster(first, _how(decision, "by the rule"), admitted.tests_run), first
        copy = self.arena.scratch / "control"
        if not copy.exists():
            shutil.copy2(self.baseline.build.executable, copy)
        with self._pair_session(admitted.build.executable) as session:
            session.add_program("control", copy)
            pairs, decision = self._measure(session, early_stop=False, control="control")
        if decision is not Decision.FASTER:
            return _not_faster(pairs, _how(decision, "on fresh runs"), admitted.tests_run), pairs
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
        out = self.arena.scratch / "shifted"
        built = self.arena.program.build(admitted.shipped, out, before=[pad])
        if isinstance(built, BuildStep):
            return Verdict(VerdictKind.UNJUDGED, f"shift by {shift}: {built.detail}")
        with self._pair_session(built.executable) as session:
            # Few runs, and without them nothing is accepted: they may go beyond the budget.
            pairs, _ = self._measure(
                session, most_pairs=SHIFT_PAIRS, early_stop=False, hurried=False
            )
        return speedup(pairs.ratios).ratio

    def _nops(self, size: int) -> Path:
        """An object that shifts all code behind it: ld places .text.unlikely first."""
        out = self.arena.scratch / f"nops-{size}.o"
        if not out.exists():
            text = f'\t.section .text.unlikely,"ax",@progbits\n\t.skip {size}, 0x90\n'
            text += '\t.section .note.GNU-stack,"",@progbits\n'
            self.arena.program.toolchain.assemble(text, out)
        return out

    def _measure(
        self,
        session: Session,
        *,
        most_pairs: int | None = None,
        early_stop: bool = True,
        control: str | None = None,
        hurried: bool = True,
    ) -> tuple[Pairs, Decision]:
        def check(index: int, result: RunResult) -> str:
            failed = compare(self.baseline.cases[index], result)
            return failed.detail if failed else ""

        return measure(
            session,
            "baseline",
            "candidate",
            self.baseline.timed,
            check,
            self.rule,
            self.rng,
            most_pairs=most_pairs,
            early_stop=early_stop,
            control=control,
            deadline=self.arena.expired if hurried else lambda: False,
        )

    def _failed_run(self, error: RunFailed) -> Verdict:
        case = self.baseline.cases[error.case]
        failed = compare(case, error.result)
        if error.program != "candidate" or failed is None:
            detail = f"the baseline failed a timed run: {error.wrong}"
            return Verdict(VerdictKind.UNJUDGED, detail, {"case": case.name})
        return replace(failed, detail=f"in a timed run: {failed.detail}")

    @contextmanager
    def _pair_session(self, candidate: Path) -> Iterator[Session]:
        programs = {
            "baseline": self.baseline.build.executable,
            "candidate": candidate,
        }
        with self.arena.open(programs, self.baseline.limits()) as session:
            yield session


def _how(decision: Decision, measured: str) -> str:
    over = "when the budget was over, unconfirmed: a larger -fllm-budget may accept it"
    return over if decision is Decision.OPEN else measured


def _not_faster(pairs: Pairs, how: str, tests_run: int) -> Verdict:
    measured = speedup(pairs.ratios)
    detail = f"{measured.ratio:.3f}× {how} ({measured.pairs} pairs)"
    return Verdict(VerdictKind.NOT_FASTER, detail, {}, measured, tests_run)
