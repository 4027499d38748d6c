"""One program from its link to its record: what is stored, what is searched, what is kept.

Everything that ends short of success leaves a record with a reason and no executable: the caller
then ships what gcc made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gccllm import __version__
from gccllm.asm.normalise import fingerprint, unit_key
from gccllm.errors import StoreError
from gccllm.judge.judge import Judge
from gccllm.judge.statistics import speedup
from gccllm.judge.trusted import instrument, profile
from gccllm.program import Program
from gccllm.proposers.base import Proposer, Task, identity_of
from gccllm.recompile import recompile
from gccllm.recordings import Recording
from gccllm.report.record import FunctionRecord, ProgramRecord
from gccllm.sandbox.base import Sandbox
from gccllm.search import Found, Search, Seen
from gccllm.settings import Settings
from gccllm.store import Judgement, Rewrite, Store, UnitKey
from gccllm.types import HotFunction, Isa, Outcome, Verdict, VerdictKind

__all__ = ["Optimized", "Optimizer"]

ASSURANCE = "tests"


@dataclass(frozen=True)
class Optimized:
    """What came of it; ``executable`` None: ship gcc's."""

    record: ProgramRecord
    executable: Path | None = None


class Optimizer:
    """Optimises one program. ``say`` gets progress for a person, a line at a time."""

    def __init__(
        self,
        program: Program,
        recording: Recording,
        settings: Settings,
        *,
        sandbox: Sandbox,
        proposers: Sequence[Proposer],
        store: Store | None,
        scratch: Path,
        core: int | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.program = program
        self.recording = recording
        self.settings = settings
        self.sandbox = sandbox
        self.proposers = proposers
        self.store = store
        self.scratch = scratch
        self.core = core
        self.say = say
        self.name = str(program.output)
        self.started = time.monotonic()
        self.deadline = self.started + settings.budget
        self.compiler = program.toolchain.identity
        self.record = ProgramRecord(
            program=self.name,
            compiler=self.compiler.version,
            isa=settings.isa,
            model=settings.model,
            proposers=tuple(x.name for x in proposers),
            sandbox=sandbox.name,
        )
        self._seen: list[Seen] = []

    def run(self, shipped: Path) -> Optimized:
        """Optimise; ``shipped`` is the executable that gcc made. Our own faults raise."""
        isas = {
            name: self.program.toolchain.isa(self.settings.isa, frame.options)
            for name, frame in self.program.units.items()
        }
        self.record.isa = ",".join(sorted({x.name for x in isas.values()}))
        judge = Judge(
            self.program,
            self.recording,
            self.sandbox,
            isas,
            scratch=self.scratch,
            core=self.core,
            expired=lambda: time.monotonic() > self.deadline,
        )
        failed = judge.check_baseline(shipped)
        if failed is not None:
            reason = str(failed.evidence.get("reason", "baseline-unjudged"))
            return self._end(Outcome.FALLBACK, reason, failed.detail)
        keys = {
            name: UnitKey(unit_key(frame.assembly), self.compiler.digest, isas[name].name)
            for name, frame in self.program.units.items()
        }
        search_key = self._search_key(keys)
        known = self._known(judge, keys, search_key)
        if known is not None:
            return known
        if not self.proposers:
            return self._end(Outcome.FALLBACK, "no-proposer", "no proposer is available")
        hot = self._hot_functions(judge)
        search = Search(judge, hot, self.deadline, self._notice, self.say)
        search.gather(self.proposers, self._tasks(judge, hot, isas), self.settings.refine)
        found = search.conclude()
        self._remember_judgements()
        self._function_records(hot, found)
        if found is None:
            detail = "; ".join(search.failures) or self._why_nothing()
            reason = "proposer-unusable" if search.failures and not self._seen else "nothing-faster"
            if reason == "nothing-faster" and not search.failures:
                self._with_store(lambda s: s.put_search(search_key, reason, detail))
            return self._end(Outcome.FALLBACK, reason, detail)
        self._keep(found, keys, search_key)
        self.record.assurance = ASSURANCE
        self.record.speedup = found.verdict.speedup
        self.record.control = speedup(found.control_ratios)
        self.record.baseline_seconds = found.baseline_seconds
        self.record.optimized_seconds = found.optimized_seconds
        done = self._end(Outcome.OPTIMIZED, "", f"{found.trial.label}: {found.verdict.detail}")
        return replace(done, executable=found.trial.admitted.build.executable)

    def _known(
        self, judge: Judge, keys: Mapping[str, UnitKey], search_key: str
    ) -> Optimized | None:
        """What the store already holds: rewrites, checked against the recordings, or a 'no'."""
        if self.store is None:
            return None
        try:
            rewrites = {name: self.store.find(key) for name, key in keys.items()}
            earlier = self.store.search_result(search_key)
        except StoreError as error:
            self.record.detail = str(error)
            return None
        stored = {name: x for name, x in rewrites.items() if x is not None}
        texts = {
            name: rewrite.text
            for name, rewrite in stored.items()
            if rewrite.baseline == self.program.units[name].assembly
        }
        if texts:
            admitted = judge.admit(texts)
            if not isinstance(admitted, Verdict):
                best = max((stored[x] for x in texts), key=lambda x: x.speedup.ratio)
                self.record.speedup = best.speedup
                self.record.assurance = best.assurance
                for name in texts:
                    self._record_stored(name, stored[name], admitted.tests_run)
                done = self._end(Outcome.APPLIED, "", f"from the store: {best.label}")
                return replace(done, executable=admitted.build.executable)
            self.record.see(admitted, "store")
        elif earlier is not None:
            return self._end(Outcome.FALLBACK, earlier[0], f"searched before: {earlier[1]}")
        return None

    def _hot_functions(self, judge: Judge) -> dict[str, tuple[HotFunction, ...]]:
        """By unit, hottest first; without a profile all functions count alike."""
        shares, samples = profile(judge.arena, judge.baseline)
        by_unit: dict[str, tuple[HotFunction, ...]] = {}
        for unit in self.program.units:
            names = judge.functions(unit)
            hot = tuple(x for x in shares if x.name in names)
            if not samples:
                hot = tuple(HotFunction(x, 0.0) for x in names if not x.endswith(".cold"))
            if hot:
                by_unit[unit] = hot
        total = sum(x.share for functions in by_unit.values() for x in functions)
        self.say(f"profile: {samples} samples, {total:.0%} in functions that can be rewritten")
        order = sorted(by_unit, key=lambda u: -sum(x.share for x in by_unit[u]))
        return {unit: by_unit[unit] for unit in order}

    def _tasks(
        self,
        judge: Judge,
        hot: Mapping[str, tuple[HotFunction, ...]],
        isas: Mapping[str, Isa],
    ) -> list[Task]:
        tasks = []
        for number, (unit, functions) in enumerate(hot.items()):
            scratch = self.scratch / f"propose-{number}"
            scratch.mkdir()
            source, spec = recompile(self.program, unit, scratch, self.say)
            tasks.append(
                Task(
                    unit=unit,
                    baseline=self.program.units[unit].assembly,
                    functions=functions,
                    isa=isas[unit],
                    scratch=scratch,
                    deadline=self.deadline,
                    source=source,
                    compile=spec,
                    instrument=instrument(judge.arena, unit),
                    samples=self.settings.samples,
                )
            )
        return tasks

    def _notice(self, seen: Seen) -> None:
        self._seen.append(seen)
        self.record.see(seen.verdict, seen.candidate.proposer)
        self.say(
            f"{seen.candidate.unit}: {seen.candidate.proposer}: {seen.candidate.label}: "
            f"{seen.verdict.kind.value}: {seen.verdict.detail}"
        )

    def _remember_judgements(self) -> None:
        entries = [
            Judgement(
                program=self.name,
                unit=seen.candidate.unit,
                functions=seen.functions,
                proposer=seen.candidate.proposer,
                label=seen.candidate.label,
                verdict=seen.verdict,
                text=seen.candidate.text,
                baseline=self.program.units[seen.candidate.unit].assembly
                if seen.candidate.unit in self.program.units
                else "",
            )
            for seen in self._seen
        ]
        self._with_store(lambda store: store.note(entries))

    def _keep(self, found: Found, keys: Mapping[str, UnitKey], search_key: str) -> None:
        """Store the accepted rewrite of each unit that it changed."""
        if found.verdict.speedup is None:
            return
        for unit, text in found.trial.admitted.texts.items():
            assembly = self.program.units[unit].assembly
            raw = assembly.encode("utf-8", "surrogateescape")
            rewrite = Rewrite(
                key=keys[unit],
                fingerprint=fingerprint(raw),
                unit=unit,
                baseline_sha=hashlib.sha256(raw).hexdigest(),
                baseline=assembly,
                text=text,
                functions=tuple(n for u, n in found.trial.functions if u == unit),
                proposer=found.trial.proposers,
                label=found.trial.label,
                assurance=ASSURANCE,
                speedup=found.verdict.speedup,
                evidence={**found.verdict.evidence, "tests_run": found.verdict.tests_run},
                program=self.name,
            )
            self._with_store(partial(Store.put, rewrite=rewrite))
        detail = found.verdict.detail
        self._with_store(lambda store: store.put_search(search_key, "optimized", detail))

    def _function_records(
        self, hot: Mapping[str, tuple[HotFunction, ...]], found: Found | None
    ) -> None:
        """One record a hot function: what was accepted for it, else the best that fell."""
        accepted = set(found.trial.functions) if found else set()
        for unit, functions in hot.items():
            for function in functions:
                about = [
                    x
                    for x in self._seen
                    if x.candidate.unit == unit
                    and (not x.functions or function.name in x.functions)
                ]
                if (unit, function.name) in accepted and found is not None:
                    giver = next(
                        d.candidate
                        for d, names in found.trial.parts
                        if d.candidate.unit == unit and function.name in names
                    )
                    proposer, label, verdict = giver.proposer, giver.label, found.verdict
                else:
                    last = max(about, key=_how_far, default=None)
                    proposer = last.candidate.proposer if last else ""
                    label = last.candidate.label if last else ""
                    none = Verdict(VerdictKind.UNCHANGED, "no candidate was offered")
                    verdict = last.verdict if last else none
                self.record.functions.append(
                    FunctionRecord(
                        unit=unit,
                        function=function.name,
                        proposer=proposer,
                        verdict=verdict.kind,
                        assurance=ASSURANCE if verdict.accepted else "",
                        speedup=verdict.speedup,
                        tests_run=verdict.tests_run,
                        candidates=len(about),
                        seconds=sum(x.verdict.seconds for x in about),
                        label=label,
                        share=round(function.share, 4),
                        detail=verdict.detail,
                    )
                )

    def _record_stored(self, unit: str, rewrite: Rewrite, tests_run: int) -> None:
        for name in rewrite.functions:
            self.record.functions.append(
                FunctionRecord(
                    unit=unit,
                    function=name,
                    proposer=rewrite.proposer,
                    verdict=VerdictKind.ACCEPTED,
                    assurance=rewrite.assurance,
                    speedup=rewrite.speedup,
                    tests_run=tests_run,
                    candidates=0,
                    seconds=0.0,
                    label=rewrite.label,
                    detail="from the store",
                )
            )

    def _why_nothing(self) -> str:
        counts = ", ".join(f"{n} {k.value}" for k, n in self.record.counts.most_common())
        return f"no candidate passed ({counts})" if counts else "no candidate was offered"

    def _search_key(self, keys: Mapping[str, UnitKey]) -> str:
        """Same program, tests and options: the same answer."""
        parts = [repr(x) for x in sorted(map(repr, keys.values()))]
        settings = self.settings
        parts += [self.recording.digest(), settings.model, settings.isa, repr(settings.proposers)]
        parts += [identity_of(x) for x in self.proposers]
        parts += [__version__, repr((settings.budget, settings.samples, settings.refine))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _with_store(self, action: Callable[[Store], None]) -> None:
        """A store that fails costs what it would have remembered, not the result."""
        if self.store is None:
            return
        try:
            action(self.store)
        except StoreError as error:
            self.say(str(error))
            self.store = None

    def _end(self, outcome: Outcome, reason: str, detail: str) -> Optimized:
        self.record.outcome = outcome
        self.record.reason = reason
        self.record.detail = detail or self.record.detail
        self.record.seconds = time.monotonic() - self.started
        return Optimized(self.record)


def _how_far(seen: Seen) -> tuple[int, float]:
    """Orders verdicts by how far a candidate got, then by its speedup."""
    order = [
        VerdictKind.UNCHANGED,
        VerdictKind.MALFORMED,
        VerdictKind.SCREENED,
        VerdictKind.UNJUDGED,
        VerdictKind.NOT_ASSEMBLED,
        VerdictKind.NOT_LINKED,
        VerdictKind.TIMED_OUT,
        VerdictKind.CRASHED,
        VerdictKind.WRONG_EXIT,
        VerdictKind.WRONG_OUTPUT,
        VerdictKind.DIFFERS,
        VerdictKind.NOT_FASTER,
        VerdictKind.SUSPICIOUS,
        VerdictKind.ACCEPTED,
    ]
    ratio = seen.verdict.speedup.ratio if seen.verdict.speedup else 0.0
    return order.index(seen.verdict.kind), ratio
