"""A chat model of bytes with random weights: small enough to train, answer and serve in a test."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["make_tiny_chat"]

CONTEXT = 4096


def make_tiny_chat(place: Path, *, context: int = CONTEXT) -> Path:
    """Write the model as an ordinary folder; skips the test where torch is missing."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = {symbol: index for index, symbol in enumerate(["<end>", "<pad>", *alphabet])}
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=words, merges=[]))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<end>", pad_token="<pad>"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    tokenizer.save_pretrained(place)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=words["<end>"],
        eos_token_id=words["<end>"],
        pad_token_id=words["<pad>"],
        tie_word_embeddings=True,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(place)
    return place
