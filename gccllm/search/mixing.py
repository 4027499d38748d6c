"""Improving a combination: each function from the donor that it gains most with."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gccllm.judge.judge import Donor
from gccllm.search.attribution import Gain
from gccllm.search.search import WORTH_MIXING, Search
from gccllm.search.trial import Parts, Trial

__all__ = ["Mixing"]

LEAST_GAIN = 0.003
"""of the whole time, for a function's rewrite to be worth anything"""
AS_FAST = 0.997
LITTLE = 0.1
"""of the time: who takes less hardly gains anything, and what is not there can't be wrong"""
MOST_LEFT_OUT = 4
ALIKE = 0.985
"""as fast as before, as far as a glance tells"""
MOST_MIXED_DONORS = 3


@dataclass(frozen=True)
class Mixing:
    """Mixes what one search has found."""

    search: Search

    def mixed(self, best: Trial) -> Trial:
        """Replace single functions of the best combination by other donors' where that helps."""
        hot = [(u, x) for u, functions in self.search.hot.items() for x in functions]
        if not self.search.several_hot:
            return best
        for unit, function in sorted(hot, key=lambda x: -x[1].share):
            for gain in self._givers(unit, function.name)[:MOST_MIXED_DONORS]:
                if time.monotonic() > self.search.confirm_from:
                    return best
                mixed = self._with(best, gain.donor, gain.names)
                if mixed is not None and mixed.ratio > best.ratio * WORTH_MIXING:
                    self.search.say(f"{function.name} from {gain.donor.candidate.label}")
                    best = mixed
        return best

    def _givers(self, unit: str, name: str) -> list[Gain]:
        """Who has a right version of a function, and with what others; the most promising first."""
        if self.search.attribution is not None:
            return [
                gain
                for gain in self.search.attribution.best(unit, name)
                if gain.amount >= LEAST_GAIN
                and not any((unit, x, gain.donor.tag) in self.search.refused for x in gain.names)
            ]
        return [
            Gain(trial.ratio, donor, group.names)
            for trial in sorted(self.search.trials, key=lambda x: -x.ratio)
            for donor, names in trial.parts
            if donor.candidate.unit == unit
            for group in self.search.given(donor, names)
            if name in group.accounts
        ]

    def composed(self) -> Trial | None:
        """Each function from the donor that it gains most with; None without an attribution."""
        if self.search.attribution is None:
            return None
        parts: dict[str, tuple[Donor, list[str]]] = {}
        for unit, functions in self.search.hot.items():
            offers = {x.name: self._givers(unit, x.name) for x in functions}
            for gain in _chosen(offers):
                parts.setdefault(gain.donor.tag, (gain.donor, []))[1].extend(gain.names)
        return self.search.combined(tuple((d, tuple(names)) for d, names in parts.values()))

    def pruned(self, trial: Trial) -> Trial:
        """Less the functions that gain nothing by themselves: what is not there can't be wrong."""
        if len(trial.functions) < 2:
            return trial
        if self.search.attribution is None:
            return self._less_of_little(trial)
        idle = {
            (donor.tag, gain.names): (gain, donor)
            for donor, names in trial.parts
            for name, gain in self.search.attribution.of(donor).items()
            if gain.amount < LEAST_GAIN and name in names
        }
        least = sorted(idle.values(), key=lambda x: x[0].amount)
        return self._less(trial, [(donor, gain.names) for gain, donor in least], AS_FAST)

    def _less_of_little(self, trial: Trial) -> Trial:
        """Less what little of the time goes to, where that makes no difference at a glance."""
        shares = {(u, x.name): x.share for u, some in self.search.hot.items() for x in some}
        little: list[tuple[float, Donor, tuple[str, ...]]] = []
        for donor, names in trial.parts:
            unit = donor.candidate.unit
            for group in self.search.given(donor, names):
                share = sum(shares.get((unit, x), 0.0) for x in group.accounts)
                if share < LITTLE:
                    little.append((share, donor, group.names))
        least = sorted(little, key=lambda x: x[0])[:MOST_LEFT_OUT]
        return self._less(trial, [(donor, names) for _, donor, names in least], ALIKE)

    def _less(
        self, trial: Trial, given: Sequence[tuple[Donor, tuple[str, ...]]], as_fast: float
    ) -> Trial:
        """Less what donors gave, one after the other, where it stays ``as_fast`` without."""
        for donor, names in given:
            less = _without(trial.parts, donor, names)
            if not less or time.monotonic() > self.search.confirm_from:
                break
            without = self.search.combined(less)
            if without is not None and without.ratio >= trial.ratio * as_fast:
                trial = without
        return trial

    def _with(self, trial: Trial, donor: Donor, wanted: tuple[str, ...]) -> Trial | None:
        unit = donor.candidate.unit
        if any(d is donor and set(wanted) <= set(names) for d, names in trial.parts):
            return None
        parts = [
            (d, tuple(n for n in names if d.candidate.unit != unit or n not in wanted))
            for d, names in trial.parts
        ]
        parts = [(d, names) for d, names in parts if names] + [(donor, wanted)]
        return self.search.combined(tuple(parts))


def _chosen(offers: Mapping[str, Sequence[Gain]]) -> list[Gain]:
    """Of what functions of one unit can gain, what is to be had together.

    ``offers`` by hot function. Functions that are taken together have to gain more than what they
    exclude.
    """
    found: dict[tuple[str, tuple[str, ...]], tuple[Gain, set[str]]] = {}
    for name, gains in offers.items():
        for gain in gains:
            found.setdefault((gain.donor.tag, gain.names), (gain, {*gain.names}))[1].add(name)
    taken: list[tuple[Gain, set[str]]] = []
    for gain, covers in sorted(found.values(), key=lambda x: (len(x[1]), -x[0].amount)):
        apart = [x for x in taken if not x[1] & covers]
        if gain.amount > sum(x.amount for x, rival in taken if rival & covers):
            taken = [*apart, (gain, covers)]
    return [gain for gain, _ in taken]


def _without(parts: Parts, donor: Donor, less: Sequence[str]) -> Parts:
    """Less some functions of one donor."""
    kept = ((d, tuple(n for n in names if d is not donor or n not in less)) for d, names in parts)
    return tuple((d, names) for d, names in kept if names)
