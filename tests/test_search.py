"""The search over fakes: what a proposer does wrong stays its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from gccllm.errors import ProposerError
from gccllm.judge.judge import Judge
from gccllm.proposers.base import Task
from gccllm.search import Search, Seen
from gccllm.types import Candidate, Isa, Verdict, VerdictKind


@dataclass
class FakeProposer:
    """Yields candidates with these labels, then raises ``error``, if any."""

    labels: tuple[str, ...]
    error: Exception | None = None
    refines: bool = False
    name: str = "fake"
    asked: list[Task] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def propose(self, task: Task) -> Iterator[Candidate]:
        self.asked.append(task)
        try:
            for label in self.labels:
                yield Candidate(self.name, task.unit, (), "", label)
            if self.error is not None:
                raise self.error
        finally:
            self.closed.set()


def search_over(seen: list[Seen], seconds: float = 20.0) -> Search:
    """A search whose judge finds every candidate malformed."""
    judge: Any = SimpleNamespace(
        baseline=SimpleNamespace(timed=(), times=SimpleNamespace(wall=())),
        screen=lambda candidate: Verdict(VerdictKind.MALFORMED, candidate.label),
    )
    return Search(cast(Judge, judge), {}, time.monotonic() + seconds, seen.append)


def task(scratch: Path) -> Task:
    return Task("u", "", (), Isa("target", "t", frozenset()), scratch, time.monotonic() + 20)


def test_every_candidate_gets_a_verdict_in_order(tmp_path: Path) -> None:
    seen: list[Seen] = []
    search = search_over(seen)
    search.gather([FakeProposer(("a", "b", "c"))], [task(tmp_path)], 0)
    assert [x.verdict.detail for x in seen] == ["a", "b", "c"]
    assert search.failures == []
    assert search.conclude() is None


def test_a_failing_proposer_does_not_cost_the_others(tmp_path: Path) -> None:
    seen: list[Seen] = []
    search = search_over(seen)
    proposers = [
        FakeProposer(("a",), ProposerError("the server is down"), name="one"),
        FakeProposer((), RuntimeError("a bug"), name="two"),
        FakeProposer(("z",), name="three"),
    ]
    search.gather(proposers, [task(tmp_path)], 0)
    assert [x.candidate.label for x in seen] == ["a", "z"]
    assert search.failures == ["one: the server is down", "two: RuntimeError: a bug"]


def test_only_those_that_refine_are_asked_again_with_the_verdicts(tmp_path: Path) -> None:
    seen: list[Seen] = []
    plain, refining = FakeProposer(("a",)), FakeProposer(("b",), refines=True)
    search_over(seen).gather([plain, refining], [task(tmp_path)], 2)
    assert len(plain.asked) == 1
    assert [len(x.attempts) for x in refining.asked] == [0, 1, 1]
    assert refining.asked[1].attempts[0].verdict.kind is VerdictKind.MALFORMED


def test_a_late_proposer_is_left_and_closed(tmp_path: Path) -> None:
    seen: list[Seen] = []
    slow = FakeProposer(tuple(str(x) for x in range(100_000)))
    search = search_over(seen, seconds=0.5)
    search.gather([slow], [task(tmp_path)], 0)
    assert slow.closed.wait(10)
    assert 0 < len(seen) < 100_000
