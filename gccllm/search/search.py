"""The search: which candidates to try on which functions, and which combination to keep.

Every candidate is a donor of functions. Its hot functions are spliced into the baseline together
(or apart, where they can't go together), and what is right gets a glance at the clock. The best
is then improved by :mod:`gccllm.search.mixing`. What becomes of the ranked combinations is for
:mod:`gccllm.search.conclusion`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gccllm.errors import GccllmError
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Donor, Judge
from gccllm.program import BuildStep
from gccllm.proposers.base import Attempt, Proposer, Task
from gccllm.search.ahead import ahead
from gccllm.search.attribution import Attribution
from gccllm.search.groups import Group, groups
from gccllm.search.trial import Parts, Seen, Trial
from gccllm.types import Candidate, HotFunction, Verdict, VerdictKind

__all__ = ["WORTH_MIXING", "Search"]

WORTH_MIXING = 1.02
HOPELESS = 0.7
"""what is slower has no function worth a profile"""
MIXING_SHARE = 0.2
"""of the time for searching, where there are functions to be mixed"""
CONFIRM_RUNS = 160
RUN_SECONDS = 0.003
"""a confirmation takes about so many of the baseline's runs, each with so much around it"""


@dataclass
class Search:
    """One search over one program; ``notice`` is told each verdict as it falls."""

    judge: Judge
    hot: dict[str, tuple[HotFunction, ...]]
    """hot functions by unit, hottest first"""
    deadline: float
    notice: Callable[[Seen], None]
    say: Callable[[str], None] = lambda text: None
    trials: list[Trial] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """proposers that could not work, with the reason"""
    attribution: Attribution | None = None
    """where given, it orders what is mixed"""
    glance_pairs: int = 5
    refused: set[tuple[str, str, str]] = field(default_factory=set)
    """(unit, function, tag of the donor) of what may not be used any more"""
    known: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    """(unit, text of a candidate) → what was found wrong with it before"""
    confirm_from: float = 0.0
    """time.monotonic() from which on what is left is needed for confirming"""
    _tried: dict[str, tuple[Verdict, Trial | None]] = field(default_factory=dict)
    _groups: dict[tuple[str, str], tuple[Group, ...]] = field(default_factory=dict)
    """by unit and the donor's tag"""
    _adopted: int = 0

    def __post_init__(self) -> None:
        baseline = self.judge.baseline
        walls = ((baseline.times.wall[x.index], x.repeats) for x in baseline.timed)
        once = sum((wall + RUN_SECONDS) * repeats for wall, repeats in walls)
        left = self.deadline - time.monotonic()
        self.confirm_from = self.deadline - min(CONFIRM_RUNS * once, 0.6 * left)

    def gather(self, proposers: Sequence[Proposer], tasks: Sequence[Task], refine: int) -> None:
        """Try what the proposers offer until they have no more or the time for it is over."""
        now = time.monotonic()
        share = 1 - (MIXING_SHARE if self.several_hot else 0.0)
        until = now + share * (self.confirm_from - now)
        for number, proposer in enumerate(proposers):
            # A slow one must not leave the others without any.
            now = time.monotonic()
            deadline = now + (until - now) / (len(proposers) - number)
            for task in tasks:
                attempts = self._try_all(proposer, replace(task, deadline=deadline))
                for _ in range(refine if proposer.refines else 0):
                    again = replace(task, deadline=deadline, attempts=tuple(attempts))
                    attempts = self._try_all(proposer, again)

    def try_candidate(self, candidate: Candidate) -> Verdict:
        """Everything short of confirming, for one candidate; a right one becomes a trial."""
        started = time.monotonic()
        names: tuple[str, ...] = ()
        donor = self._screened(candidate)
        if isinstance(donor, Verdict):
            verdict = donor
        else:
            spliced = self._spliced(donor)
            if isinstance(spliced, Verdict):
                verdict = spliced
            else:
                texts, names = spliced
                verdict, _ = self._tried_out(texts, ((donor, names),))
        verdict = replace(verdict, seconds=time.monotonic() - started)
        self.notice(Seen(candidate, names or candidate.functions, verdict))
        return verdict

    def combined(self, parts: Parts) -> Trial | None:
        """The combination of what these donors give; None where they don't go together, or it is
        not right. What was tried before is not tried again."""
        texts = self.spliced_all(parts)
        return self._tried_out(texts, parts)[1] if texts else None

    def spliced_all(self, parts: Parts) -> dict[str, str] | None:
        """The units with what these donors give; None where they don't go together."""
        texts: dict[str, str] = {}
        for giver, names in parts:
            done = self.judge.splice(texts, giver, names)
            if not isinstance(done, Verdict):
                texts = done
            elif done.kind is not VerdictKind.UNCHANGED:
                return None
        return texts

    def _tried_out(self, texts: dict[str, str], parts: Parts) -> tuple[Verdict, Trial | None]:
        key = _key(texts)
        earlier = self._tried.get(key)
        if earlier is not None:
            verdict, trial = earlier
            return replace(verdict, detail=f"as an earlier candidate: {verdict.detail}"), trial
        admitted = self.judge.admit(texts)
        trial = None
        if isinstance(admitted, Verdict):
            verdict = admitted
        else:
            verdict = self.judge.clock.glance(admitted, self.glance_pairs)
        if not isinstance(admitted, Verdict) and verdict.kind is VerdictKind.NOT_FASTER:
            ratio = verdict.speedup.ratio if verdict.speedup else 1.0
            trial = Trial(parts, admitted, ratio)
            self.trials.append(trial)
            if self.attribution is not None and ratio > HOPELESS:
                self.attribution.look(trial, [(d, self.given(d, names)) for d, names in parts])
        self._tried[key] = verdict, trial
        return verdict, trial

    def seen_again(self, trial: Trial, pairs: int) -> Trial:
        """The combination with its speedup by so many fresh pairs, which did not choose it."""
        verdict = self.judge.clock.glance(trial.admitted, pairs)
        if verdict.speedup is None:
            return trial
        again = replace(trial, ratio=verdict.speedup.ratio)
        self.trials = [again if x is trial else x for x in self.trials]
        self._tried[_key(trial.admitted.texts)] = verdict, again
        return again

    def _screened(self, candidate: Candidate) -> Donor | Verdict:
        known = self.known.get((candidate.unit, candidate.text))
        return known or self.judge.screen(candidate)

    def _spliced(self, donor: Donor) -> tuple[dict[str, str], tuple[str, ...]] | Verdict:
        """The donor's hot functions together, else with all it has, else those that go alone."""
        unit = donor.candidate.unit
        wanted = self._wanted(donor)
        if not wanted:
            return Verdict(VerdictKind.UNCHANGED, "it offers none of the functions that matter")
        everything = tuple(x for x in self.judge.functions(unit) if x in donor.unit.functions)
        refused: Verdict | None = None
        for names in dict.fromkeys([wanted, everything]):
            if donor.candidate.functions and not set(names) <= set(donor.candidate.functions):
                continue
            done = self.judge.splice({}, donor, names)
            if not isinstance(done, Verdict):
                return done, names
            refused = refused or done
        texts: dict[str, str] = {}
        alone: list[str] = []
        for group in self.given(donor, wanted):
            for names in dict.fromkeys([group.names, *((x,) for x in group.names)]):
                done = self.judge.splice(texts, donor, names)
                if not isinstance(done, Verdict):
                    texts = done
                    alone += names
                    if names == group.names:
                        break
        if alone:
            return texts, tuple(alone)
        return refused or Verdict(VerdictKind.UNCHANGED, "nothing to splice")

    def _wanted(self, donor: Donor) -> tuple[str, ...]:
        offered = donor.candidate.functions
        if offered:
            return tuple(x for x in offered if x in donor.unit.functions)
        return tuple(x for group in self._grouped(donor) for x in group.names)

    def _grouped(self, donor: Donor) -> tuple[Group, ...]:
        """What is taken of a donor that is a whole unit, by what goes together."""
        unit = donor.candidate.unit
        if (unit, donor.tag) not in self._groups:
            hot = [x.name for x in self.hot.get(unit, ())]
            made = groups(self.judge.base(unit), donor.unit, hot) if hot else ()
            self._groups[unit, donor.tag] = made
        return self._groups[unit, donor.tag]

    def given(self, donor: Donor, names: Sequence[str]) -> list[Group]:
        """What a donor gives, by what goes together; functions that it gives for no hot one are by
        themselves."""
        whole = () if donor.candidate.functions else self._grouped(donor)
        parts = [(tuple(x for x in g.names if x in names), g.covers) for g in whole]
        found = [Group(some, covers) for some, covers in parts if some]
        taken = {x for group in found for x in group.names}
        return found + [Group((x,), (x,)) for x in names if x not in taken]

    def moved(self, trial: Trial) -> dict[tuple[str, str], tuple[str, ...]]:
        """(unit, hot function) that others do the work of now, for they hold it inlined."""
        groups = [(d.candidate.unit, g) for d, names in trial.parts for g in self.given(d, names)]
        replaced = set(trial.functions)
        return {
            (unit, name): group.names
            for unit, group in groups
            for name in group.covers
            if (unit, name) not in replaced
        }

    def adopt(self, parts: Parts, ratio: float, tests_run: int) -> Trial | None:
        """A combination that another lane found right; None where it can't be built here."""
        texts = self.spliced_all(parts)
        if not texts:
            return None
        self._adopted += 1
        out = self.judge.arena.scratch / f"adopted-{self._adopted}"
        built = self.judge.program.build(texts, out)
        if isinstance(built, BuildStep):
            return None
        trial = Trial(parts, Admitted(texts, built, tests_run), ratio)
        self.trials.append(trial)
        return trial

    def try_together(self, candidates: Sequence[Candidate]) -> None:
        """Several candidates that don't interact in one build; each gets its verdict.

        One build and one pass over the recordings say whether all of them are right; where they are
        not, halves are tried. What each of them gains is then found by one profile.
        """
        started = time.monotonic()
        offers: list[tuple[Candidate, Donor, tuple[str, ...]]] = []
        texts: dict[str, str] = {}
        alone: list[Candidate] = []
        for candidate in candidates:
            donor = self._screened(candidate)
            names = self._wanted(donor) if isinstance(donor, Donor) else ()
            done = self.judge.splice(texts, donor, names) if isinstance(donor, Donor) else donor
            if isinstance(done, Verdict) or not names or isinstance(donor, Verdict):
                alone.append(candidate)
            else:
                texts = done
                offers.append((candidate, donor, names))
        if len(offers) < 2:
            alone = list(candidates)
        else:
            verdict, trial = self._tried_out(texts, tuple((d, names) for _, d, names in offers))
            if trial is None and verdict.kind is not VerdictKind.SUSPICIOUS:
                middle = len(offers) // 2
                self.try_together([x for x, _, _ in offers[:middle]])
                self.try_together([x for x, _, _ in offers[middle:]])
            else:
                shared = (time.monotonic() - started) / len(offers)
                told = replace(verdict, seconds=shared, detail=f"{verdict.detail}, with others")
                for candidate, _, names in offers:
                    self.notice(Seen(candidate, names, told))
        for candidate in alone:
            self.try_candidate(candidate)

    def _try_all(self, proposer: Proposer, task: Task) -> list[Attempt]:
        attempts: list[Attempt] = []
        try:
            for candidate in ahead(proposer, task):
                if time.monotonic() > task.deadline:
                    break
                self.say(f"{task.unit}: {proposer.name}: {candidate.label}")
                attempts.append(Attempt(candidate, self.try_candidate(candidate)))
        except Exception as error:
            # One that fails, by whatever fault, must not cost what the others find.
            kind = "" if isinstance(error, GccllmError) else f"{type(error).__name__}: "
            self.failures.append(f"{proposer.name}: {kind}{error}")
        return attempts

    @property
    def several_hot(self) -> bool:
        return sum(len(x) for x in self.hot.values()) > 1

    def expired(self) -> bool:
        """Whether the time for all of it is over."""
        return time.monotonic() > self.deadline


def _key(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(texts.items())).encode("utf-8", "replace")).hexdigest()
