"""Whole programs through verl on this CPU: the questions, the judge in its lane, and a real run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.prompts import answer_text
from gccllm.toolchain import Toolchain
from gccllm.types import VerdictKind
from tests.trainer.tiny_chat import make_tiny_chat
from trainer.cli import app
from trainer.corpus.program_folders import make_programs_dataset, programs_in
from trainer.corpus.program_rows import read_program_rows
from trainer.corpus.program_trial import Demands
from trainer.metrics import read_metrics
from trainer.ppo.service import RewardService
from trainer.programs.judging import ProgramJudge
from trainer.programs.rewards import ProgramShaping
from trainer.programs.sft import train_supervised
from trainer.programs.tasks import ProgramHow, ProgramJudging, ProgramTask, program_tasks
from trainer.programs.train import ProgramRun, train_programs

pytest.importorskip("pyarrow")
SOURCE = """#include <stdio.h>
int main(void) {
    unsigned n, c = 0;
    if (scanf("%u", &n) != 1) return 1;
    for (unsigned i = 0; i < n; i++) for (unsigned x = i * KEY; x; x >>= 1) c += x & 1;
    printf("%u\\n", c);
    return 0;
}
"""
CPU = (
    "data.max_prompt_length=3500",
    "data.max_response_length=16",
    "data.train_batch_size=2",
    "actor_rollout_ref.actor.ppo_mini_batch_size=2",
    "gccllm.timing=none",
)


@pytest.fixture(scope="module")
def dataset(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small programs, one of them held out."""
    folder = tmp_path_factory.mktemp("programs")
    for number, name in enumerate(("one", "two", "three")):
        (folder / f"{name}.c").write_text(SOURCE.replace("KEY", str(2 * number + 3)))
        tests = folder / f"{name}.tests"
        tests.mkdir()
        for count in (0, 1, 3000):
            (tests / f"{count}.in").write_text(f"{count}\n")
            total = sum(bin(i * (2 * number + 3)).count("1") for i in range(count))
            (tests / f"{count}.out").write_text(f"{total}\n")
    out = folder / "dataset"
    wanted = [
        x if x.name != "three" else type(x)(**{**x.__dict__, "split": "val"})
        for x in programs_in(folder)
    ]
    assert make_programs_dataset(wanted, Demands(0.0), out, held=None) is not None
    return out


@pytest.fixture(scope="module")
def tasks(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[ProgramTask]:
    folder = tmp_path_factory.mktemp("tasks")
    return program_tasks(read_program_rows(dataset), folder, "with-o3", Toolchain())


def test_questions_show_what_is_asked_for(dataset: Path, tmp_path: Path) -> None:
    rows = list(read_program_rows(dataset))
    with_o3, c_only = (
        program_tasks(rows, tmp_path, x, Toolchain())[0] for x in ("with-o3", "c-only")
    )
    assert "Assembly Code:\n\n```assembly\n\t.file" in with_o3.prompt
    assert "Assembly Code:\n\n```" not in c_only.prompt
    assert with_o3.tests == 3
    assert with_o3.digest == c_only.digest


def test_answers_are_judged_on_the_program(dataset: Path, tasks: list[ProgramTask]) -> None:
    task = tasks[0]
    row = next(x for x in read_program_rows(dataset) if x.name == task.name)
    wrong = row.assembly.replace("$1, %", "$3, %")
    assert wrong != row.assembly
    with ProgramJudging(ProgramHow(timing="none"), None) as judging:
        kinds = [
            judging.verdict(task, x).kind
            for x in (answer_text(row.assembly), "no idea", answer_text(wrong), answer_text(wrong))
        ]
    assert kinds[:2] == [VerdictKind.UNCHANGED, VerdictKind.MALFORMED]
    assert kinds[2] is kinds[3]
    assert kinds[2] is VerdictKind.WRONG_EXIT


def test_the_service_serves_programs_too(
    dataset: Path, tasks: list[ProgramTask], tmp_path: Path
) -> None:
    row = next(x for x in read_program_rows(dataset) if x.name == tasks[0].name)
    how = ProgramHow(timing="none", lanes=tmp_path)
    with RewardService(tasks, ProgramShaping("cgs"), how, tmp_path / "verdicts") as service:
        same = service.reward(tasks[0].name, answer_text(row.assembly))
        again = service.reward(tasks[0].name, answer_text(row.assembly))
        cut = service.reward(tasks[0].name, answer_text(row.assembly)[:-9])
        unknown = service.reward("none", "x")
    assert (same["verdict"], same["score"], same["cached"]) == ("unchanged", 11.0, 0.0)
    assert (again["score"], again["cached"]) == (11.0, 1.0)
    assert (cut["verdict"], cut["score"]) == ("malformed", -1.0)
    assert same.keys() == cut.keys() == unknown.keys()


def test_what_verl_is_given(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra")
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "run"
    options = ["ppo-programs", "--data", str(dataset), "--out", str(out), "--config", "cpu"]
    options += ["--write-only", "--prompt", "c-only", "--reward", "cgs", "--alpha", "5", *CPU]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    content = json.loads((out / "verl" / "config.json").read_text())
    assert content["config"] == "cpu"
    assert content["given"][:3] == [
        "gccllm.prompt=c-only",
        "gccllm.reward.kind=cgs",
        "gccllm.reward.alpha=5.0",
    ]
    held = pq.read_table(out / "verl" / "held.parquet").to_pylist()
    assert [x["reward_model"]["ground_truth"] for x in held] == ["greedy three"]
    assert "```assembly\n\t" not in held[0]["prompt"][0]["content"]
    run = ProgramRun("cpu", dataset, out, given=CPU)
    with pytest.raises(UsageError, match="other given"):
        train_programs(run, write_only=True)
    with pytest.raises(UsageError, match="less than a batch of 16"):
        train_programs(ProgramRun("paper-7b", dataset, tmp_path / "b"), write_only=True)


@pytest.mark.long
@pytest.mark.parametrize("estimator", ["gae", "grpo"])
def test_steps_on_this_cpu(estimator: str, dataset: Path, tmp_path: Path) -> None:
    """A random model's answers are malformed, all of them; but they are asked for, judged, and
    learned from, and a model folder comes out."""
    for name in ("verl", "ray", "hydra"):
        pytest.importorskip(name)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, out = make_tiny_chat(tmp_path / "model"), tmp_path / "run"
    given = [*CPU, "trainer.total_training_steps=2", f"algorithm.adv_estimator={estimator}"]
    if estimator == "grpo":
        given.append("actor_rollout_ref.rollout.n=2")
    run = ProgramRun("cpu", dataset, out, str(model), tuple(given))
    said: list[str] = []
    done = train_programs(run, say=said.append)
    assert (done.steps, done.finished) == (2, True)
    rows = read_metrics(out / "metrics.jsonl")
    assert [x["step"] for x in rows if x["kind"] == "train"] == [1, 2]
    assert all(x["unjudged"] == 0 and x["well_formed"] == 0 for x in rows)
    assert {x["kind"] for x in rows} == {"train", "held-greedy"}
    assert AutoModelForCausalLM.from_pretrained(out / "model").config.vocab_size == 258
    assert AutoTokenizer.from_pretrained(out / "model").chat_template


SFT = ("data.max_length=4000", "trainer.total_training_steps=2", "trainer.total_epochs=9")


def test_what_supervised_training_is_given(dataset: Path, tmp_path: Path) -> None:
    """The prompt and the assembly as a chat; what is too long is left out and told."""
    pytest.importorskip("hydra")
    pq = pytest.importorskip("pyarrow.parquet")
    model = make_tiny_chat(tmp_path / "model")
    out = tmp_path / "run"
    options = ["sft-programs", "--data", str(dataset), "--out", str(out), "--config", "sft-cpu"]
    options += ["--model", str(model), "--write-only", "--prompt", "c-only", *SFT]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    assert f"-m trainer.on_verl.sft {out}/verl/config.json" in done.output
    (row, *_) = pq.read_table(out / "verl" / "train.parquet").to_pylist()
    assert [x["role"] for x in row["messages"]] == ["user", "assistant"]
    known = next(x for x in read_program_rows(dataset) if x.name == row["program"])
    assert row["messages"][0]["content"] == known.c_only_question
    assert row["messages"][1]["content"] == answer_text(known.assembly)
    given = ("data.max_length=500", *SFT[1:])
    with pytest.raises(UsageError, match="less than a batch"):
        train_supervised(ProgramRun("sft-cpu", dataset, tmp_path / "short", str(model), given))
    with pytest.raises(UsageError, match="other given"):
        train_supervised(ProgramRun("sft-cpu", dataset, out, str(model), SFT), write_only=True)
    with pytest.raises(UsageError, match="no configuration 'cpu'"):
        train_supervised(ProgramRun("cpu", dataset, out, str(model)), write_only=True)


@pytest.mark.long
def test_supervised_steps_on_this_cpu(dataset: Path, tmp_path: Path) -> None:
    """Two steps, then two more from the checkpoint; an ordinary model comes out, changed."""
    pytest.importorskip("verl")
    pytest.importorskip("hydra")
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, out = make_tiny_chat(tmp_path / "model"), tmp_path / "run"
    given = ("gccllm.prompt=c-only", "data.train_batch_size=1", *SFT)
    run = ProgramRun("sft-cpu", dataset, out, str(model), given)
    done = train_supervised(run)
    assert (done.steps, done.finished) == (2, True)
    rows = read_metrics(out / "metrics.jsonl")
    assert [x["step"] for x in rows if x["kind"] == "train"] == [1, 2]
    assert all(x["loss"] > 0 for x in rows)
    before, after = (load_file(x / "model.safetensors") for x in (model, out / "model"))
    assert any(not torch.equal(x, after[name]) for name, x in before.items())
    assert AutoModelForCausalLM.from_pretrained(out / "model").config.vocab_size == 258
    assert AutoTokenizer.from_pretrained(out / "model").chat_template
    more = replace(run, given=(*run.given, "trainer.total_training_steps=4"))
    assert train_supervised(more).steps == 4
    rows = read_metrics(out / "metrics.jsonl")
    assert [x["step"] for x in rows if x["kind"] == "train"] == [1, 2, 3, 4]
    assert [x["step"] for x in rows if x["kind"] == "valid"] == [2, 4], "after each epoch"


def test_the_same_code_in_other_words_is_built_again(
    dataset: Path, tasks: list[ProgramTask]
) -> None:
    """Each answer that is right can be timed, also one whose code another answer had before."""
    row = next(x for x in read_program_rows(dataset) if x.name == tasks[0].name)
    other = row.assembly.replace("\tret\n", "\tnop\n\tret\n", 1)
    renamed = other.replace(".L", ".Lx")
    with ProgramJudge(tasks[0].program) as judge:
        assert judge.fault is None
        assert judge.answer(row.assembly).admitted is None
        first, second = judge.answer(other), judge.answer(renamed)
        assert first.verdict.kind is second.verdict.kind is VerdictKind.NOT_FASTER
        assert first.admitted is not None
        assert second.admitted is not None
        assert judge.answer(other) is first
        judge.forget(first)
        again = judge.answer(other)
        assert again.admitted is not None
        assert again.admitted.build.executable.exists()
