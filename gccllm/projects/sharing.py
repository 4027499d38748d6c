"""One search on several lanes: its owner puts layers into the queue, every lane takes from it.

A lane judges up to the glance that ranks, and says what was right, how fast, and which function
gains. The owner builds what is promising again; confirming and the ladder are its own work, on its
own core, so nothing that a lane says is taken for more than a hint about speed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gccllm.judge.judge import Donor
from gccllm.projects.queue import Job, Queue
from gccllm.search import Gain, Search, Seen
from gccllm.types import Candidate, Json, Speedup, Verdict, VerdictKind

__all__ = ["SharedLayers", "judge_job", "processor"]

JOB_SECONDS = 300.0
MOST_WAITING = 3
"""layers in the queue before their owner judges one itself"""
POLL_SECONDS = 0.2
WORTH_BUILDING = 0.98
"""a combination that was slower is not built again; its verdicts count all the same"""


def processor() -> str:
    """The CPU's model: only on the same one do ratios mean the same."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return "unknown"
    names = (x.partition(":")[2].strip() for x in text.splitlines() if x.startswith("model name"))
    return next(names, "unknown")


def judge_job(search: Search, job: Job, seen: list[Seen]) -> dict[str, Json]:
    """Judge a layer on this lane; ``seen`` is what the search's ``notice`` appends to."""
    first, known = len(search.trials), len(seen)
    search.try_together(job.layer)
    index = {(x.unit, x.label, x.text): number for number, x in enumerate(job.layer)}

    def number(candidate: Candidate) -> int:
        return index[candidate.unit, candidate.label, candidate.text]

    trials: list[Json] = []
    for trial in search.trials[first:]:
        parts: list[Json] = []
        for donor, names in trial.parts:
            found = search.attribution.of(donor) if search.attribution else {}
            gains: list[Json] = [[x, g.amount, list(g.names)] for x, g in found.items()]
            parts.append([number(donor.candidate), list(names), gains])
        trials.append([parts, trial.ratio, trial.admitted.tests_run])
    verdicts: list[Json] = [
        [number(x.candidate), list(x.functions), *_verdict_as_json(x.verdict)] for x in seen[known:]
    ]
    return {"trials": trials, "verdicts": verdicts}


class SharedLayers:
    """The owner's side: what :func:`gccllm.search.gather_layers` gives its layers to."""

    def __init__(self, queue: Queue, announced: str, search: Search) -> None:
        self._queue = queue
        self._announced = announced
        self._search = search

    def judge(self, layer: Sequence[Candidate]) -> None:
        """Put it into the queue; where the lanes are behind, do what is oldest."""
        self._queue.put(self._announced, layer)
        if self._queue.left(self._announced) > MOST_WAITING:
            self._work()
        self._collect()

    def drain(self, until: float) -> None:
        """Until nothing is left, or ``until`` (time.monotonic()); what lanes still have is lost."""
        while time.monotonic() < until and self._queue.left(self._announced):
            if not self._work():
                time.sleep(POLL_SECONDS)
            self._collect()
        self._collect()

    def _work(self) -> bool:
        job = self._queue.take(self._announced, JOB_SECONDS)
        if job is None:
            return False
        self._search.try_together(job.layer)
        self._queue.finish(job, {"trials": [], "verdicts": []})
        return True

    def _collect(self) -> None:
        for job in self._queue.collect(self._announced):
            if job.result is not None:
                self._adopt(job, job.result)

    def _adopt(self, job: Job, result: Mapping[str, Any]) -> None:
        search = self._search
        for number, functions, kind, detail, speedup, tests_run, seconds in result["verdicts"]:
            measured = Speedup(*speedup) if speedup else None
            verdict = Verdict(VerdictKind(kind), detail, {}, measured, tests_run, seconds)
            search.notice(Seen(job.layer[number], tuple(functions), verdict))
        for parts, ratio, tests_run in result["trials"]:
            donors = [(search.judge.screen(job.layer[n]), names, x) for n, names, x in parts]
            if ratio < WORTH_BUILDING or not all(isinstance(x, Donor) for x, _, _ in donors):
                continue
            own = tuple((x, tuple(names)) for x, names, _ in donors if isinstance(x, Donor))
            if search.adopt(own, ratio, tests_run) is None or search.attribution is None:
                continue
            for donor, _, gains in donors:
                for name, amount, together in gains:
                    if isinstance(donor, Donor):
                        gain = Gain(amount, donor, tuple(together))
                        search.attribution.note(name, gain)


def _verdict_as_json(verdict: Verdict) -> list[Json]:
    value = verdict.speedup
    speedup: Json = [value.ratio, value.low, value.high, value.pairs] if value else None
    return [verdict.kind.value, verdict.detail, speedup, verdict.tests_run, verdict.seconds]
