"""The search: which candidates to try on which functions, and which combination to keep.

Every candidate is a donor of functions. Its hot functions are spliced into the baseline together
(or apart, where they can't go together), and what is right gets a glance at the clock. The best
is then improved function by function with what the other donors have to offer, and the final
combination has to pass the whole rule of acceptance on fresh runs.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gccllm.errors import GccllmError
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Donor, Judge
from gccllm.proposers.base import Attempt, Proposer, Task
from gccllm.types import Candidate, HotFunction, Verdict, VerdictKind

__all__ = ["Found", "Search", "Seen", "Trial"]

WORTH_MIXING = 1.02
MOST_MIXED_DONORS = 3
MOST_CONFIRMED = 3
CONFIRM_RUNS = 160
RUN_SECONDS = 0.003
"""a confirmation takes about so many of the baseline's runs, each with so much around it"""


@dataclass(frozen=True)
class Trial:
    """A combination that is right: who gave which functions, and its speedup at a glance."""

    parts: tuple[tuple[Donor, tuple[str, ...]], ...]
    admitted: Admitted
    ratio: float

    @property
    def functions(self) -> tuple[tuple[str, str], ...]:
        """(unit, function) of everything replaced."""
        return tuple((d.candidate.unit, name) for d, names in self.parts for name in names)

    @property
    def label(self) -> str:
        return " + ".join(dict.fromkeys(d.candidate.label for d, _ in self.parts))

    @property
    def proposers(self) -> str:
        return "+".join(dict.fromkeys(d.candidate.proposer for d, _ in self.parts))


@dataclass(frozen=True)
class Seen:
    """A verdict on a candidate, for the record."""

    candidate: Candidate
    functions: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Found:
    """The accepted combination and the measurement that it was accepted on."""

    trial: Trial
    verdict: Verdict
    baseline_seconds: float
    optimized_seconds: float
    control_ratios: tuple[float, ...]


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
    _tried: dict[str, Verdict] = field(default_factory=dict)
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
        until = now + 0.8 * (self._confirm_from - now)
        for proposer in proposers:
            for task in tasks:
                attempts = self._try_all(proposer, replace(task, deadline=until))
                for _ in range(refine if proposer.refines else 0):
                    again = replace(task, deadline=until, attempts=tuple(attempts))
                    attempts = self._try_all(proposer, again)

    def conclude(self) -> Found | None:
        """Improve the best combination, then confirm; None when nothing passes the rule."""
        ranked = sorted(self.trials, key=lambda x: -x.ratio)
        if not ranked or ranked[0].ratio < WORTH_MIXING:
            return None
        mixed = self._mixed(ranked[0])
        ranked = [mixed, *(x for x in ranked if x is not mixed)]
        for trial in ranked[:MOST_CONFIRMED]:
            if trial.ratio < WORTH_MIXING or self._expired():
                break
            self.say(f"confirming {trial.label}")
            verdict, pairs = self.judge.clock.confirm(trial.admitted)
            candidate = trial.parts[0][0].candidate
            merged = replace(candidate, proposer=trial.proposers, label=trial.label)
            self.notice(Seen(merged, tuple(n for _, n in trial.functions), verdict))
            if verdict.accepted:
                count = len(pairs.baseline_cpu)
                return Found(
                    trial,
                    verdict,
                    sum(pairs.baseline_cpu) / count,
                    sum(pairs.candidate_cpu) / count,
                    tuple(pairs.control_ratios),
                )
        return None

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
                verdict = self._try(texts, ((donor, names),))
        verdict = replace(verdict, seconds=time.monotonic() - started)
        self.notice(Seen(candidate, names or candidate.functions, verdict))
        return verdict

    def _try(
        self, texts: dict[str, str], parts: tuple[tuple[Donor, tuple[str, ...]], ...]
    ) -> Verdict:
        key = hashlib.sha256(repr(sorted(texts.items())).encode("utf-8", "replace")).hexdigest()
        earlier = self._tried.get(key)
        if earlier is not None:
            return replace(earlier, detail=f"as an earlier candidate: {earlier.detail}")
        admitted = self.judge.admit(texts)
        verdict = admitted if isinstance(admitted, Verdict) else self.judge.clock.glance(admitted)
        self._tried[key] = verdict
        if not isinstance(admitted, Verdict) and verdict.kind is VerdictKind.NOT_FASTER:
            ratio = verdict.speedup.ratio if verdict.speedup else 1.0
            self.trials.append(Trial(parts, admitted, ratio))
        return verdict

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

    def _mixed(self, best: Trial) -> Trial:
        """Replace single functions of the best combination by other donors' where that helps."""
        hot = [(u, x) for u, functions in self.hot.items() for x in functions]
        if len(hot) < 2:
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
        texts: dict[str, str] = {}
        for giver, names in parts:
            done = self.judge.splice(texts, giver, names)
            if isinstance(done, Verdict):
                return None
            texts = done
        before = len(self.trials)
        self._try(texts, tuple(parts))
        return self.trials[-1] if len(self.trials) > before else None

    def _try_all(self, proposer: Proposer, task: Task) -> list[Attempt]:
        attempts: list[Attempt] = []
        try:
            for candidate in _ahead(proposer, task):
                if time.monotonic() > task.deadline:
                    break
                self.say(f"{task.unit}: {proposer.name}: {candidate.label}")
                attempts.append(Attempt(candidate, self.try_candidate(candidate)))
        except Exception as error:
            # One that fails, by whatever fault, must not cost what the others find.
            kind = "" if isinstance(error, GccllmError) else f"{type(error).__name__}: "
            self.failures.append(f"{proposer.name}: {kind}{error}")
        return attempts

    def _expired(self) -> bool:
        return time.monotonic() > self.deadline


def _ahead(proposer: Proposer, task: Task) -> Iterator[Candidate]:
    """The proposer's candidates, made in a thread while the judge is busy with earlier ones."""
    ready: queue.Queue[Candidate | BaseException | None] = queue.Queue(maxsize=4)
    stop = threading.Event()

    def put(item: Candidate | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def work() -> None:
        source = proposer.propose(task)
        try:
            for candidate in source:
                put(candidate)
                if stop.is_set():
                    break
            put(None)
        except BaseException as error:
            put(error)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name=f"propose-{proposer.name}", daemon=True)
    thread.start()
    try:
        while True:
            left = task.deadline - time.monotonic()
            try:
                item = ready.get(timeout=max(0.05, left))
            except queue.Empty:
                return
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join(timeout=10.0)
