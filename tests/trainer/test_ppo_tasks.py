"""Tasks on disk, the split by programs, verl's rows, and the figures that a run leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import UsageError
from trainer.corpus.programs import JudgedProgram
from trainer.metrics import read_metrics
from trainer.ppo.config import Paths
from trainer.ppo.progress import Follower, figures
from trainer.ppo.rows import rows, split_tasks
from trainer.ppo.tasks import Task, read_tasks, tasks_from, write_tasks


def task(program: str, region: int, folder: Path = Path("/x")) -> Task:
    made = JudgedProgram(
        program, folder / f"{program}.c", folder / f"{program}.tests", ("f",), ("-O3",)
    )
    return Task(made, region, "x86-64-v3", f"<|isa|>{program} {region}\n", "digest", 3, True)


def test_tasks_come_back(tmp_path: Path) -> None:
    tasks = [task("a", 0), task("a", 2), task("b", 1)]
    write_tasks(tasks, tmp_path / "deep" / "tasks.jsonl")
    assert read_tasks(tmp_path / "deep" / "tasks.jsonl") == tasks
    assert tasks_from(tmp_path / "deep" / "tasks.jsonl", tmp_path / "no", 0, 0, "x") == tasks
    assert len({x.name for x in tasks}) == 3


@pytest.mark.parametrize("text", ["{", "[]", '{"program": {}}'])
def test_what_holds_no_tasks(text: str, tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(text)
    with pytest.raises(UsageError, match="holds no tasks"):
        read_tasks(tmp_path / "tasks.jsonl")


def test_whole_programs_are_held_out() -> None:
    tasks = [task(f"p{n}", region) for n in range(10) for region in range(3)]
    split = split_tasks(tasks, 5)
    assert len(split.held) == 5
    assert not {x.program.name for x in split.held} & {x.program.name for x in split.train}
    assert split_tasks(tasks[::-1], 5).held[0].program == split.held[0].program
    assert len(split_tasks(tasks, 1000).held) == 15


def test_what_is_asked_of_a_held_out_program_is_not_trained_on() -> None:
    tasks = [task("a", 0), task("b", 0), replace(task("c", 0), prompt="same")]
    tasks += [replace(task(x, 1), prompt="same") for x in "ab"]
    split = split_tasks(tasks, 9)
    assert not {x.prompt for x in split.held} & {x.prompt for x in split.train}


def test_one_program_can_not_be_split() -> None:
    with pytest.raises(UsageError, match="two programs"):
        split_tasks([task("a", 0), task("a", 1)], 1)


def test_rows_have_the_published_columns() -> None:
    held = rows([task("a", 0), task("b", 1)], held_samples=2)
    assert [x["extra_info"]["greedy"] for x in held] == [True, False, False] * 2
    assert [x["data_source"] for x in held[:3]] == ["greedy", "sampled", "sampled"]
    (row,) = rows([task("a", 0)])
    assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert row["prompt"] == [{"role": "user", "content": "<|isa|>a 0\n"}]
    assert row["reward_model"]["ground_truth"].split(" ", 1)[1] == task("a", 0).name


def sample(verdict: str, score: float, speedup: float, source: str = "train") -> dict[str, object]:
    right = float(speedup > 0)
    return {
        "gts": f"{source} a:0:x",
        "verdict": verdict,
        "score": score,
        "well_formed": float(verdict != "malformed"),
        "assembled": right,
        "correct": right,
        "speedup": speedup,
        "cached": 0.0,
    }


def test_figures() -> None:
    found = figures(
        [
            sample("not-faster", 4.0, 4.0),
            sample("unchanged", 1.0, 1.0),
            sample("malformed", 0.0, 0.0),
            sample("not-faster", 0.5, 0.5),
        ]
    )
    assert found["reward"] == pytest.approx(5.5 / 4)
    assert (found["well_formed"], found["correct"], found["kept"]) == (0.75, 0.75, 0.25)
    assert (found["changed_correct"], found["faster"]) == (0.5, 0.25)
    # what is wrong or slower is not shipped
    assert found["speedup"] == pytest.approx(4 ** (1 / 4))
    assert figures([]) == {}


def test_what_verl_writes_becomes_figures_and_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("matplotlib")
    paths = Paths(tmp_path)
    for folder in (paths.verl_metrics.parent, paths.train_samples, paths.held_samples):
        folder.mkdir(parents=True)
    said: list[str] = []
    with Follower(paths, 0, said.append) as follower:
        follower.look(False)
        written = ""
        for step in range(3):
            held = [sample("unchanged", 1.0, 1.0, "greedy"), sample("x", 2.0, 2.0, "sampled")]
            lines = "".join(json.dumps(x) + "\n" for x in held)
            (paths.held_samples / f"{step}.jsonl").write_text(lines)
            own: dict[str, float] = {"val-core/greedy/reward/mean@1": 1.0}
            if step:
                one = json.dumps(sample("not-faster", 1.5 * step, 1.5)) + "\n"
                (paths.train_samples / f"{step}.jsonl").write_text(one)
                own |= {"training/global_step": step, "perf/total_num_tokens": 10}
                own |= {"timing_s/step": 2.0, "actor/entropy": 0.5}
            written += json.dumps({"step": step, "data": own}) + "\n"
            paths.verl_metrics.write_text(written)
            follower.look(False)
            follower.look(False)
            # the newest may lack its answers, so it is the next look's
            assert len({x["step"] for x in read_metrics(tmp_path / "metrics.jsonl")}) == step
        follower.look(True)
    found = read_metrics(tmp_path / "metrics.jsonl")
    kinds = [(x["kind"], x["step"]) for x in found]
    assert kinds == [
        ("held-greedy", 0),
        ("held-sampled", 0),
        ("train", 1),
        ("held-greedy", 1),
        ("held-sampled", 1),
        ("train", 2),
        ("held-greedy", 2),
        ("held-sampled", 2),
    ]
    train = [x for x in found if x["kind"] == "train"]
    assert [x["reward"] for x in train] == [1.5, 3.0]
    assert [x["tokens"] for x in train] == [10, 20]
    assert train[0]["entropy"] == 0.5
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert any("held out, greedy" in x for x in said)

    # the run goes on from step 1: what came later is dropped
    with Follower(paths, 1, said.append):
        pass
    assert max(x["step"] for x in read_metrics(tmp_path / "metrics.jsonl")) == 1

    # it was killed before anyone had looked at step 1, and what came later is of no checkpoint
    (tmp_path / "metrics.jsonl").write_text(json.dumps(found[0]) + "\n")
    with Follower(paths, 1, said.append) as follower:
        follower.begin()
        follower.look(True)
    assert [x["step"] for x in read_metrics(tmp_path / "metrics.jsonl")] == [0, 1, 1, 1]


def test_answers_that_are_not_written_yet_are_waited_for(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    paths = Paths(tmp_path)
    for folder in (paths.verl_metrics.parent, paths.train_samples):
        folder.mkdir(parents=True)
    rows = [{"step": x, "data": {"training/global_step": x}} for x in (1, 2)]
    paths.verl_metrics.write_text("".join(json.dumps(x) + "\n" for x in rows))
    answers, line = paths.train_samples / "1.jsonl", json.dumps(sample("x", 2.0, 2.0)) + "\n"

    def known() -> list[int]:
        return [x["step"] for x in read_metrics(tmp_path / "metrics.jsonl")]

    with Follower(paths, 0, lambda line: None) as follower:
        follower.look(False)
        assert known() == []
        answers.write_text(line + line[:9])
        follower.look(False)
        assert known() == []
        answers.write_text(line + line)
        follower.look(False)
        assert known() == [1]
        follower.look(True)
        assert known() == [1, 2]
