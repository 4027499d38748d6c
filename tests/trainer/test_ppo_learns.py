"""PPO on verl with the real judge: rewards rise, a run that is gone on with is the same run, and a
judge that dies costs no step."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import pytest

from tests.trainer.lessons import LEARNING, lessons, taught
from trainer.metrics import read_metrics
from trainer.ppo.config import Paths
from trainer.ppo.tasks import Task
from trainer.ppo.train import train
from trainer.ppo.verl_process import last_step

pytestmark = pytest.mark.long
HALT = 30
"""the step of the checkpoint that the second run goes on from"""


@dataclass(frozen=True)
class School:
    """A model and what to ask it; ``store`` keeps verdicts, so that all runs of a module pay the
    same for the same answer."""

    tasks: list[Task]
    model: Path
    store: Path


@dataclass(frozen=True)
class Course:
    """A run, and a copy of it as it was at step :data:`HALT`."""

    out: Path
    halted: Path


@pytest.fixture(scope="module")
def school(
    shared_cache: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> School:
    for name in ("verl", "ray"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("school")
    found = lessons(folder / "programs")
    model = taught(found, tokenizer_folder, folder / "model")
    return School([x.task for x in found], model, folder)


@pytest.fixture
def in_school(school: School, monkeypatch: pytest.MonkeyPatch) -> School:
    """With the verdicts of earlier runs."""
    monkeypatch.setenv("GCCLLM_STORE", str(school.store))
    return school


@pytest.fixture(scope="module")
def course(school: School, tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("course")
    made = Course(folder / "run", folder / "halted")

    def copied() -> bool:
        known = made.out / "metrics.jsonl"
        steps = [x["step"] for x in read_metrics(known)] if known.exists() else []
        here = HALT in steps and last_step(Paths(made.out)) == HALT
        if here and not made.halted.exists():
            shutil.copytree(made.out, made.halted)
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GCCLLM_STORE", str(school.store))
        train(school.model, school.tasks, made.out, replace(LEARNING, every=HALT), stop=copied)
    return made


def rewards(out: Path) -> list[float]:
    """The mean of each step."""
    rows = [x for x in read_metrics(out / "metrics.jsonl") if x["kind"] == "train"]
    assert [x["step"] for x in rows] == list(range(1, len(rows) + 1))
    assert not any(x["unjudged"] for x in rows)
    return [x["reward"] for x in rows]


def test_mean_reward_rises(course: Course) -> None:
    """From a model that wins with one answer of four. Answers earn 1.5, 0.5 or 0 whatever the clock
    says, so the means differ by what was learned. With three seeds it was 0.53 to 0.59."""
    found = rewards(course.out)
    assert len(found) == LEARNING.steps
    assert fmean(found[-10:]) > fmean(found[:10]) + 0.2


def test_a_run_that_is_gone_on_with_is_the_same_run(in_school: School, course: Course) -> None:
    """Weights to the last bit, and all that was earned on the way. Rewards are remembered: what
    was measured once is not measured again."""
    import torch
    from safetensors.torch import load_file

    halted = rewards(course.halted)
    assert HALT <= len(halted) < LEARNING.steps
    done = train(in_school.model, in_school.tasks, course.halted, replace(LEARNING, every=HALT))
    assert (done.steps, done.finished) == (LEARNING.steps, True)
    assert rewards(course.halted) == rewards(course.out)
    whole, parts = (
        load_file(x / "model" / "model.safetensors") for x in (course.out, course.halted)
    )
    assert whole.keys() == parts.keys()
    assert all(torch.equal(x, parts[name]) for name, x in whole.items())


def test_grpo_and_a_judge_that_is_killed(school: School, own_store: Path, tmp_path: Path) -> None:
    """The judging process is killed in the middle of the first step's answers: both steps end, and
    every answer has its verdict."""
    settings = replace(LEARNING, steps=2, every=2, critic_warmup=0, estimator="grpo")
    with killed_once() as killed:
        done = train(school.model, school.tasks, tmp_path / "run", settings)
    assert (done.steps, done.finished) == (2, True)
    assert len(killed) == 1
    assert len(rewards(tmp_path / "run")) == 2


@contextmanager
def killed_once() -> Iterator[list[int]]:
    """Kills the first judging process of this one as soon as it is there; → its number."""
    killed: list[int] = []
    over = threading.Event()
    before = judges()

    def look() -> None:
        while not killed and not over.wait(0.1):
            for process in judges() - before:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def judges() -> set[int]:
    """Our children that multiprocessing started."""
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        for child in (thread / "children").read_text().split():
            with suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.add(int(child))
    return found
