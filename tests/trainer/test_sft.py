"""Supervised training of a nano model on real assembly: it learns, and it goes on exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import UsageError
from trainer.metrics import read_metrics
from trainer.model import load_model
from trainer.packing import encode_pairs
from trainer.pairs import read_pairs
from trainer.sft import Budget, Settings, Spent, schedule, train, validate
from trainer.tokenizer import load


@pytest.fixture
def settings(data: Path, tokenizer_folder: Path, tmp_path: Path) -> Settings:
    return Settings(
        data=data,
        tokenizer=tokenizer_folder,
        out=tmp_path / "run",
        budget=Budget(steps=20),
        size="nano",
        rows=2,
        length=256,
        every=50,
        sample=32,
    )


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    loaded = load_file(folder / "model" / "model.safetensors")
    assert isinstance(loaded, dict)
    return loaded


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    import torch

    return one.keys() == other.keys() and all(torch.equal(x, other[n]) for n, x in one.items())


def test_it_learns(trained_run: Path) -> None:
    """A quarter of the first loss, which is the logarithm of the vocabulary's size."""
    rows = read_metrics(trained_run / "metrics.jsonl")
    losses = [x["loss"] for x in rows if x["kind"] == "train"]
    assert len(losses) == 120
    assert sum(losses[-5:]) / 5 < losses[0] / 4
    valid = [x for x in rows if x["kind"] == "valid"]
    assert [x["step"] for x in valid] == [60, 120]
    assert valid[-1]["loss"] < losses[0] / 3
    assert valid[-1]["exact"] > 0
    assert (trained_run / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert list((trained_run / "tensorboard").iterdir())


def test_exact_means_that_greedy_decoding_gets_it_right(trained_run: Path, data: Path) -> None:
    """Validation never generates; here it is compared with what generation gives."""
    import torch

    model, tokenizer = load_model(trained_run / "model"), load(trained_run / "model")
    pairs, _ = encode_pairs(tokenizer, read_pairs(data), 256)
    verdicts = set()
    for pair in pairs[:24]:
        tokens = torch.from_numpy(pair.tokens.astype("int64"))
        with torch.inference_mode():
            answer = model.generate(
                input_ids=tokens[None, : pair.prompt],
                attention_mask=torch.ones(1, pair.prompt, dtype=torch.int64),
                max_new_tokens=len(pair) - pair.prompt,
                do_sample=False,
            )[0]
        right = answer.tolist() == tokens.tolist()
        assert validate(model, [pair], 1, 256, "fp32")["exact"] == right
        verdicts.add(right)
    assert verdicts == {True, False}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_twenty_steps_are_ten_and_ten_more(settings: Settings, precision: str) -> None:
    whole = replace(settings, precision=precision)
    parts = replace(whole, out=settings.out.with_name("parts"))
    assert train(whole).steps == 20
    assert train(parts, stop=lambda step: step == 10).steps == 10
    assert not (parts.out / "model").exists()
    assert train(parts).steps == 20
    assert same(weights(whole.out), weights(parts.out))

    def course(out: Path) -> list[tuple[int, int, float]]:
        rows = read_metrics(out / "metrics.jsonl")
        return [(x["step"], x["tokens"], x["loss"]) for x in rows if x["kind"] == "train"]

    assert course(whole.out) == course(parts.out)


def test_a_run_that_was_killed_goes_on_from_its_checkpoint(settings: Settings) -> None:
    """As kill -9 leaves it: rows of steps that no checkpoint has, the last line cut short, and a
    half-written checkpoint beside the whole one."""
    whole = replace(settings, out=settings.out.with_name("whole"))
    train(whole)
    train(settings, stop=lambda step: step == 10)
    (settings.out / ".checkpoint.pt.part-1").write_bytes(b"half")
    with (settings.out / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"kind": "train", "step": 11, "tokens": 0, "loss": 9.0}) + "\n")
        file.write('{"kind": "train", "st')
    train(settings)
    rows = read_metrics(settings.out / "metrics.jsonl")
    assert [x["step"] for x in rows if x["kind"] == "train"] == list(range(1, 21))
    assert same(weights(whole.out), weights(settings.out))


def test_a_finished_run_is_left_as_it_is(settings: Settings) -> None:
    short = replace(settings, budget=Budget(tokens=600))
    spent = train(short)
    before = weights(short.out)
    assert spent.tokens >= 600
    assert train(short) == spent
    assert same(before, weights(short.out))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "other settings"),
        ({"learning_rate": 1e-5}, "other settings"),
        ({"rows": 3}, "other settings"),
    ],
)
def test_another_run_is_not_gone_on_with(
    settings: Settings, change: dict[str, Any], told: str
) -> None:
    train(settings, stop=lambda step: True)
    with pytest.raises(UsageError, match=told):
        train(replace(settings, **change))


def test_a_broken_checkpoint_is_one_line(settings: Settings) -> None:
    settings.out.mkdir()
    (settings.out / "checkpoint.pt").write_bytes(b"nonsense")
    with pytest.raises(UsageError, match=r"checkpoint\.pt can't be read"):
        train(settings)


def test_too_long_a_row_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="more than the model can attend to"):
        train(replace(settings, length=1 << 20))


@pytest.mark.parametrize(
    "given", [{}, {"steps": 0}, {"hours": -1.0}, {"steps": 3, "tokens": 4}, {"tokens": 0}]
)
def test_a_budget_is_one_number(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="give a budget"):
        Budget(**given)


def test_shares_of_budgets() -> None:
    spent = Spent(steps=5, tokens=700, seconds=1800.0)
    assert Budget(steps=10).share(spent) == 0.5
    assert Budget(tokens=1400).share(spent) == 0.5
    assert Budget(hours=1.0).share(spent) == 0.5


def test_the_schedule_rises_and_falls() -> None:
    rates = [schedule(x / 100, 0.1) for x in range(101)]
    assert rates[10] == max(rates) == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[0] == pytest.approx(rates[100]) == pytest.approx(0.05)
