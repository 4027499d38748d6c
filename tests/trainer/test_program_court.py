"""Judging at scale: who checks, who times, who waits, and what becomes of stuck and dead judges."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.corpus.programs import JudgedProgram
from trainer.metrics import read_metrics
from trainer.ppo.reward import SCORE_KEYS
from trainer.ppo.service import Lane
from trainer.ppo.worker import How, Judge
from trainer.programs.cores import core_use
from trainer.programs.court import Court
from trainer.programs.serving import CourtService, served
from trainer.programs.settings import ProgramSettings
from trainer.programs.tasks import ProgramHow, ProgramJudging, ProgramTask

RIGHT = Verdict(VerdictKind.NOT_FASTER, "right", tests_run=3)
TIMED = Verdict(VerdictKind.NOT_FASTER, "timed", speedup=Speedup(2.0, 1.9, 2.1, 5), tests_run=3)
WRONG = Verdict(VerdictKind.WRONG_OUTPUT, "wrong", tests_run=1)


def task(name: str = "p") -> ProgramTask:
    program = JudgedProgram(name, Path(f"{name}.c"), Path(f"{name}.tests"), (), ("-O3",))
    return ProgramTask(program, "prompt", "digest", 3)


class Fake:
    """Answers at once, or when it may; counts how many of its kind work at the same time."""

    now = most = 0
    lock = threading.Lock()

    def __init__(self, verdict: Verdict, gate: threading.Event | None = None) -> None:
        self.verdict = verdict
        self.gate = gate
        self.asked: list[str] = []
        self.closed = False

    def ask(self, task: Any, answer: str) -> Verdict:
        with Fake.lock:
            Fake.now += 1
            Fake.most = max(Fake.most, Fake.now)
        self.asked.append(answer)
        if self.gate is not None:
            self.gate.wait(60)
        with Fake.lock:
            Fake.now -= 1
        return WRONG if "wrong" in answer else self.verdict

    def close(self) -> None:
        self.closed = True


def test_only_what_is_right_is_timed() -> None:
    checks, times = Fake(RIGHT), Fake(TIMED)
    with Court([checks], [times]) as court:
        assert court.verdict(task(), "wrong") is WRONG
        assert court.verdict(task(), "good") is TIMED
        figures = court.figures()
    assert (checks.asked, times.asked) == (["wrong", "good"], ["good"])
    assert (figures.verdicts, figures.timed, figures.refused, figures.unjudged) == (2, 1, 0, 0)
    assert 0 <= figures.timing <= 1
    assert checks.closed
    assert times.closed


def test_without_checkers_the_timing_lanes_do_it_all() -> None:
    times = Fake(TIMED)
    with Court([], [times]) as court:
        assert court.verdict(task(), "wrong") is WRONG
    assert times.asked == ["wrong"]


@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_all_lanes_are_used_at_once(lanes: int) -> None:
    """Of one program too: a lane that is free takes what another one would have to wait with."""
    Fake.now = Fake.most = 0
    gate = threading.Event()
    court = Court([], [Fake(TIMED, gate) for _ in range(lanes)])
    with court, ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(court.verdict, task(), str(n)) for n in range(32)]
        while Fake.now < lanes:
            time.sleep(0.01)
        gate.set()
        assert [x.result() for x in asked] == [TIMED] * 32
    assert Fake.most == lanes
    assert court.figures().verdicts == 32


def test_a_full_queue_refuses_and_says_so() -> None:
    gate = threading.Event()
    court = Court([], [Fake(TIMED, gate)], queue=2, patience=0.05)
    with court, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(court.verdict, task(), str(n)) for n in range(4)]
        while sum(x.done() for x in asked) < 2:
            time.sleep(0.01)
        gate.set()
        kinds = sorted(x.result().kind.value for x in asked)
    assert kinds == ["not-faster", "not-faster", "unjudged", "unjudged"]
    figures = court.figures()
    assert (figures.refused, figures.verdicts) == (2, 2)
    assert figures.waited > 0


@dataclass(frozen=True)
class Odd(How):
    """Judges as the answer says: gets stuck, or takes the whole process with it."""

    def judging(self, core: int | None) -> Judge:
        return _OddJudge()

    def held(self) -> AbstractContextManager[int | None]:
        return nullcontext(0)


class _OddJudge:
    def __enter__(self) -> _OddJudge:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def verdict(self, task: Any, answer: str) -> Verdict:
        if answer == "stuck":
            time.sleep(600)
        if answer == "die":
            os._exit(9)
        first, _, once = answer.partition(" ")
        if first == "die-once" and not Path(once).exists():
            Path(once).touch()
            os._exit(9)
        return TIMED


def test_stuck_and_hostile_answers_stall_nobody() -> None:
    """One lane of two is stuck, then dead: the others' answers are judged, and so is what that
    lane is asked next, by a new process."""
    court = Court([], [Lane(Odd(), 20.0), Lane(Odd(), 20.0)])
    with court, ThreadPoolExecutor(8) as pool:
        assert court.verdict(task(), "warm") == TIMED
        bad = [pool.submit(court.verdict, task(), x) for x in ("stuck", "die")]
        good = [pool.submit(court.verdict, task(str(n)), "good") for n in range(6)]
        assert [x.result(timeout=120) for x in good] == [TIMED] * 6
        kinds = {x.result(timeout=120).kind for x in bad}
        assert kinds == {VerdictKind.UNJUDGED}
        assert court.verdict(task(), "good") == TIMED
    assert court.figures().unjudged == 2


def test_a_judge_that_was_killed_is_asked_again(tmp_path: Path) -> None:
    """By whoever: for want of memory, say. The answer gets its verdict all the same."""
    court = Court([], [Lane(Odd(), 60.0)])
    with court:
        assert court.verdict(task(), f"die-once {tmp_path / 'died'}") == TIMED
    assert (tmp_path / "died").exists()
    assert court.figures().unjudged == 0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CourtService]:
    """By TCP, with a court of fakes."""
    settings, how = ProgramSettings(where="ray"), ProgramHow()
    court = Court([], [Fake(TIMED)])
    with CourtService(
        [task()], settings, how, tmp_path / "cache", court, tmp_path / "log.jsonl", far=True
    ) as opened:
        yield opened


def test_from_other_nodes_only_with_the_token(service: CourtService, tmp_path: Path) -> None:
    word, _, port, token = service.reached_at.split(" ")
    assert word == "tcp"

    def ask(question: dict[str, str]) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", int(port)), 30) as connection:
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as file:
                found = json.loads(file.readline())
        assert isinstance(found, dict)
        return found

    question = {"task": "p", "answer": "good"}
    assert ask({**question, "token": token})["score"] == 2.0
    for wrong in ({}, {"token": ""}, {"token": token[:-1]}):
        found = ask({**question, **wrong})
        assert (found["verdict"], tuple(found)) == ("unjudged", SCORE_KEYS)
    service.__exit__()
    (figures,) = read_metrics(tmp_path / "log.jsonl")
    assert figures["verdicts"] == 1


def test_lanes_of_this_machine(tmp_path: Path) -> None:
    """Three checkers and two timers, as the settings say; none starts before it is asked."""
    settings = ProgramSettings(lanes=2, checkers=3)
    with served([task()], settings, ProgramHow(), tmp_path / "c", tmp_path / "l") as service:
        assert len(service.court.timing_lanes) == 2
        assert len(service.court.checking_lanes) == 3
        assert service.reward("p", "unended\N{HORIZONTAL ELLIPSIS}")["verdict"] == "malformed"
    assert read_metrics(tmp_path / "l")[-1]["verdicts"] == 0


def test_how_much_of_a_core_is_used(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  1 2 3 4 5 6 7 8 9 10\ncpu1 10 0 10 100 0 0 0 0 5 0\nintr 5\n")
    assert core_use(1, 0.0, stat) == 0.0
    assert core_use(7, 0.0, stat) == 0.0
    assert core_use(1, 0.0, tmp_path / "none") == 0.0

    def later() -> None:
        time.sleep(0.2)
        stat.write_text("cpu1 25 0 20 175 0 0 0 0 9 0\n")

    thread = threading.Thread(target=later)
    thread.start()
    assert core_use(1, 1.0, stat) == pytest.approx(0.25)
    thread.join()


def test_a_shared_core_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.programs.tasks.core_use", lambda core: 0.6)
    with ProgramJudging(ProgramHow(isolated=True), 1) as judging:
        found = judging.verdict(task(), "anything")
    assert found.kind is VerdictKind.UNJUDGED
    assert found.detail == "core 1 is not our own: 60% of it is used by others"


@pytest.mark.slow
def test_a_killed_actor_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question that it died of is asked once more; what kills two is unjudged."""
    ray = pytest.importorskip("ray")
    from trainer.on_verl.lanes import TIMING, RayLane, ray_lanes

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    ray.init(
        num_cpus=1, num_gpus=0, resources={TIMING: 2}, include_dashboard=False, log_to_driver=False
    )
    try:
        lanes = ray_lanes(Odd(), 60.0, TIMING)
        assert len(lanes) == 2
        lane: RayLane = lanes[0]
        assert lane.ask(task(), "good") == TIMED
        ray.kill(lane.actor)
        assert lane.ask(task(), "good") == TIMED
        assert lane.ask(task(), "die").kind is VerdictKind.UNJUDGED
        assert lane.ask(task(), "good") == TIMED
        for one in lanes:
            one.close()
    finally:
        ray.shutdown()
