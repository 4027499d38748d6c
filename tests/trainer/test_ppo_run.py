"""Two steps of PPO on verl with the real judge, more from the checkpoint, and an end when asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.toolchain import Toolchain
from trainer.cli import app
from trainer.corpus.programs import JudgedProgram, make_program
from trainer.corpus.samples import draw_sample
from trainer.metrics import read_metrics
from trainer.ppo.config import Settings
from trainer.ppo.tasks import Task, Wanted, make_tasks, write_tasks
from trainer.ppo.train import train

SMALL = Settings(
    steps=2,
    batch=2,
    micro=2,
    held=1,
    every=2,
    answer_length=8,
    temperature=1.0,
    actor_lr=1e-3,
    states=100,
)


@pytest.fixture(scope="module")
def tasks(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    """Of two programs: one to train on, one held out."""
    tools = Toolchain()
    folder = tmp_path_factory.mktemp("programs")
    found: list[Task] = []
    with Harness(toolchain=tools) as harness:
        for name in ("popcount", "gcd"):
            family = next(x for x in FAMILIES if x.name == name)
            program = make_program(tools, draw_sample(family, 0, 7), folder)
            assert isinstance(program, JudgedProgram)
            found += make_tasks(program, Wanted(2, 1), tools, harness)
    return found


def test_another_run_is_not_gone_on_with(
    trained_run: Path, tasks: list[Task], tmp_path: Path
) -> None:
    model = trained_run / "model"
    train(model, tasks, tmp_path, SMALL, write_only=True)
    train(model, tasks, tmp_path, SMALL, write_only=True)
    with pytest.raises(UsageError, match="other settings"):
        train(model, tasks, tmp_path, Settings(batch=2, micro=2), write_only=True)
    with pytest.raises(UsageError, match="other tasks"):
        train(model, tasks[:-1], tmp_path, SMALL, write_only=True)


def test_too_few_tasks_are_told(trained_run: Path, tasks: list[Task], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="less than a batch"):
        train(trained_run / "model", tasks, tmp_path, Settings(batch=64), write_only=True)


def test_the_command_writes_what_verl_reads(
    trained_run: Path, tasks: list[Task], tmp_path: Path
) -> None:
    """Greedy and sampled rows for the held-out tasks, the prompts as one message each."""
    pq = pytest.importorskip("pyarrow.parquet")
    write_tasks(tasks, tmp_path / "tasks.jsonl")
    out = tmp_path / "run"
    options = ["--model", str(trained_run / "model"), "--tasks", str(tmp_path / "tasks.jsonl")]
    options += ["--out", str(out), "--smoke", "--write-only", "--reward", "cgs", "--kl", "0.1"]
    result = CliRunner().invoke(app, ["ppo", *options])
    assert result.exit_code == 0, result.output
    assert f"python -m trainer.on_verl.run {out}" in result.output
    config = json.loads((out / "verl" / "config.json").read_text())
    assert config["trainer.total_training_steps"] == 2
    assert config["algorithm.use_kl_in_reward"] is True
    held = pq.read_table(out / "verl" / "held.parquet").to_pylist()
    assert [x["extra_info"]["greedy"] for x in held[:2]] == [True, False]
    train_rows = pq.read_table(out / "verl" / "train.parquet").to_pylist()
    prompts = {x.prompt for x in tasks}
    assert {x["prompt"][0]["content"] for x in [*held, *train_rows]} <= prompts


@pytest.mark.long
def test_two_steps_and_two_more(trained_run: Path, tasks: list[Task], tmp_path: Path) -> None:
    """A Hugging Face folder with other weights comes out, with figures of every step."""
    for name in ("verl", "ray"):
        pytest.importorskip(name)
    from safetensors.torch import load_file

    from trainer.model import load_model

    model, out = trained_run / "model", tmp_path / "run"
    small = replace(SMALL, survey=1)
    done = train(model, tasks, out, small)
    assert len((out / "survey.jsonl").read_text().splitlines()) == 3, "the tasks of one program"
    assert (done.steps, done.finished) == (2, True)
    rows = read_metrics(out / "metrics.jsonl")
    steps = [(x["kind"], x["step"]) for x in rows]
    assert steps[:2] == [("held-greedy", 0), ("held-sampled", 0)]
    assert [x for x in steps if x[0] == "train"] == [("train", 1), ("train", 2)]
    assert {"reward", "correct", "speedup", "seconds", "entropy"} <= rows[2].keys()
    assert not any(x["unjudged"] for x in rows)
    assert (out / "curve.png").exists()

    before, after = (load_file(x / "model" / "model.safetensors") for x in (trained_run, out))
    assert before.keys() == after.keys()
    changed = [name for name, x in before.items() if not bool((x == after[name]).all())]
    assert changed
    assert load_model(out / "model").config.vocab_size == load_model(model).config.vocab_size

    more = replace(small, steps=3)
    assert train(model, tasks, out, more).steps == 3
    kinds = [(x["kind"], x["step"]) for x in read_metrics(out / "metrics.jsonl")]
    assert [x for x in kinds if x[0] == "train"] == [("train", 1), ("train", 2), ("train", 3)]
    assert train(model, tasks, out, more).finished

    def enough() -> bool:
        return any(x["step"] >= 4 for x in read_metrics(out / "metrics.jsonl"))

    many = replace(small, steps=500, every=100)
    done = train(model, tasks, out, many, stop=enough)
    assert not done.finished
    assert 4 <= done.steps < 100, "it ends soon after it is asked to, with a checkpoint"
