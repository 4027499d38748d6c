"""A long search over one program, in rounds. What a round finds is kept at once.

    earlier rewrites → compilers → idioms → model, each followed by a confirmation and the ladder

Ctrl-C ends the search and leaves what was accepted. Begun again, it starts from what the store
holds and does not judge again what was found wrong before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gccllm.assurance.ladder import Climbed, Combination, Known, Ladder, Shares
from gccllm.assurance.levels import Assurance, sure_enough
from gccllm.errors import StoreError
from gccllm.events import count_event
from gccllm.judge.judge import Donor, Judge
from gccllm.optimize import Optimized, Optimizer
from gccllm.program import BuildStep
from gccllm.projects.checking import Checked
from gccllm.projects.profiling import patient_profile, with_calls
from gccllm.projects.queue import Queue
from gccllm.projects.sharing import SharedLayers, processor
from gccllm.proposers.base import Proposer, Task
from gccllm.search import Attribution, Conclusion, Found, Search, Seen, gather_layers
from gccllm.search.conclusion import Climber
from gccllm.search.records import function_records
from gccllm.search.search import WORTH_MIXING
from gccllm.store import Rewrite, UnitKey
from gccllm.types import Candidate, HotFunction, Json, Outcome, Verdict, VerdictKind

__all__ = ["Effort"]

FINAL = frozenset(
    (
        VerdictKind.NOT_ASSEMBLED,
        VerdictKind.NOT_LINKED,
        VerdictKind.CRASHED,
        VerdictKind.WRONG_OUTPUT,
        VerdictKind.WRONG_EXIT,
    )
)
"""what the same candidate would get again; what only our own rules refuse is asked anew, for that
costs little and the rules may be others by then"""
FOR_SEARCHING = 0.75
"""of a round's time; the rest confirms and examines"""
FOR_CONFIRMING = 0.25
"""of the budget; by so much a confirmation may go beyond the search's share"""
GLANCE_PAIRS, AGAIN_PAIRS = 3, 9
"""of many layers, for which function gains is for the profile to say; of the best of them"""
PROFILE_SHARE = 0.08
"""of the budget, at most"""
LEAST_ROUND = 5.0
LINK_BUDGET, MOST_PATIENCE = 300.0, 6.0
"""seconds for which the ladder's own limits are right; how often they may be exceeded"""
ORDER = ("compilers", "idioms", "model")
"""of the rounds, by how much a second has been worth; others come last"""


@dataclass(frozen=True)
class _Patient(Shares):
    """A long search has more time for the ladder than a link has."""

    def seconds(self, rung: str) -> float:
        return super().seconds(rung) * min(max(1.0, self.budget / LINK_BUDGET), MOST_PATIENCE)


class _Halving(Ladder):
    """A climb may take half of the time that is left: what it leaves standing climbs again."""

    def examine(self, what: Combination) -> Climbed:
        final, now = self.deadline, time.monotonic()
        self.deadline = min(final, now + max(self.reserved, (final - now) / 2))
        try:
            return super().examine(what)
        finally:
            self.deadline = final


class Effort(Optimizer):
    """Optimises one program for as long as its budget lasts.

    ``install`` puts units' texts into the place of the program; ``check``, where there is one, runs
    the project's tests on what is in that place and says what is wrong. Set both before ``run``.
    """

    install: Callable[[Mapping[str, str]], None] = staticmethod(lambda texts: None)
    check: Callable[[], str] | None = None
    queue: Queue | None = None
    """where layers go, for other lanes to take some of them"""
    interrupted: bool = False
    ladder = _Halving
    _earlier: Mapping[str, Rewrite] = {}
    _installed: Mapping[str, str] = {}
    _best: Found | None = None
    _announced: str = ""

    def run(self, shipped: Path) -> Optimized:
        """Search; ``shipped`` is gcc's own build. Our own faults raise."""
        self.shares = _Patient(self.settings.budget)
        isas = self._isas()
        judge = self._judge(isas)
        failed = judge.check_baseline(shipped)
        if failed is not None:
            reason = str(failed.evidence.get("reason", "baseline-unjudged"))
            return self._end(Outcome.FALLBACK, reason, failed.detail)
        said = self._checked_baseline()
        if said:
            return self._end(Outcome.FALLBACK, "check-fails", f"with gcc's own program: {said}")
        keys = self._keys(isas)
        hot = with_calls(judge, self._hot_functions(judge))
        self.record.considered = sum(x.share for functions in hot.values() for x in functions)
        search = Search(judge, hot, self.search_deadline, self._notice, self.say)
        search.attribution = Attribution(judge)
        search.glance_pairs = GLANCE_PAIRS
        self._recall(search, keys)
        self._announce(hot)
        tasks = self._tasks(judge, hot, isas)
        conclusion = Conclusion(
            search,
            self._climber(judge, search, tasks),
            count_event,
            stands_first=True,
            again_pairs=AGAIN_PAIRS,
        )
        best: Found | None = None
        try:
            best = self._rounds(search, conclusion, tasks, keys)
        except KeyboardInterrupt:
            self.interrupted = True
            self.say("stopped; what was accepted stays")
            best = self._best
        finally:
            if self.queue is not None:
                self.queue.end(self._announced)
            self._remember_judgements()
            self._put_in_place(self._best)
        moved = search.moved(best.trial) if best else {}
        self.record.functions += function_records(hot, self._seen, best, moved)
        if best is None:
            detail = "; ".join(search.failures) or self._why_nothing()
            return self._end(Outcome.FALLBACK, "nothing-faster", detail)
        done = self._end(Outcome.OPTIMIZED, "", f"{best.trial.label}: {best.verdict.detail}")
        return replace(done, executable=best.trial.admitted.build.executable)

    def _profile(self, judge: Judge) -> tuple[list[HotFunction], int]:
        seconds = PROFILE_SHARE * self.settings.budget
        return patient_profile(lambda: super(Effort, self)._profile(judge), seconds)

    def _rounds(
        self,
        search: Search,
        conclusion: Conclusion,
        tasks: Sequence[Task],
        keys: Mapping[str, UnitKey],
    ) -> Found | None:
        self._take_up(search)
        if self._best is None:
            self._conclude(conclusion, keys)
        proposers = sorted(
            self.proposers, key=lambda x: ORDER.index(x.name) if x.name in ORDER else len(ORDER)
        )
        for number, proposer in enumerate(proposers):
            now = time.monotonic()
            left = (self.search_deadline - now) / (len(proposers) - number)
            if left < LEAST_ROUND:
                break
            self.say(f"round of {proposer.name}: {left:.0f} s")
            until = now + FOR_SEARCHING * left
            self._gather(search, proposer, tasks, until)
            for _ in range(self.settings.refine if proposer.refines else 0):
                self._gather(search, proposer, tasks, until)
            while self._conclude(conclusion, keys) and time.monotonic() < self.search_deadline:
                self.say("looking for what is faster still")
        return self._best

    def _gather(
        self, search: Search, proposer: Proposer, tasks: Sequence[Task], until: float
    ) -> None:
        """One round's candidates: judged here, and on other lanes where there are any."""
        if self.queue is None:
            gather_layers(search, proposer, tasks, until)
            return
        shared = SharedLayers(self.queue, self._announced, search)
        gather_layers(search, proposer, tasks, until, shared.judge)
        shared.drain(until)

    def _announce(self, hot: Mapping[str, Sequence[HotFunction]]) -> None:
        if self.queue is None:
            return
        spec: dict[str, Json] = {
            "program": self.name,
            "recording": str(self.recording.folder.absolute()),
            "isa": self.settings.isa,
            "seconds": self.search_deadline - time.monotonic(),
            "hot": {unit: [[x.name, x.share] for x in names] for unit, names in hot.items()},
        }
        self._announced = self.queue.announce(processor(), spec)

    def lane(self, shipped: Path, spec: Mapping[str, Any], seen: list[Seen]) -> Search | None:
        """The search of a lane that judges for another process; None where the program does not
        pass its own recordings here. What is noticed goes into ``seen``."""
        self.search_deadline = time.monotonic() + float(spec["seconds"])
        judge = self._judge(self._isas())
        if judge.check_baseline(shipped) is not None:
            return None
        hot = {
            unit: tuple(HotFunction(name, share) for name, share in names)
            for unit, names in spec["hot"].items()
        }
        search = Search(judge, hot, self.search_deadline, seen.append)
        search.attribution = Attribution(judge)
        search.glance_pairs = GLANCE_PAIRS
        return search

    def _conclude(self, conclusion: Conclusion, keys: Mapping[str, UnitKey]) -> bool:
        """Confirm and examine what is best now; if it is accepted, keep it and say so."""
        before, search = self._best, conclusion.search
        # What has come to be confirmed is worth the runs that it takes.
        kept = self.search_deadline, search.deadline
        more = FOR_CONFIRMING * self.settings.budget
        search.deadline = max(search.deadline + more, self.deadline)
        self.search_deadline = search.deadline + self.shares.reserved(self.wanted)
        try:
            found = conclusion.run(before.trial if before else None)
        finally:
            self.search_deadline, search.deadline = kept
        if found is None:
            return False
        self._best = found
        self._accept(found, keys, "")
        self._put_in_place(found)
        ratio = found.verdict.speedup.ratio if found.verdict.speedup else 0.0
        self.say(f"kept: {ratio:.2f}×: {', '.join(x for _, x in found.trial.functions)}")
        return True

    def _put_in_place(self, found: Found | None) -> None:
        texts = found.trial.admitted.shipped if found else {}
        if texts != self._installed:
            self.install(texts)
            self._installed = dict(texts)

    # What the store holds

    def _recall(self, search: Search, keys: Mapping[str, UnitKey]) -> None:
        """Earlier rewrites of the units, and verdicts that would fall again."""
        if self.store is None:
            return
        try:
            found = {unit: self.store.find(key) for unit, key in keys.items()}
            for entry in self.store.judgements(self.name):
                kind, unit = VerdictKind(str(entry["verdict"])), str(entry["unit"])
                frame = self.program.units.get(unit)
                if kind in FINAL and frame is not None and entry["baseline"] == frame.assembly:
                    verdict = Verdict(kind, f"as judged before: {entry['detail']}")
                    search.known[unit, str(entry["text"])] = verdict
        except (StoreError, ValueError) as error:
            self.say(f"what was found before can't be read: {error}")
            return
        self._earlier = {
            unit: x
            for unit, x in found.items()
            if x is not None
            and x.baseline == self.program.units[unit].assembly
            and sure_enough(x.assurance, self.wanted)
        }

    def _take_up(self, search: Search) -> None:
        """Earlier rewrites are candidates; those found for this very program count as accepted,
        where they still are right on the recordings and look faster."""
        candidates = [
            Candidate(
                proposer=x.proposer,
                unit=unit,
                functions=x.functions,
                text=x.text,
                label=x.label,
                foreign="compilers" in x.proposer,
            )
            for unit, x in self._earlier.items()
        ]
        if not candidates:
            return
        self.say(f"earlier rewrites of {', '.join(self._earlier)}")
        search.try_together(candidates)
        own = [x for x in self._earlier.values() if x.program == self.name]
        best = max(search.trials, key=lambda x: x.ratio, default=None)
        if best is None or best.ratio < WORTH_MIXING or len(own) < len(candidates):
            return
        fastest = max(own, key=lambda x: x.speedup.ratio)
        known = [
            Known(unit, name, Assurance(self._earlier[unit].assurance), {})
            for unit, name in best.functions
        ]
        verdict = Verdict(VerdictKind.ACCEPTED, "from the store", {}, fastest.speedup)
        seconds = search.judge.baseline.seconds
        self._best = Found(
            best, verdict, seconds, seconds / best.ratio, (), Climbed(found=tuple(known))
        )
        self._note_accepted(self._best)
        self._put_in_place(self._best)

    def _keep(self, found: Found, keys: Mapping[str, UnitKey], search_key: str) -> None:
        """Together with earlier rewrites of the same units' other functions, which programs that
        share them may have; a search that may go on is not remembered as done."""
        del search_key
        if self.store is None or found.verdict.speedup is None:
            return
        try:
            whole = self._with_earlier(found)
        except (StoreError, ValueError) as error:
            self.say(f"earlier rewrites can't be kept: {error}")
            whole = found
        super()._keep(whole, keys, f"effort {self.name}")
        self._forget_others(whole, keys)

    def _forget_others(self, found: Found, keys: Mapping[str, UnitKey]) -> None:
        """What this program's last best had and this one has not would be applied beside it."""
        try:
            for unit, key in keys.items():
                stored = self.store.find(key) if self.store is not None else None
                if stored is None or stored.program != self.name or self.store is None:
                    continue
                if unit not in found.trial.admitted.texts:
                    self.store.remove(key)
        except (StoreError, ValueError) as error:
            self.say(f"a rewrite that was replaced stays in the store: {error}")

    def _with_earlier(self, found: Found) -> Found:
        trial, known = found.trial, list(found.climbed.found)
        for unit in found.trial.admitted.texts:
            rewrite = self._earlier.get(unit)
            taken = {name for u, name in found.trial.functions if u == unit}
            left = tuple(x for x in rewrite.functions if x not in taken) if rewrite else ()
            if rewrite is None or not left:
                continue
            candidate = Candidate(rewrite.proposer, unit, left, rewrite.text, rewrite.label)
            donor = self._search.judge.screen(candidate)
            if not isinstance(donor, Donor):
                continue
            more = self._search.combined((*trial.parts, (donor, left)))
            if more is not None:
                trial = more
                level = Assurance(rewrite.assurance)
                known += [Known(unit, x, level, {}) for x in left]
        climbed = replace(found.climbed, found=tuple(known))
        return replace(found, trial=trial, climbed=climbed)

    # The project's own tests

    def _climber(self, judge: Judge, search: Search, tasks: Sequence[Task]) -> Climber:
        self._search = search
        ladder = self._ladder(judge, tasks)
        if self.check is None:
            return ladder

        def alone(what: Combination, function: tuple[str, str]) -> Combination | None:
            giver = what.givers[function]
            candidate = Candidate(
                "", function[0], (function[1],), giver.text, foreign=giver.foreign
            )
            donor = judge.screen(candidate)
            if not isinstance(donor, Donor):
                return None
            texts = judge.splice({}, donor, (function[1],))
            if isinstance(texts, Verdict):
                return None
            built = self.program.build(texts, self.scratch / "alone")
            if isinstance(built, BuildStep):
                return None
            return Combination(texts, built, {function: giver})

        return Checked(ladder, self._checks, alone)

    def _checks(self, what: Combination) -> str:
        """The program is left as it was before."""
        if self.check is None:
            return ""
        self.say("running the project's tests")
        shipped = self._search.judge.shipped(what.texts)
        if isinstance(shipped, Verdict):
            return shipped.detail
        try:
            self.install(shipped)
            return self.check()
        finally:
            self.install(self._installed)

    def _checked_baseline(self) -> str:
        if self.check is None:
            return ""
        self.say("running the project's tests with gcc's own program")
        self.install({})
        return self.check()
