"""Judging at scale: many check, few time, nobody waits without end.

    answer ─▶ bounded queue ─▶ a checking lane: screen, build, every recording ─wrong─▶ verdict
                                     └─right─▶ a timing lane: a core of its own ─▶ verdict

A timing lane has its core to itself (:mod:`gccllm.lanes`), so only answers that are right get one.
A program goes to the same lane each time, where it stays open, unless that one is busy and another
is free. What does not get a place in the queue in time is unjudged, and so is what a lane
does not answer in time; that lane is started anew. Lanes are processes here or Ray actors anywhere
(:mod:`trainer.on_verl.lanes`); a court does not care.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from gccllm.types import Verdict, VerdictKind
from trainer.ppo.service import Question

__all__ = ["AsksLane", "Court", "Figures"]


class AsksLane(Protocol):
    """Whoever judges one answer at a time."""

    def ask(self, task: Any, answer: str) -> Verdict:
        """The verdict; unjudged if it does not come in time. Never raises."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Figures:
    """What a court has done since it was opened. ``seconds`` of wall time; ``checking`` and
    ``timing`` are how much of their lanes' time was used, 0 to 1; ``waited`` the mean seconds that
    an answer stood in the queue; ``refused`` found no place in it in time."""

    verdicts: int
    refused: int
    unjudged: int
    timed: int
    seconds: float
    a_second: float
    checking: float
    timing: float
    waited: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class _Bench:
    """Lanes of one kind, which of them are free, and how long they were used."""

    def __init__(self, lanes: Sequence[AsksLane]) -> None:
        self.lanes = list(lanes)
        self.busy = 0.0
        self._free = set(range(len(self.lanes)))
        self._changed = threading.Condition()

    @contextmanager
    def _held(self, wanted: int) -> Iterator[int]:
        """The wanted lane if it is free, else the first that is or becomes so."""
        with self._changed:
            while not self._free:
                self._changed.wait()
            number = wanted if wanted in self._free else min(self._free)
            self._free.remove(number)
        started = time.monotonic()
        try:
            yield number
        finally:
            with self._changed:
                self.busy += time.monotonic() - started
                self._free.add(number)
                self._changed.notify()

    def ask(self, task: Question, answer: str) -> Verdict:
        name = hashlib.sha256(task.program.name.encode()).digest()
        with self._held(int.from_bytes(name, "big") % len(self.lanes)) as number:
            return self.lanes[number].ask(task, answer)


class Court:
    """A context manager: its end closes the lanes. For any number of threads.

    Without ``checking`` lanes the timing lanes do everything. ``queue`` answers wait or are being
    judged at most, each for ``patience`` seconds until it has a place.
    """

    def __init__(
        self,
        checking: Sequence[AsksLane],
        timing: Sequence[AsksLane],
        *,
        queue: int = 256,
        patience: float = 600.0,
    ) -> None:
        self._checking = _Bench(checking)
        self._timing = _Bench(timing)
        self._places = threading.BoundedSemaphore(queue)
        self._patience = patience
        self._counts: Counter[str] = Counter()
        self._waited = 0.0
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def __enter__(self) -> Court:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for lane in (*self._checking.lanes, *self._timing.lanes):
                stack.callback(lane.close)

    @property
    def checking_lanes(self) -> Sequence[AsksLane]:
        """Those that check and do not time."""
        return self._checking.lanes

    @property
    def timing_lanes(self) -> Sequence[AsksLane]:
        """Those that time."""
        return self._timing.lanes

    def verdict(self, task: Question, answer: str) -> Verdict:
        """The verdict on one answer; unjudged where the queue is full for too long."""
        started = time.monotonic()
        if not self._places.acquire(timeout=self._patience):
            self._note("refused", time.monotonic() - started)
            return Verdict(VerdictKind.UNJUDGED, "the queue of the judges is full")
        waited = time.monotonic() - started
        try:
            verdict = self._judged(task, answer)
        finally:
            self._places.release()
        self._note("unjudged" if verdict.kind is VerdictKind.UNJUDGED else "judged", waited)
        return verdict

    def figures(self) -> Figures:
        """How it goes."""
        with self._lock:
            counts, waited = Counter(self._counts), self._waited
        seconds = max(1e-9, time.monotonic() - self._started)
        verdicts = counts["judged"] + counts["unjudged"]
        checkers, timers = len(self._checking.lanes), len(self._timing.lanes)
        return Figures(
            verdicts=verdicts,
            refused=counts["refused"],
            unjudged=counts["unjudged"],
            timed=counts["timed"],
            seconds=round(seconds, 3),
            a_second=round(verdicts / seconds, 4),
            checking=round(self._checking.busy / seconds / max(1, checkers), 4),
            timing=round(self._timing.busy / seconds / max(1, timers), 4),
            waited=round(waited / max(1, verdicts + counts["refused"]), 4),
        )

    def _judged(self, task: Question, answer: str) -> Verdict:
        if self._checking.lanes:
            verdict = self._checking.ask(task, answer)
            # Right, and not timed: whoever checks has no core to time on.
            if verdict.kind is not VerdictKind.NOT_FASTER or not self._timing.lanes:
                return verdict
        with self._lock:
            self._counts["timed"] += 1
        return self._timing.ask(task, answer)

    def _note(self, what: str, waited: float) -> None:
        with self._lock:
            self._counts[what] += 1
            self._waited += waited
