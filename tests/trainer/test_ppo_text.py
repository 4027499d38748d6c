"""Prompts reach verl as exactly the tokens that supervised training saw, and answers come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.packing import encode_pairs
from trainer.pairs import END, KEEP, KEEP_ANSWER, PAD, read_pairs
from trainer.ppo.text import CHAT_TEMPLATE, TRUNCATED, answer_of, messages, prompt_ids


def test_a_chat_is_the_prompt_of_supervised_training(data: Path, tokenizer_folder: Path) -> None:
    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    tokenizer.chat_template = CHAT_TEMPLATE
    pairs = list(read_pairs(data))[:60]
    encoded, dropped = encode_pairs(tokenizer, pairs, 1 << 20)
    assert not dropped
    for pair, seen in zip(pairs, encoded, strict=True):
        wanted = seen.tokens[: seen.prompt].tolist()
        assert prompt_ids(tokenizer, pair.prompt) == wanted
        chat = tokenizer.apply_chat_template(
            messages(pair.prompt), add_generation_prompt=True, tokenize=True, return_dict=False
        )
        assert list(chat) == wanted


def test_answers_come_back_as_they_were_taught(data: Path, tokenizer_folder: Path) -> None:
    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    pairs = list(read_pairs(data))
    encoded, _ = encode_pairs(tokenizer, pairs, 1 << 20)
    assert {x.keeps for x in pairs} == {True, False}
    for pair, seen in zip(pairs, encoded, strict=True):
        assert answer_of(tokenizer, seen.tokens[seen.prompt :].tolist()) == pair.answer


@pytest.mark.parametrize(
    "text",
    [
        "\tret\n",
        f"\tret\n{KEEP}{END}",
        f"{KEEP}{KEEP}{END}",
        f"{KEEP_ANSWER}{END}",
        f"{PAD}{END}",
        "",
    ],
)
def test_what_did_not_end_or_holds_marks_is_no_answer(text: str, tokenizer_folder: Path) -> None:
    from trainer.tokenizer import load

    tokenizer = load(tokenizer_folder)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert answer_of(tokenizer, ids).endswith(TRUNCATED)
