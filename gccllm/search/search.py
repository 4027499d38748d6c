"""The search: which candidates to try on which functions, and which combination to keep.

Every candidate is a donor of functions. Its hot functions are spliced into the baseline together
(or apart, where they can't go together), and what is right gets a glance at the clock. The best
is then improved function by function with what the other donors have to offer. What becomes of the
ranked combinations is for :mod:`gccllm.search.conclusion`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gccllm.errors import GccllmError
from gccllm.judge.judge import Donor, Judge
from gccllm.proposers.base import Attempt, Proposer, Task
from gccllm.search.ahead import ahead
from gccllm.search.trial import Parts, Seen, Trial
from gccllm.types import Candidate, HotFunction, Verdict, VerdictKind

__all__ = ["Search"]

WORTH_MIXING = 1.02
MOST_MIXED_DONORS = 3
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
    _tried: dict[str, tuple[Verdict, Trial | None]] = field(default_factory=dict)
    _confirm_from: float = 0.0
    """time.monotonic() from which on what is left is needed for confirming"""

    def __post_init__(self) -> None:
        baseline = self.judge.baseline
        walls = ((baseline.times.wall[x.index], x.repeats) for x in baseline.timed)
        once = sum((wall + RUN_SECONDS) * repeats for wall, repeats in walls)
        left = self.deadline - time.monotonic()
        self._confirm_from = self.deadline - min(CONFIRM_RUNS * once, 0.6 * left)

    def gather(self, proposers: Sequence[Proposer], tasks: Sequence[Task], refine: int) -> None:
        """Try what the proposers offer until they have no more or the time for it is over."""
        now = time.monotonic()
        share = 1 - (MIXING_SHARE if self._several_hot else 0.0)
        until = now + share * (self._confirm_from - now)
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
        donor = self.judge.screen(candidate)
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
        key = hashlib.sha256(repr(sorted(texts.items())).encode("utf-8", "replace")).hexdigest()
        earlier = self._tried.get(key)
        if earlier is not None:
            verdict, trial = earlier
            return replace(verdict, detail=f"as an earlier candidate: {verdict.detail}"), trial
        admitted = self.judge.admit(texts)
        trial = None
        verdict = admitted if isinstance(admitted, Verdict) else self.judge.clock.glance(admitted)
        if not isinstance(admitted, Verdict) and verdict.kind is VerdictKind.NOT_FASTER:
            ratio = verdict.speedup.ratio if verdict.speedup else 1.0
            trial = Trial(parts, admitted, ratio)
            self.trials.append(trial)
        self._tried[key] = verdict, trial
        return verdict, trial

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
        for name in wanted:
            done = self.judge.splice(texts, donor, [name])
            if not isinstance(done, Verdict):
                texts = done
                alone.append(name)
        if alone:
            return texts, tuple(alone)
        return refused or Verdict(VerdictKind.UNCHANGED, "nothing to splice")

    def _wanted(self, donor: Donor) -> tuple[str, ...]:
        offered = donor.candidate.functions or tuple(donor.unit.functions)
        if donor.candidate.functions:
            return tuple(x for x in offered if x in donor.unit.functions)
        hot = self.hot.get(donor.candidate.unit, ())
        return tuple(x.name for x in hot if x.name in offered)

    def mixed(self, best: Trial) -> Trial:
        """Replace single functions of the best combination by other donors' where that helps."""
        hot = [(u, x) for u, functions in self.hot.items() for x in functions]
        if not self._several_hot:
            return best
        for unit, function in sorted(hot, key=lambda x: -x[1].share):
            givers = [
                (trial, donor)
                for trial in sorted(self.trials, key=lambda x: -x.ratio)
                for donor, names in trial.parts
                if donor.candidate.unit == unit and function.name in names
            ]
            for _, donor in givers[:MOST_MIXED_DONORS]:
                if time.monotonic() > self._confirm_from:
                    return best
                mixed = self._with(best, donor, function.name)
                if mixed is not None and mixed.ratio > best.ratio * WORTH_MIXING:
                    self.say(f"{function.name} from {donor.candidate.label}")
                    best = mixed
        return best

    def _with(self, trial: Trial, donor: Donor, name: str) -> Trial | None:
        unit = donor.candidate.unit
        parts = [
            (d, tuple(n for n in names if d.candidate.unit != unit or n != name))
            for d, names in trial.parts
        ]
        if any(d is donor and name in names for d, names in trial.parts):
            return None
        parts = [(d, names) for d, names in parts if names] + [(donor, (name,))]
        return self.combined(tuple(parts))

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
    def _several_hot(self) -> bool:
        return sum(len(x) for x in self.hot.values()) > 1

    def expired(self) -> bool:
        """Whether the time for all of it is over."""
        return time.monotonic() > self.deadline
