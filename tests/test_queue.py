"""The queue of layers, and a search that shares its work with another lane."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from gccllm.errors import StoreError
from gccllm.judge.judge import Judge
from gccllm.projects.queue import Queue
from gccllm.projects.sharing import SharedLayers, judge_job
from gccllm.search import Mixing, Search, Seen, gather_layers
from gccllm.types import Candidate
from tests.test_long_search import HOT, FakeAttribution, FakeJudge, Offers, tasks_over

CPU = "a fast one"


def layer(*labels: str) -> list[Candidate]:
    return [Candidate("fake", "u", ("a",), "a\udc80", x) for x in labels]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with closing(Queue(tmp_path)) as opened:
        yield opened


def test_a_layer_comes_out_as_it_went_in_once(queue: Queue) -> None:
    search = queue.announce(CPU, {"program": "p"})
    queue.put(search, layer("x", "y"))
    job = queue.take(search, 60.0)
    assert job is not None
    assert list(job.layer) == layer("x", "y")
    assert queue.take(search, 60.0) is None
    assert (queue.left(search), queue.collect(search)) == (1, [])
    queue.finish(job, {"trials": [1]})
    queue.finish(job, {"trials": [2]})
    (done,) = queue.collect(search)
    assert done.result == {"trials": [1]}
    assert (queue.left(search), queue.collect(search)) == (0, [])


def test_what_a_lane_took_and_never_finished_is_anothers(queue: Queue) -> None:
    search = queue.announce(CPU, {})
    queue.put(search, layer("x"))
    first = queue.take(search, 0.0)
    second = queue.take(search, 60.0)
    assert first is not None
    assert first == second
    queue.give_back(first)
    assert queue.take(search, 60.0) == first


def test_a_search_is_for_lanes_of_its_cpu_until_it_ends(queue: Queue) -> None:
    search = queue.announce(CPU, {"program": "p"})
    assert queue.open_search("another one") is None
    found = queue.open_search(CPU)
    assert found is not None
    assert (found.id, found.spec) == (search, {"program": "p"})
    queue.put(search, layer("x"))
    queue.end(search)
    assert not queue.is_open(search)
    assert queue.take(search, 60.0) is None


def test_a_search_whose_owner_died_is_over(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    search = queue.announce(CPU, {})
    assert queue.is_open(search)
    now = time.time()
    monkeypatch.setattr("gccllm.projects.queue.time.time", lambda: now + 1000)
    assert not queue.is_open(search)


def test_a_queue_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "queue.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="queue"):
        Queue(tmp_path)


def fake_search() -> tuple[Search, list[Seen], FakeJudge]:
    judge, seen = FakeJudge(), list[Seen]()
    search = Search(cast(Judge, judge), dict(HOT), time.monotonic() + 60, seen.append)
    search.attribution = FakeAttribution(cast(Judge, judge))
    return search, seen, judge


def test_two_lanes_find_what_one_would(queue: Queue, tmp_path: Path) -> None:
    offers = Offers(
        {"u": [(x, "a b") for x in ("v", "w", "x", "wrong", "y", "slow")], "v": [("w", "c")]}
    )
    alone, alone_seen, _ = fake_search()
    gather_layers(alone, offers, tasks_over(tmp_path), time.monotonic() + 60)
    search, seen, judge = fake_search()
    judge.seconds = 0.3  # or it would have done all before the other one has begun
    announced = queue.announce(CPU, {})
    other, other_seen, other_judge = fake_search()

    def lane() -> None:
        own = Queue(tmp_path)
        while own.is_open(announced):
            job = own.take(announced, 60.0)
            if job is None:
                time.sleep(0.01)
            else:
                own.finish(job, judge_job(other, job, other_seen))
        own.close()

    thread = threading.Thread(target=lane)
    thread.start()
    try:
        shared = SharedLayers(queue, announced, search)
        gather_layers(search, offers, tasks_over(tmp_path), time.monotonic() + 60, shared.judge)
        shared.drain(time.monotonic() + 60)
        assert queue.left(announced) == 0
    finally:
        queue.end(announced)
        thread.join(10)

    def verdicts(of: list[Seen]) -> list[tuple[str, str, str]]:
        return sorted((x.candidate.unit, x.candidate.label, x.verdict.kind.value) for x in of)

    assert verdicts(seen) == verdicts(alone_seen)
    assert other_judge.builds, "the other lane has worked"
    found, expected = Mixing(search).composed(), Mixing(alone).composed()
    assert found is not None
    assert expected is not None
    assert found.ratio == expected.ratio
    assert all("wrong" not in str(x.admitted.texts) for x in search.trials)
