"""From ranked combinations to the one that ships: confirmed by the clock, then up the ladder.

The clock comes first because most that fall there fall at once (a few pairs say that it is
hopeless), while a climb that refutes nothing takes its whole time. What the ladder refuses is left
out, the rest is confirmed and examined anew, and then the next best has its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from gccllm.assurance.ladder import Climbed, Combination, Known
from gccllm.assurance.ladder.replay import agrees
from gccllm.assurance.ladder.unchanged import unchanged
from gccllm.assurance.levels import Assurance
from gccllm.errors import GccllmError
from gccllm.judge.judge import Donor, Judge
from gccllm.program import BuildStep
from gccllm.search.mixing import Mixing
from gccllm.search.search import WORTH_MIXING, Search
from gccllm.search.trial import Found, Parts, Seen, Trial
from gccllm.types import Json, Verdict

__all__ = ["Climber", "Conclusion"]

MOST_CONFIRMED = 3
"""that the clock refuses, before it is over"""
MOST_SEEN_AGAIN = 5
NEARLY = 0.8
"""of a gain, where there is time for one climb"""
WORTH_WAITING = 0.6
"""of a gain that is in doubt, a surer one has its turn before it"""
MOST_CLIMBS = 6


class Climber(Protocol):
    """What examines combinations: :class:`gccllm.assurance.ladder.Ladder`, or a fake."""

    wanted: Assurance

    @property
    def reserved(self) -> float:
        """Seconds that one climb to what is wanted takes."""
        ...

    def examine(self, what: Combination) -> Climbed: ...

    def doubted(self, what: Combination) -> bool: ...


@dataclass
class Conclusion:
    """Concludes one search. ``count`` is told stable words for counters."""

    search: Search
    ladder: Climber
    count: Callable[[str], None] = lambda word: None
    stands_first: bool = False
    """what the ladder leaves of a combination has its turn before all that looks faster, not only
    before what is about as fast: for a search that goes on when something is accepted, and may end
    before the rest is examined. It has it even when the time is over, once: most of the work was
    done by then"""
    again_pairs: int = 0
    """what looked best is timed again in so many pairs first: of many that were glanced at, the
    first are those that were lucky"""
    fallen: list[Known] = field(default_factory=list)
    """functions that the ladder refused"""
    _slow: list[Trial] = field(default_factory=list)
    """what the clock refused, in this run or an earlier one"""

    @property
    def judge(self) -> Judge:
        return self.search.judge

    def run(self, above: Trial | None = None) -> Found | None:
        """Improve the best combination, then confirm and examine; None when nothing passes.

        ``above``: what was accepted before; only what looks faster than that is considered.
        """
        least = max(WORTH_MIXING, above.ratio * WORTH_MIXING if above else 0.0)
        mixing = Mixing(self.search)
        composed = mixing.composed()
        ranked = self._seen_again(composed, above)
        if not ranked or ranked[0].ratio < WORTH_MIXING:
            return None
        best = mixing.pruned(mixing.mixed(ranked[0]))
        surer = self._surer(best, ranked)
        queue = _first([surer, best] if surer is not None else [best], ranked)
        waited: list[Trial] = []
        looked: list[Trial] = [*self._slow, *([above] if above else [])]
        slow = climbs = late = 0
        standing: Trial | None = None
        while queue and slow < MOST_CONFIRMED and climbs < MOST_CLIMBS:
            trial = queue.pop(0)
            if self.search.expired():
                if trial is not standing or late or not self.stands_first:
                    break
                late += 1
            left = self._without_refused(trial)
            if left is not trial:
                # What is left of it may be slower than the next one.
                queue = sorted([*queue, *([left] if left else [])], key=lambda x: -x.ratio)
                continue
            if trial in looked or trial.ratio < least:
                continue
            sooner = self._before_doubted(trial, queue) if trial not in waited else []
            if sooner:
                waited.append(trial)
                queue = _first([*sooner, trial], queue)
                continue
            looked.append(trial)
            found = self._confirmed(trial)
            if found is None:
                slow += 1
                self._slow.append(trial)
            elif found.verdict.accepted:
                return found
            else:
                climbs += 1
                standing = self._standing(trial, [x for x in queue if x not in looked])
                first = standing if self.stands_first else standing or trial
                queue[:0] = [first] if first else []
                # For what fell there may be a next best version.
                again = mixing.composed()
                queue += [again] if again is not None and again not in looked else []
        return None

    def _surer(self, best: Trial, ranked: list[Trial]) -> Trial | None:
        """Where there is time for one climb only: what replaces fewer functions than ``best`` and
        gains nearly as much. If one of them falls, what stands could not be examined any more."""
        turn = self.search.deadline - self.search.confirm_from + self.ladder.reserved
        if self.stands_first or time.monotonic() + turn < self.search.deadline:
            return None
        enough = 1 + NEARLY * (best.ratio - 1)
        fewer = [x for x in ranked if {*x.functions} < {*best.functions} and x.ratio >= enough]
        return min(fewer, key=lambda x: (len(x.functions), -x.ratio), default=None)

    def _standing(self, trial: Trial, others: list[Trial]) -> Trial | None:
        """What the ladder left of a combination, where that has its turn before all ``others``."""
        left = self._without_refused(trial)
        if left is None or self.stands_first:
            return left
        best = max((x.ratio for x in others), default=1.0)
        return left if left.ratio >= 1 + WORTH_WAITING * (best - 1) else None

    def _before_doubted(self, trial: Trial, others: list[Trial]) -> list[Trial]:
        """What has its turn before a combination that the ABI check has doubts about, for that
        one's climb would most likely be in vain: all that looks nearly as fast and raises none."""
        enough = 1 + WORTH_WAITING * (trial.ratio - 1)
        near = [x for x in others if x.ratio >= enough]
        return [x for x in near if not self._doubted(x)] if near and self._doubted(trial) else []

    def _doubted(self, trial: Trial) -> bool:
        replaced, trial = trial.functions, self._changed(trial)
        return self.ladder.doubted(trial.combination(replaced))

    def _seen_again(self, composed: Trial | None, above: Trial | None) -> list[Trial]:
        """All combinations, the most promising first."""

        def ranked() -> list[Trial]:
            return sorted(self.search.trials, key=lambda x: -x.ratio)

        done = [*self._slow, *([above] if above else [])]
        first = [x for x in ranked() if x.ratio >= WORTH_MIXING][:MOST_SEEN_AGAIN]
        if composed is not None and not any(x is composed for x in first):
            first.append(composed)
        for trial in [x for x in first if x not in done] if self.again_pairs else []:
            if time.monotonic() > self.search.confirm_from:
                break
            self.search.seen_again(trial, self.again_pairs)
        return ranked()

    def _confirmed(self, trial: Trial) -> Found | None:
        """None where the clock refuses it; not accepted where the ladder does."""
        self.search.say(f"confirming {trial.label}")
        verdict, pairs = self.judge.clock.confirm(trial.admitted)
        if not verdict.accepted:
            self._notice(trial, verdict)
            return None
        self.search.say(f"examining {trial.label}")
        replaced, trial = trial.functions, self._changed(trial)
        climbed = self.ladder.examine(trial.combination(replaced))
        for word in climbed.counted:
            self.count(f"ladder:{word}")
        if climbed.fallen:
            verdict = self._let_fall(trial, climbed)
        else:
            ladder: dict[str, Json] = {
                "assurance": climbed.level.value,
                "ladder": climbed.evidence(),
                "ladder_seconds": round(climbed.seconds, 3),
            }
            verdict = replace(verdict, evidence={**verdict.evidence, **ladder})
            self._notice(trial, verdict)
        count = len(pairs.baseline_cpu)
        return Found(
            trial,
            verdict,
            sum(pairs.baseline_cpu) / count,
            sum(pairs.candidate_cpu) / count,
            tuple(pairs.control_ratios),
            climbed,
        )

    def _notice(self, trial: Trial, verdict: Verdict) -> None:
        """The verdict on a combination is one on what each donor gave to it."""
        for donor, names in trial.parts:
            self.search.notice(Seen(donor.candidate, names, verdict))

    def _let_fall(self, trial: Trial, climbed: Climbed) -> Verdict:
        """Each function that the ladder refuses gets a verdict of its own; the first one's."""
        verdicts = []
        for known in self._guilty(trial, climbed):
            donor = trial.giver(known.unit, known.function)
            verdict = replace(known.verdict(self.ladder.wanted), seconds=climbed.seconds)
            self.search.notice(Seen(donor.candidate, (known.function,), verdict))
            self.count(f"assurance:{known.refuted or known.short}")
            self.fallen.append(known)
            self.search.refused.add((known.unit, known.function, donor.tag))
            verdicts.append(verdict)
        return verdicts[0]

    def _guilty(self, trial: Trial, climbed: Climbed) -> tuple[Known, ...]:
        """Of a combination that runs otherwise, the functions without which it does not."""
        fallen = climbed.fallen
        if len(fallen) == 1 or fallen[0].refuted != "fuzz":
            return fallen
        counterexample = fallen[0].rungs["fuzz"].evidence.get("counterexample")
        if not isinstance(counterexample, dict):
            return fallen
        guilty = tuple(
            x for x in fallen if self._agrees_without(trial, (x.unit, x.function), counterexample)
        )
        return guilty or fallen

    def _agrees_without(
        self, trial: Trial, function: tuple[str, str], counterexample: dict[str, Json]
    ) -> bool:
        parts = _less(trial, lambda d, name: (d.candidate.unit, name) == function)
        texts = self.search.spliced_all(parts)
        if texts is None:
            return False
        arena, baseline = self.judge.arena, self.judge.baseline
        built = arena.program.build(texts, arena.scratch / "without")
        if isinstance(built, BuildStep):
            return False
        programs = (baseline.build.executable, built.executable)
        limits = baseline.limits()
        try:
            return agrees(
                arena.sandbox, programs, arena.recording, counterexample, limits, arena.core
            )
        except (GccllmError, OSError):
            return False

    def _changed(self, trial: Trial) -> Trial:
        """Without functions that are gcc's own after all: nothing is to be said about them."""

        def same(donor: Donor, name: str) -> bool:
            return unchanged(self.judge.base(donor.candidate.unit), donor.unit, name)

        parts = _less(trial, same)
        return replace(trial, parts=parts) if parts else trial

    def _without_refused(self, trial: Trial) -> Trial | None:
        """The combination less what the ladder refused; None where nothing is left of it."""

        def refused(donor: Donor, name: str) -> bool:
            return (donor.candidate.unit, name, donor.tag) in self.search.refused

        if not any(refused(d, name) for d, names in trial.parts for name in names):
            return trial
        parts = _less(trial, refused)
        return self.search.combined(parts) if parts else None


def _first(some: list[Trial], queue: list[Trial]) -> list[Trial]:
    """``some``, and then the rest of the queue."""
    return [*some, *(x for x in queue if x not in some)]


def _less(trial: Trial, leave_out: Callable[[Donor, str], bool]) -> Parts:
    """The parts of a combination without some functions."""
    kept = ((d, tuple(n for n in names if not leave_out(d, n))) for d, names in trial.parts)
    return tuple((d, names) for d, names in kept if names)
