"""Which function a combination gains its time in, from one profile of it beside the baseline's.

Many candidates of different functions are so judged by one build and a few runs. Samples are few
and what is inlined moves from one function to another, so this only orders what is timed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gccllm.errors import GccllmError
from gccllm.judge.judge import Donor, Judge
from gccllm.profile import FunctionMap, profiled_build, samples_of
from gccllm.program import BuildStep
from gccllm.sandbox.base import Ending
from gccllm.search.groups import Group
from gccllm.search.trial import Trial

__all__ = ["Attribution", "Gain"]

ENOUGH_SAMPLES = 600
MOST_SECONDS = 6.0
"""that a profile may take"""
LEAST_SECONDS = 0.005
"""what a run costs at least"""


class Gain(NamedTuple):
    """What it gains to take ``names`` from a donor, as a share of the baseline's whole time."""

    amount: float
    donor: Donor
    names: tuple[str, ...]


@dataclass
class Attribution:
    """What each donor's version of a function gains; of functions that are taken together, all of
    them gain it, and so do hot ones that became part of them."""

    judge: Judge
    gains: dict[tuple[str, str], list[Gain]] = field(default_factory=dict)
    """by (unit, function), in the order in which they were measured"""
    _baseline: Mapping[str, float] | None = None
    _number: int = 0

    def look(self, trial: Trial, grouped: Sequence[tuple[Donor, Sequence[Group]]]) -> None:
        """Profile a combination that is right; nothing is noted where that can't be done.

        ``grouped``: what each donor gives to it, by what is taken together.
        """
        if self._baseline is None:
            self._baseline = self._seconds({})
        total = sum(self._baseline.values())
        if not total:
            return
        seconds = self._seconds(trial.admitted.texts)
        if not seconds:
            return
        for donor, given in grouped:
            brought = sum(x for name, x in seconds.items() if name.endswith(f".{donor.tag}"))
            before = sum(_sum(self._baseline, x.accounts) for x in given) or 1.0
            for group in given:
                own = _sum(self._baseline, group.accounts)
                # helpers that came along are charged to those that may call them
                now = _sum(seconds, group.accounts) + brought * own / before
                self._note_group(donor, group, (own - now) / total, seconds)

    def _note_group(
        self, donor: Donor, group: Group, amount: float, seconds: Mapping[str, float]
    ) -> None:
        gain = Gain(amount, donor, group.names)
        for name in group.accounts:
            idle = not seconds.get(name) and not (self._baseline or {}).get(name)
            self.note(name, Gain(0.0, donor, (name,)) if idle else gain)

    def note(self, function: str, gain: Gain) -> None:
        """What a function gains, as it was found here or on another lane."""
        self.gains.setdefault((gain.donor.candidate.unit, function), []).append(gain)

    def best(self, unit: str, function: str) -> list[Gain]:
        """What was measured of a function, the greatest gain first."""
        return sorted(self.gains.get((unit, function), []), key=lambda x: -x.amount)

    def of(self, donor: Donor) -> dict[str, Gain]:
        """What a donor's versions gain, by function, as it was first measured."""
        unit = donor.candidate.unit
        return {
            name: next(x for x in found if x.donor is donor)
            for (where, name), found in self.gains.items()
            if where == unit and any(x.donor is donor for x in found)
        }

    def _seconds(self, texts: Mapping[str, str]) -> dict[str, float]:
        """user+sys seconds by function, of one pass over the timed cases."""
        arena, baseline = self.judge.arena, self.judge.baseline
        self._number += 1
        out = arena.scratch / f"attributed-{self._number}"
        built = profiled_build(arena.program, out, texts)
        if isinstance(built, BuildStep):
            return {}
        names = FunctionMap(built)
        seen: Counter[str] = Counter()
        cpu, spent, rounds = 0.0, 0.0, 0
        try:
            # It was right on every recording; timers are allowed to it here, and by what it says of
            # itself it can only come to be timed sooner.
            with arena.open({"profiled": built}, baseline.limits()) as session:
                while seen.total() < ENOUGH_SAMPLES and spent < MOST_SECONDS:
                    rounds += 1
                    for case in baseline.timed:
                        done, notes = session.profile("profiled", case.index)
                        if done.ending is not Ending.EXITED:
                            return {}
                        cpu += done.cpu
                        spent += max(done.wall, LEAST_SECONDS)
                        seen.update(names.name(x) for x in samples_of(notes))
        except GccllmError:
            return {}
        finally:
            built.unlink(missing_ok=True)
        samples = seen.total()
        return {x: cpu / rounds * n / samples for x, n in seen.items()} if samples else {}


def _sum(seconds: Mapping[str, float], names: Iterable[str]) -> float:
    return sum(seconds.get(x, 0.0) for x in names)
