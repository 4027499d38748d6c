"""Rewards by the real judge on one small program, through the service as verl asks for them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.toolchain import Toolchain
from gccllm.types import Verdict, VerdictKind
from trainer.corpus.families import Teacher
from trainer.corpus.programs import JudgedProgram, make_program
from trainer.corpus.samples import draw_sample
from trainer.judging import RegionJudge
from trainer.pairs import KEEP_ANSWER
from trainer.ppo.reward import SCORE_KEYS, Shaping
from trainer.ppo.service import RewardService, VerdictCache
from trainer.ppo.tasks import Task, Wanted, make_tasks
from trainer.ppo.text import TRUNCATED
from trainer.ppo.worker import How

LEVEL = "x86-64-v3"


@pytest.fixture(scope="module")
def task_and_answer(
    shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Task, str]:
    """Counting bits in a loop; what the family's form makes of it is some times as fast."""
    tools = Toolchain()
    family = next(x for x in FAMILIES if x.name == "popcount")
    folder = tmp_path_factory.mktemp("programs")
    program = make_program(tools, draw_sample(family, 0, 7), folder)
    assert isinstance(program, JudgedProgram)
    with Harness(toolchain=tools) as harness:
        task = make_tasks(program, Wanted(1, 0, LEVEL), tools, harness)[0]
        assert task.findable
        teacher = Teacher(tools, harness, family)
        with RegionJudge(program, tools=tools, harness=harness) as judge:
            region = judge.regions[task.region]
            answers = teacher.answers(region.layout, region.region)
        answer = next(x for x in answers if x.needs <= teacher.features[LEVEL])
    return task, "".join(f"{x}\n" for x in answer.lines)


@pytest.fixture(scope="module")
def how(tmp_path_factory: pytest.TempPathFactory) -> How:
    return How(lanes=tmp_path_factory.mktemp("lanes"), states=500)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rewards") / "rewards.sqlite"


@pytest.fixture(scope="module")
def service(task_and_answer: tuple[Task, str], how: How, cache: Path) -> Iterator[RewardService]:
    with RewardService([task_and_answer[0]], Shaping(), how, cache) as opened:
        yield opened


def ask(service: RewardService, task: str, answer: str) -> dict[str, Any]:
    """As verl's reward worker does, over the socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(service.address))
        connection.sendall(json.dumps({"task": task, "answer": answer}).encode() + b"\n")
        with connection.makefile("rb") as file:
            found = json.loads(file.readline())
    assert tuple(found) == SCORE_KEYS
    assert isinstance(found, dict)
    return found


def test_right_and_faster(service: RewardService, task_and_answer: tuple[Task, str]) -> None:
    """How much faster is the machine's business; that it counts as more than leaving it is ours."""
    task, answer = task_and_answer
    found = ask(service, task.name, answer)
    assert found["verdict"] == "not-faster"
    assert found["correct"] == 1
    assert 1 < found["score"] <= Shaping().high
    assert not found["cached"]


def test_the_same_answer_is_judged_once(
    service: RewardService, task_and_answer: tuple[Task, str]
) -> None:
    task, answer = task_and_answer
    first = ask(service, task.name, answer)
    again = ask(service, task.name, answer)
    assert again == {**first, "cached": 1.0}


@pytest.mark.parametrize("own_lines", [False, True])
def test_unchanged_is_never_timed(
    own_lines: bool, service: RewardService, task_and_answer: tuple[Task, str]
) -> None:
    task, _ = task_and_answer
    inside = task.prompt.split("<|region|>\n")[1].split("<|/region|>")[0]
    found = ask(service, task.name, inside if own_lines else KEEP_ANSWER)
    assert (found["verdict"], found["score"], found["speedup"]) == ("unchanged", 1.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "verdict", "well_formed", "assembled"),
    [
        ("L0:\n\txorl\t%eax, %eax\n\tjmp\tX0\n", "wrong-output", 1, 1),
        ("L0:\n\tjmp\tL0\n", "timed-out", 1, 1),
        ("L0:\n\tmovq\t(0), %rax\n\tmovq\t0, %rax\n\tjmp\tX0\n", "crashed", 1, 1),
        ("L0:\n\tjmp\tL9\n", "malformed", 0, 0),
        (f"L0:\n\tjmp\tX0\n{TRUNCATED}", "malformed", 0, 0),
        ("no assembly at all", "screened", 1, 0),
        ("L0:\n\tmovq\t%rax\n\tjmp\tX0\n", "not-assembled", 1, 0),
        ("L0:\n\tsyscall\n\tjmp\tX0\n", "screened", 1, 0),
    ],
)
def test_what_earns_nothing(
    answer: str,
    verdict: str,
    well_formed: int,
    assembled: int,
    service: RewardService,
    task_and_answer: tuple[Task, str],
) -> None:
    task, _ = task_and_answer
    found = ask(service, task.name, answer)
    assert found["verdict"] == verdict
    assert (found["well_formed"], found["assembled"], found["correct"]) == (
        well_formed,
        assembled,
        0,
    )
    assert found["score"] == 0


def test_what_the_recordings_do_not_show_is_found(
    task_and_answer: tuple[Task, str], how: How, tmp_path: Path
) -> None:
    """Recorded are numbers of four bits only, and the answer counts those of eight: the harness
    tells, and without it nobody would."""
    task, answer = task_and_answer
    tests = tmp_path / "tests"
    tests.mkdir()
    for path in task.program.tests.glob("tiny.*"):
        shutil.copy(path, tests)
    program = replace(task.program, tests=tests)
    narrow = replace(task, program=program, digest="narrow")
    counted = re.search(r"popcntq\t(%\w+), ", answer)
    assert counted is not None
    wrong = f"\tandq\t$255, {counted[1]}\n{answer}"
    with RewardService([narrow], Shaping(), how, tmp_path / "r.sqlite") as opened:
        assert opened.reward(narrow.name, wrong)["verdict"] == "differs"
        assert opened.reward(narrow.name, answer)["correct"] == 1
    trusting = replace(how, states=0)
    with RewardService([narrow], Shaping(), trusting, tmp_path / "r.sqlite") as opened:
        assert opened.reward(narrow.name, wrong)["correct"] == 1


@pytest.mark.parametrize(
    "question", [b"{}\n", b"nonsense\n", b"[1]\n", b'{"task": "x", "answer": ""}\n']
)
def test_nonsense_gets_an_answer(question: bytes, service: RewardService) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(service.address))
        connection.sendall(question)
        with connection.makefile("rb") as file:
            found = json.loads(file.readline())
    assert tuple(found) == SCORE_KEYS
    assert found["verdict"] == "unjudged"


def test_a_verdict_that_does_not_come_in_time_costs_one_answer(
    task_and_answer: tuple[Task, str], how: How, tmp_path: Path
) -> None:
    """A lane is killed at its deadline, and nothing is remembered of it."""
    task, answer = task_and_answer
    with RewardService(
        [task], Shaping(), how, tmp_path / "rewards.sqlite", deadline=0.01
    ) as hurried:
        found = hurried.reward(task.name, answer)
        assert (found["verdict"], found["score"]) == ("unjudged", 0.0)
    with sqlite3.connect(tmp_path / "rewards.sqlite") as base:
        assert base.execute("SELECT count(*) FROM verdicts").fetchone() == (0,)
    base.close()


def test_a_task_whose_program_has_changed_is_unjudged(
    task_and_answer: tuple[Task, str], how: How, tmp_path: Path
) -> None:
    task, answer = task_and_answer
    stale = replace(task, prompt=task.prompt + "\tnop\n")
    gone = replace(task, region=999)
    with RewardService([stale, gone], Shaping(), how, tmp_path / "r.sqlite") as opened:
        assert opened.reward(stale.name, answer)["verdict"] == "unjudged"
        assert opened.reward(gone.name, answer)["verdict"] == "unjudged"
        assert opened.reward("no such task", answer)["verdict"] == "unjudged"


def test_what_was_not_judged_is_not_kept(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "deep" / "r.sqlite")
    try:
        cache.put("a", "task", "answer", Verdict(VerdictKind.UNJUDGED))
        cache.put("b", "task", "answer", Verdict(VerdictKind.CRASHED, "why", tests_run=2))
        assert cache.get("a") is None
        known = cache.get("b")
        assert known is not None
        assert (known.kind, known.tests_run) == (VerdictKind.CRASHED, 2)
    finally:
        cache.close()


def test_nothing_is_left_behind(
    task_and_answer: tuple[Task, str], how: How, tmp_path: Path
) -> None:
    def judging() -> set[str]:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        return {x for x in children if b"spawn_main" in Path(f"/proc/{x}/cmdline").read_bytes()}

    task, _ = task_and_answer
    before = judging()
    with RewardService([task], Shaping(), how, tmp_path / "r.sqlite") as opened:
        opened.reward(task.name, KEEP_ANSWER)
        assert len(judging() - before) == 1
        address = opened.address
    assert not address.exists()
    assert not judging() - before
