"""The embedded model: Llama's architecture at small sizes, grown from nothing.

Saved as an ordinary Hugging Face folder, so that transformers, vLLM, verl and CTranslate2 load it
as it is. Not Qwen2 (the same but for a bias in attention): for that model type, transformers 5
replaces the pre-tokeniser of any tokeniser by Qwen's, whatever the folder says. A size is a JSON
file in ``trainer/configs`` (or the user's): ``model`` holds fields of ``LlamaConfig``, ``training``
the learning rate and the batch that suit it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from trainer import tokenizer as tokenizers
from trainer.folders import replace_folder
from trainer.pairs import END, PAD

__all__ = [
    "SIZES",
    "Size",
    "average",
    "create",
    "load_model",
    "parameters",
    "save_model",
    "size_of",
]

CONFIGS = Path(__file__).parent / "configs"
SIZES = tuple(sorted(x.stem for x in CONFIGS.glob("*.json")))
_FIELDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
)


@dataclass(frozen=True)
class Size:
    """A model's shape (fields of ``LlamaConfig``) and the training that suits it.

    ``rows`` × ``length`` are the tokens of a batch, padding included.
    """

    shape: dict[str, int]
    learning_rate: float
    rows: int
    length: int


def size_of(name: str) -> Size:
    """The size called ``name``, or that of a JSON file. Raises UsageError for anything else."""
    path = CONFIGS / f"{name}.json" if name in SIZES else Path(name)
    if path.suffix != ".json" or not path.is_file():
        raise UsageError(f"no size {name}: give one of {', '.join(SIZES)} or a .json file")
    try:
        content = json.loads(path.read_text())
        shape = {x: int(content["model"][x]) for x in _FIELDS}
        training = content["training"]
        return Size(
            shape,
            float(training["learning_rate"]),
            int(training["rows"]),
            int(training["length"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} describes no model size: {error!r}") from error


def create(size: Size, tokenizer: Any, seed: int = 0) -> Any:
    """A ``LlamaForCausalLM`` with random fp32 weights that depend on ``seed`` alone."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    vocabulary = tokenizer.get_vocab()
    config = LlamaConfig(
        **size.shape,
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        pad_token_id=vocabulary[PAD],
        eos_token_id=vocabulary[END],
        bos_token_id=None,
        attn_implementation="sdpa",
        dtype="float32",
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def parameters(model: Any) -> int:
    """How many weights it has; the tied embedding counts once."""
    return sum(x.numel() for x in model.parameters())


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save both as one folder, all or nothing. Raises UsageError if it can't be written."""

    _quiet()

    def fill(part: str) -> None:
        model.save_pretrained(part)
        tokenizers.save(tokenizer, part)

    replace_folder(folder, fill)


def load_model(folder: Path) -> Any:
    """The model of a folder, in fp32, to be evaluated. Raises UsageError if there is none."""
    from transformers import AutoModelForCausalLM

    if not (folder / "config.json").is_file():
        raise UsageError(f"no model in {folder}")
    _quiet()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(str(folder), dtype="float32")
    except (OSError, ValueError) as error:
        raise UsageError(f"the model in {folder} can't be loaded: {error}") from error
    return loaded.eval()


def average(folders: Sequence[Path], out: Path) -> None:
    """Write the mean of the weights of models that grew from one (Wortsman et al. 2022, "Model
    soups"). Raises UsageError where their shapes differ, or ``out`` can't be written.
    """
    first, *others = [load_model(x) for x in folders]
    mean = first.state_dict()
    for folder, other in zip(folders[1:], others, strict=True):
        found = other.state_dict()
        if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in mean.items()}:
            raise UsageError(f"{folder} has another shape than {folders[0]}")
        mean = {k: v + found[k] for k, v in mean.items()}
    first.load_state_dict({k: v / len(folders) for k, v in mean.items()})
    save_model(first, tokenizers.load(folders[0]), out)


def _quiet() -> None:
    """No progress bars for what takes a moment."""
    from transformers.utils import logging

    logging.disable_progress_bar()
