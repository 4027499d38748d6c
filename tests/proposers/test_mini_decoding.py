"""Asking a model: equal answers for equal seeds, and only answers when it is held to them."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gccllm.errors import ProposerError, ToolchainError
from gccllm.proposers.answer_assembly import AnswerAssembler
from gccllm.proposers.answer_grammar import Fault, Grammar
from gccllm.proposers.answers import Answer, Sampling
from gccllm.proposers.decoding import Decoder
from gccllm.proposers.weights import MANIFEST, Weights, check, present, seal
from gccllm.toolchain import Toolchain
from tests.tiny_model import PROMPT

OTHER = PROMPT.replace("addl\t$1", "subl\t$3")
GRAMMAR = Grammar.of_prompt(PROMPT)


@pytest.fixture
def decoder(tiny: Weights) -> Decoder:
    return Decoder(tiny.folder, assembles=AnswerAssembler(Toolchain()).faults)


def rejected(answers: Sequence[Answer]) -> int:
    """How many are no answers, or not assembled."""
    texts = [x.text for x in answers if not x.keeps and GRAMMAR.fault(x.text) is None]
    faults = AnswerAssembler(Toolchain()).faults(texts, GRAMMAR.level)
    wrong = sum(GRAMMAR.fault(x.text) is not None for x in answers)
    return wrong + sum(x is not None for x in faults)


def test_held_to_the_grammar_every_answer_is_one(decoder: Decoder) -> None:
    (free,) = decoder.answers([PROMPT], Sampling(40, seed=3, masked=False))
    assert rejected(free) > 10, "this model is bad enough for the test to mean something"
    (held,) = decoder.answers([PROMPT], Sampling(40, seed=3))
    assert rejected(held) == 0
    assert any(x.repairs and not x.given_up for x in held)
    assert len({x.text for x in held}) > 3
    assert decoder.counts["answers"] == 80
    assert decoder.counts["repaired"] == sum(x.repairs > 0 and not x.given_up for x in held)
    assert decoder.counts["tokens"] == sum(x.tokens for x in [*free, *held])


def test_without_an_assembler_the_grammar_alone_holds(tiny: Weights) -> None:
    (held,) = Decoder(tiny.folder).answers([PROMPT], Sampling(40, seed=3))
    assert all(GRAMMAR.fault(x.text) is None for x in held)


def test_a_broken_assembler_costs_only_its_own_check(tiny: Weights) -> None:
    def broken(texts: Sequence[str], level: str) -> list[Fault | None]:
        raise ToolchainError("no as")

    decoder = Decoder(tiny.folder, assembles=broken)
    (held,) = decoder.answers([PROMPT], Sampling(16, seed=3))
    assert all(GRAMMAR.fault(x.text) is None for x in held)
    assert decoder.counts["assembler-failed"] > 0


@pytest.mark.parametrize("masked", [True, False])
def test_the_seed_decides(decoder: Decoder, masked: bool) -> None:
    first = decoder.answers([PROMPT, OTHER], Sampling(6, seed=1, masked=masked))
    assert [len(x) for x in first] == [6, 6]
    assert decoder.answers([PROMPT, OTHER], Sampling(6, seed=1, masked=masked)) == first
    other = decoder.answers([PROMPT, OTHER], Sampling(6, seed=2, masked=masked))
    assert other != first
    assert other[0][0] == first[0][0], "the first is greedy"


def test_temperature_zero_is_greedy(decoder: Decoder) -> None:
    (answers,) = decoder.answers([PROMPT], Sampling(3, temperature=0.0, greedy=False))
    assert len(set(answers)) == 1
    assert decoder.answers([PROMPT], Sampling(1))[0][0].text == answers[0].text


def test_probabilities_are_those_of_the_model(tiny: Weights) -> None:
    """``keep`` is a token of its own, and this model was made to say it in 3 of 10 cases."""
    (answers,) = Decoder(tiny.folder).answers([PROMPT], Sampling(200, seed=5, masked=False))
    kept = [x for x in answers if x.keeps]
    assert all(abs(math.exp(x.logprob) - 0.3) < 0.05 for x in kept)
    assert 30 < len(kept) < 90


def test_behind_the_deadline_all_is_kept(decoder: Decoder) -> None:
    (answers,) = decoder.answers([PROMPT], Sampling(4, deadline=time.monotonic() - 1.0))
    assert [x.text for x in answers] == ["keep"] * 4


def test_nothing_asked_nothing_answered(decoder: Decoder) -> None:
    assert decoder.answers([], Sampling(4)) == []
    assert decoder.answers([PROMPT], Sampling(0)) == [[]]


def test_no_prompt_is_refused(decoder: Decoder) -> None:
    with pytest.raises(ValueError, match="not a region prompt"):
        decoder.answers(["hello"], Sampling(1))


@pytest.mark.parametrize("lost", ["model.bin", "tokenizer.json", "config.json"])
def test_a_folder_without_a_file_is_no_model(tiny: Weights, tmp_path: Path, lost: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.folder, folder)
    (folder / lost).unlink()
    with pytest.raises(ProposerError, match=lost):
        check(folder)
    if lost != "config.json":
        with pytest.raises(ProposerError, match="no usable model"):
            Decoder(folder)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a model"])
def test_damaged_files_are_found_before_they_are_loaded(
    tiny: Weights, tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.folder, folder)
    (folder / "model.bin").write_bytes(content)
    with pytest.raises(ProposerError, match="not the file that"):
        check(folder)
    with pytest.raises(ProposerError, match="no usable model"):
        Decoder(folder)
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(ProposerError, match="no usable model"):
        Decoder(folder)


def test_a_manifest_is_made_and_read(tiny: Weights, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.folder, folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(ProposerError, match="no readable manifest"):
        check(folder)
    assert present(folder)
    assert not present(tmp_path)
    made = seal(folder, "again", {"steps": 12})
    assert made == check(folder)
    assert (made.name, made.about, made.identity) == ("again", {"steps": 12}, tiny.identity)
    for content in ("", "[]", "{}", '{"version": 2}', '{"version": 1, "files": []}'):
        (folder / MANIFEST).write_text(content)
        with pytest.raises(ProposerError, match="manifest"):
            check(folder)


def test_what_has_become_unlikely_is_given_up(decoder: Decoder) -> None:
    (free,) = decoder.answers([PROMPT], Sampling(8, seed=3))
    (held,) = decoder.answers([PROMPT], Sampling(8, seed=3, least=0.5))
    assert sum(x.given_up for x in held) > sum(x.given_up for x in free)
    assert sum(x.tokens for x in held) < sum(x.tokens for x in free)
    assert all(x.keeps for x in held if x.given_up)
    (unmasked,) = decoder.answers([PROMPT], Sampling(8, seed=3, masked=False, least=0.5))
    assert not any(x.given_up for x in unmasked), "only the product gives up"
