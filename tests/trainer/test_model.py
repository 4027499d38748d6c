"""Sizes of the embedded model, and its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gccllm.errors import UsageError
from trainer.model import SIZES, average, create, load_model, parameters, save_model, size_of


def test_the_sizes() -> None:
    assert SIZES == ("mini", "nano")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "describes no model size"),
        ('{"model": {}, "training": {}}', "describes no model size"),
        (None, "no size"),
    ],
)
def test_what_is_no_size(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "huge.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=told):
        size_of(str(path))


def test_parameters(tokenizer_folder: Path) -> None:
    """With the vocabulary that is meant for it: 4,096 tokens."""
    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    tokenizer.add_tokens([f"<{n}>" for n in range(4096 - len(tokenizer))])
    assert 500_000 < parameters(create(size_of("nano"), tokenizer)) <= 1_000_000
    assert 5_000_000 < parameters(create(size_of("mini"), tokenizer)) < 8_000_000


def test_a_folder_that_transformers_loads(tokenizer_folder: Path, tmp_path: Path) -> None:
    import torch

    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    model = create(size_of("nano"), tokenizer, seed=1).eval()
    save_model(model, tokenizer, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    tokens = torch.tensor([tokenizer.encode("\taddl\t%eax, %ebx\n")])
    with torch.inference_mode():
        assert torch.equal(model(tokens).logits, loaded(tokens).logits)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["tie_word_embeddings"] is True
    with pytest.raises(UsageError, match="no model in"):
        load_model(tmp_path)


def test_transformers_takes_our_tokenizer_from_a_model_folder(
    tokenizer_folder: Path, functions: list[str], tmp_path: Path
) -> None:
    """verl and vLLM call AutoTokenizer, which for some model types brings a splitter of its own."""
    from transformers import AutoTokenizer

    from trainer.tokenizer import load

    ours = load(tokenizer_folder)
    save_model(create(size_of("nano"), ours), ours, tmp_path / "model")
    loaded = AutoTokenizer.from_pretrained(str(tmp_path / "model"))
    assert loaded.get_vocab() == ours.get_vocab()
    assert (loaded.eos_token, loaded.pad_token) == ("<|end|>", "<|pad|>")
    for text in functions:
        tokens = loaded.encode(text)
        assert tokens == ours.encode(text)
        assert loaded.decode(tokens) == text


def test_weights_depend_on_the_seed_alone(tokenizer_folder: Path) -> None:
    import torch

    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    one, same, other = (create(size_of("nano"), tokenizer, x).lm_head.weight for x in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_an_average_lies_between(tokenizer_folder: Path, tmp_path: Path) -> None:
    import torch

    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    made = [create(size_of("nano"), tokenizer, seed) for seed in (1, 2, 3)]
    folders = [tmp_path / str(x) for x in range(3)]
    for model, folder in zip(made, folders, strict=True):
        save_model(model, tokenizer, folder)
    average(folders, tmp_path / "mean")
    found = load_model(tmp_path / "mean").state_dict()
    for name, weight in found.items():
        assert torch.allclose(weight, sum(x.state_dict()[name] for x in made) / 3, atol=1e-7)
    save_model(create(size_of("mini"), tokenizer), tokenizer, tmp_path / "larger")
    with pytest.raises(UsageError, match="another shape"):
        average([folders[0], tmp_path / "larger"], tmp_path / "none")
