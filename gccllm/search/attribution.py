"""Which function a combination gains its time in, from one profile of it beside the baseline's.

Many candidates of different functions are so judged by one build and a few runs. Samples are few
and what is inlined moves from one function to another, so this only orders what is timed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gccllm.errors import GccllmError
from gccllm.judge.judge import Donor, Judge
from gccllm.profile import FunctionMap, profiled_build, samples_of
from gccllm.program import BuildStep
from gccllm.sandbox.base import Ending
from gccllm.search.trial import Trial

__all__ = ["Attribution"]

ENOUGH_SAMPLES = 600
MOST_SECONDS = 6.0
"""that a profile may take"""
LEAST_SECONDS = 0.005
"""what a run costs at least"""


@dataclass
class Attribution:
    """What each donor's version of a function gains, as a share of the baseline's whole time."""

    judge: Judge
    gains: dict[tuple[str, str], list[tuple[float, Donor]]] = field(default_factory=dict)
    """by (unit, function), in the order in which they were measured"""
    _baseline: Mapping[str, float] | None = None
    _number: int = 0

    def look(self, trial: Trial) -> None:
        """Profile a combination that is right; nothing is noted where that can't be done."""
        if self._baseline is None:
            self._baseline = self._seconds({})
        total = sum(self._baseline.values())
        if not total:
            return
        seconds = self._seconds(trial.admitted.texts)
        if not seconds:
            return
        for donor, names in trial.parts:
            brought = sum(x for name, x in seconds.items() if name.endswith(f".{donor.tag}"))
            before = sum(self._baseline.get(x, 0.0) for x in names) or 1.0
            for name in names:
                own = self._baseline.get(name, 0.0)
                # helpers that came along are charged to those that may call them
                now = seconds.get(name, 0.0) + brought * own / before
                self.note(donor, name, (own - now) / total)

    def note(self, donor: Donor, function: str, gain: float) -> None:
        """What a donor's version of a function gains, as it was found here or on another lane."""
        self.gains.setdefault((donor.candidate.unit, function), []).append((gain, donor))

    def best(self, unit: str, function: str) -> list[tuple[float, Donor]]:
        """What was measured of a function, the greatest gain first."""
        return sorted(self.gains.get((unit, function), []), key=lambda x: -x[0])

    def gain(self, unit: str, function: str, donor: Donor) -> float | None:
        """What a donor's version gains; None where it was not measured."""
        found = [gain for gain, x in self.gains.get((unit, function), []) if x is donor]
        return found[0] if found else None

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
