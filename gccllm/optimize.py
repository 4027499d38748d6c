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
from gccllm.assurance.ladder import Known, Ladder, Shares
from gccllm.assurance.ladder.rungs import Place, ProgramRungs
from gccllm.assurance.levels import Assurance, sure_enough, weakest
from gccllm.errors import StoreError
from gccllm.events import count_event
from gccllm.judge.judge import Judge
from gccllm.judge.statistics import speedup
from gccllm.judge.trusted import instrument, profile
from gccllm.program import Program
from gccllm.proposers.base import Proposer, Task, identity_of
from gccllm.recompile import recompile
from gccllm.recordings import Recording
from gccllm.report.record import ProgramRecord
from gccllm.sandbox.base import Sandbox
from gccllm.search import Conclusion, Found, Search, Seen
from gccllm.search.records import function_records, stored_records
from gccllm.settings import Settings
from gccllm.store import Judgement, Rewrite, Store, UnitKey
from gccllm.toolchain import CC_TIMEOUT
from gccllm.types import HotFunction, Isa, Json, Outcome, Verdict

__all__ = ["Optimized", "Optimizer"]

OPTIMIZED = Outcome.OPTIMIZED.value
"""what is remembered of a search that found something"""
FOR_RECOMPILING = 0.3
"""of what is left of the budget, at most, to see that one unit still compiles to what it was"""
MOST_FOR_THE_LADDER = 0.4
"""of the budget may be kept for it, where that is small"""


@dataclass(frozen=True)
class Optimized:
    """What came of it; ``executable`` None: ship gcc's."""

    record: ProgramRecord
    executable: Path | None = None


class Optimizer:
    """Optimises one program. ``say`` gets progress for a person, a line at a time."""

    ladder: type[Ladder] = Ladder

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
        self.wanted = Assurance(settings.assurance)
        self.shares = Shares(settings.budget)
        climb = min(self.shares.reserved(self.wanted), MOST_FOR_THE_LADDER * settings.budget)
        self.search_deadline = self.deadline - climb
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
        isas = self._isas()
        judge = self._judge(isas)
        failed = judge.check_baseline(shipped)
        if failed is not None:
            reason = str(failed.evidence.get("reason", "baseline-unjudged"))
            return self._end(Outcome.FALLBACK, reason, failed.detail)
        keys = self._keys(isas)
        search_key = self._search_key(keys)
        known = self._known(judge, keys, search_key)
        if known is not None:
            return known
        if not self.proposers:
            return self._end(Outcome.FALLBACK, "no-proposer", "no proposer is available")
        hot = self._hot_functions(judge)
        search = Search(judge, hot, self.search_deadline, self._notice, self.say)
        tasks = self._tasks(judge, hot, isas)
        search.gather(self.proposers, tasks, self.settings.refine)
        conclusion = Conclusion(search, self._ladder(judge, tasks), count_event)
        found = conclusion.run()
        self._remember_judgements()
        moved = search.moved(found.trial) if found else {}
        self.record.functions += function_records(hot, self._seen, found, moved)
        if found is None:
            return self._nothing(search, conclusion.fallen, search_key)
        return self._accept(found, keys, search_key)

    def _isas(self) -> dict[str, Isa]:
        """What the code of each unit may use."""
        isas = {
            name: self.program.toolchain.isa(self.settings.isa, frame.options)
            for name, frame in self.program.units.items()
        }
        self.record.isa = ",".join(sorted({x.name for x in isas.values()}))
        return isas

    def _judge(self, isas: Mapping[str, Isa]) -> Judge:
        return Judge(
            self.program,
            self.recording,
            self.sandbox,
            isas,
            scratch=self.scratch,
            core=self.core,
            expired=lambda: time.monotonic() > self.search_deadline,
        )

    def _keys(self, isas: Mapping[str, Isa]) -> dict[str, UnitKey]:
        return {
            name: UnitKey(unit_key(frame.assembly), self.compiler.digest, isas[name].name)
            for name, frame in self.program.units.items()
        }

    def _accept(self, found: Found, keys: Mapping[str, UnitKey], search_key: str) -> Optimized:
        """What was found is kept, and the record says so."""
        self._keep(found, keys, search_key)
        self._note_accepted(found)
        done = self._end(Outcome.OPTIMIZED, "", f"{found.trial.label}: {found.verdict.detail}")
        return replace(done, executable=found.trial.admitted.build.executable)

    def _note_accepted(self, found: Found) -> None:
        self.record.assurance = found.climbed.level.value
        self.record.speedup = found.verdict.speedup
        self.record.control = speedup(found.control_ratios) if found.control_ratios else None
        self.record.baseline_seconds = found.baseline_seconds
        self.record.optimized_seconds = found.optimized_seconds

    def _ladder(self, judge: Judge, tasks: Sequence[Task]) -> Ladder:
        scratch = self.scratch / "ladder"
        scratch.mkdir()
        place = Place(
            self.program,
            judge.baseline.build,
            self.recording,
            self.sandbox,
            scratch,
            {x.unit: x.compile for x in tasks if x.compile is not None},
            self.core,
        )
        rungs = ProgramRungs(place)
        return self.ladder(rungs, self.wanted, self.shares, self.deadline, self.say)

    def _nothing(self, search: Search, fallen: Sequence[Known], search_key: str) -> Optimized:
        """Nothing is shipped; remembered, unless it may end otherwise the next time."""
        detail = "; ".join(search.failures) or self._why_nothing()
        if fallen:
            reason = "not-assured"
            detail = f"{fallen[0].function}: {fallen[0].why}"
        else:
            unusable = search.failures and not self._seen
            reason = "proposer-unusable" if unusable else "nothing-faster"
        lasting = all(x.lasting for x in fallen) and not search.failures
        if reason != "proposer-unusable" and lasting:
            self._with_store(lambda s: s.put_search(search_key, reason, detail))
        return self._end(Outcome.FALLBACK, reason, detail)

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
        for name in [n for n, x in stored.items() if not sure_enough(x.assurance, self.wanted)]:
            self.say(f"{name}: the stored rewrite is sure by {stored.pop(name).assurance} only")
            count_event("link:stored-too-weak")
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
                self.record.assurance = weakest(Assurance(stored[x].assurance) for x in texts).value
                for name in texts:
                    made = stored_records(name, stored[name], admitted.tests_run)
                    self.record.functions += made
                done = self._end(Outcome.APPLIED, "", f"from the store: {best.label}")
                return replace(done, executable=admitted.build.executable)
            self.record.see(admitted, "store")
        elif earlier is not None and earlier[0] != OPTIMIZED:
            return self._end(Outcome.FALLBACK, earlier[0], f"searched before: {earlier[1]}")
        return None

    def _hot_functions(self, judge: Judge) -> dict[str, tuple[HotFunction, ...]]:
        """By unit, hottest first; without a profile all functions count alike."""
        shares, samples = self._profile(judge)
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

    def _profile(self, judge: Judge) -> tuple[list[HotFunction], int]:
        """Where the time goes, and by how many samples."""
        return profile(judge.arena, judge.baseline)

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
            seconds = max(CC_TIMEOUT, FOR_RECOMPILING * (self.deadline - time.monotonic()))
            source, spec = recompile(self.program, unit, scratch, self.say, seconds)
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
            known = [x for x in found.climbed.found if x.unit == unit]
            ladder: dict[str, Json] = {x.function: x.evidence() for x in known}
            measured = {k: v for k, v in found.verdict.evidence.items() if k != "ladder"}
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
                assurance=weakest(x.level for x in known).value,
                speedup=found.verdict.speedup,
                evidence={**measured, "tests_run": found.verdict.tests_run, "ladder": ladder},
                program=self.name,
            )
            self._with_store(partial(Store.put, rewrite=rewrite))
        detail = found.verdict.detail
        self._with_store(lambda store: store.put_search(search_key, OPTIMIZED, detail))

    def _why_nothing(self) -> str:
        counts = ", ".join(f"{n} {k.value}" for k, n in self.record.counts.most_common())
        return f"no candidate passed ({counts})" if counts else "no candidate was offered"

    def _search_key(self, keys: Mapping[str, UnitKey]) -> str:
        """Same program, tests and options: the same answer."""
        parts = [repr(x) for x in sorted(map(repr, keys.values()))]
        settings = self.settings
        parts += [self.recording.digest(), settings.model, settings.isa, repr(settings.proposers)]
        parts.append(settings.assurance)
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
