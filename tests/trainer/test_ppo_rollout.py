"""Sampling for PPO: the same tokens and probabilities as the model gives one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainer.on_verl.rollout import Answer, Wanted, generate


@pytest.fixture
def prompts(trained_run: Path, data: Path) -> list[tuple[int, ...]]:
    from trainer.pairs import read_pairs
    from trainer.ppo.text import prompt_ids
    from trainer.tokenizer import load

    tokenizer = load(trained_run / "model")
    return [tuple(prompt_ids(tokenizer, x.prompt)) for x in list(read_pairs(data))[:9]]


@pytest.fixture
def model(trained_run: Path) -> Any:
    from trainer.model import load_model

    return load_model(trained_run / "model")


def sampled(model: Any, wanted: list[Wanted], seed: int = 0, at_once: int = 64) -> list[Answer]:
    ends, pad = frozenset([model.config.eos_token_id]), model.config.pad_token_id
    found = dict(generate(model, wanted, ends=ends, pad=pad, seed=seed, most_at_once=at_once))
    assert sorted(found) == list(range(len(wanted)))
    return [found[x] for x in range(len(wanted))]


@pytest.mark.parametrize("at_once", [1, 4, 64])
def test_greedy_answers_are_those_of_transformers(
    model: Any, prompts: list[tuple[int, ...]], at_once: int
) -> None:
    import torch

    found = sampled(model, [Wanted(x, 0.0, 20) for x in prompts], at_once=at_once)
    for prompt, answer in zip(prompts, found, strict=True):
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            whole = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=20,
                do_sample=False,
            )[0]
        assert list(answer.tokens) == whole[len(prompt) :].tolist()
        assert answer.ended == (answer.tokens[-1] == model.config.eos_token_id)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_probabilities_are_those_at_the_temperature(
    model: Any, prompts: list[tuple[int, ...]], temperature: float
) -> None:
    import torch

    found = sampled(model, [Wanted(x, temperature, 12) for x in prompts])
    for prompt, answer in zip(prompts, found, strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*prompt, *answer.tokens]])).logits[0]
        likely = torch.log_softmax(logits[len(prompt) - 1 : -1] / temperature, -1)
        wanted = likely[range(len(answer.tokens)), list(answer.tokens)]
        assert torch.tensor(answer.log_probs) == pytest.approx(wanted, abs=1e-3)


def test_the_seed_decides(model: Any, prompts: list[tuple[int, ...]]) -> None:
    wanted = [Wanted(x, 1.0, 12) for x in prompts]
    first = sampled(model, wanted, seed=1)
    assert sampled(model, wanted, seed=1) == first
    assert sampled(model, wanted, seed=2) != first


def test_what_is_sampled_beside_it_does_not_matter(
    model: Any, prompts: list[tuple[int, ...]]
) -> None:
    """Requests come in batches that no run repeats; equal ones still draw otherwise."""
    wanted = [Wanted(x, 1.0, 12) for x in prompts]
    together = sampled(model, wanted, seed=1)
    assert [sampled(model, [x], seed=1)[0].tokens for x in wanted] == [x.tokens for x in together]
    again = sampled(model, wanted[:1] * 8, seed=1)
    assert again[0].tokens == together[0].tokens
    assert len({x.tokens for x in again}) > 1
    numbered = [Wanted(prompts[0], 1.0, 12, n) for n in range(8)]
    assert len({x.tokens for x in sampled(model, numbered, seed=1)}) > 1


def test_draws_fall_as_often_as_they_are_likely() -> None:
    """Three of four tokens are equally likely, and one is not."""
    torch = pytest.importorskip("torch")
    from trainer.on_verl.rollout import _sample

    count = 1000
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, 0.0]]).expand(count, 4)
    drawn = torch.arange(count, dtype=torch.float64) / count
    chosen, likely = _sample(logits, torch.ones(count), drawn)
    assert torch.bincount(chosen, minlength=4).tolist() == [0, 334, 333, 333]
    assert torch.allclose(likely, torch.full((count,), -1.0986), atol=1e-3)


def test_lengths_and_temperatures_of_their_own(model: Any, prompts: list[tuple[int, ...]]) -> None:
    wanted = [Wanted(x, float(n % 2), 3 + n) for n, x in enumerate(prompts)]
    found = sampled(model, wanted)
    for one, answer in zip(wanted, found, strict=True):
        assert answer.ended or len(answer.tokens) == one.most
        assert len(answer.tokens) == len(answer.log_probs) <= one.most
    greedy = sampled(model, [Wanted(prompts[0], 0.0, 3)])[0]
    assert found[0].tokens == greedy.tokens
