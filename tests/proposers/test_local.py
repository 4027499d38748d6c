"""transformers in this process: a tiny model with random weights where torch is installed, and
what is said where it is not."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import ProposerError
from gccllm.proposers.base import Task
from gccllm.proposers.local import LocalProposer
from gccllm.types import Isa


def task(samples: int = 1, *, seconds: float = 60.0, source: str | None = "int f;\n") -> Task:
    isa = Isa("target", "x86-64", frozenset())
    deadline = time.monotonic() + seconds
    return Task("u", "f:\n\tret\n", (), isa, Path("x"), deadline, source=source, samples=samples)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ProposerError, match=r"pip install 'gccllm\[local\]'"):
        next(LocalProposer("some/model").propose(task()))


def test_without_a_source_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert list(LocalProposer("some/model").propose(task(source=None))) == []
    assert list(LocalProposer("some/model").propose(task(0))) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 of two narrow layers over single bytes, saved as an ordinary model folder."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    place = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = {symbol: index for index, symbol in enumerate(["<end>", *alphabet])}
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=words, merges=[]))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>")
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[assistant]"
    )
    tokenizer.save_pretrained(place)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=560,
        eos_token_id=0,
    )
    transformers.Qwen2ForCausalLM(config).save_pretrained(place)
    return place


def test_samples_come_greedy_first_and_the_same_every_time(folder: Path) -> None:
    first = list(LocalProposer(str(folder)).propose(task(4)))
    again = list(LocalProposer(str(folder)).propose(task(4)))
    assert [c.label for c in first] == [
        "sample 1 (greedy)",
        *(f"sample {k} (temperature 0.5)" for k in (2, 3, 4)),
    ]
    assert all(c.malformed and not c.text for c in first), "random weights write no assembly"
    assert [c.malformed for c in first] == [c.malformed for c in again]


def test_an_answer_is_parsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proposer = LocalProposer(str(folder))
    next(proposer.propose(task()))
    asked: list[Any] = []

    def answers(turns: list[dict[str, str]], *_: object, **__: object) -> list[tuple[str, bool]]:
        asked.append(turns)
        return [("```assembly\nf:\n\tret\n```", False)]

    monkeypatch.setattr(proposer._loaded, "answers", answers)
    (candidate,) = proposer.propose(task())
    assert (candidate.text, candidate.malformed, candidate.functions) == ("f:\n\tret\n", "", ())
    assert asked[0][0]["content"].startswith("Given the following C code")


def test_a_prompt_longer_than_the_context_is_said(folder: Path) -> None:
    with pytest.raises(ProposerError, match="leaves no room for an answer"):
        next(LocalProposer(str(folder)).propose(task(source="int x;\n" * 200)))


def test_generation_stops_at_the_deadline(folder: Path) -> None:
    proposer = LocalProposer(str(folder))
    list(proposer.propose(task()))
    assert list(proposer.propose(task(4, seconds=0.0))) == []
    cut = list(proposer.propose(task(1, seconds=0.001)))
    assert len(cut) <= 1


def test_a_folder_that_holds_no_model_is_the_users_to_mend(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ProposerError, match="can't be loaded"):
        next(LocalProposer(str(tmp_path)).propose(task()))
