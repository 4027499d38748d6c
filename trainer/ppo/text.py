"""Prompts and answers between the region format and verl's chat messages, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainer.pairs import ANSWER, END, KEEP, KEEP_ANSWER, SPECIAL

__all__ = ["CHAT_TEMPLATE", "TRUNCATED", "answer_of", "messages", "prompt_ids"]

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}" + ANSWER + "{% endif %}"
)
"""makes of a prompt as the only message exactly the tokens that supervised training saw"""
TRUNCATED = "\N{HORIZONTAL ELLIPSIS}"
"""what stands behind an answer that did not end; no answer in canonical form has it"""


def messages(prompt: str) -> list[dict[str, str]]:
    """A prompt as a chat."""
    return [{"role": "user", "content": prompt}]


def prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    """The tokens before an answer, as :func:`trainer.packing.encode_pairs` makes them."""
    return list(tokenizer(prompt + ANSWER, add_special_tokens=False)["input_ids"])


def answer_of(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of an answer from its tokens: ``keep`` or lines.

    One that was cut before ``<|end|>``, and one with a special token inside, ends with
    :data:`TRUNCATED`; it is malformed.
    """
    text = str(tokenizer.decode(list(ids), skip_special_tokens=False))
    if not text.endswith(END):
        return text + TRUNCATED
    text = text.removesuffix(END)
    if text == KEEP:
        return KEEP_ANSWER
    # The word itself is no answer in tokens: the model has a token for it.
    if text.strip() == KEEP_ANSWER or any(mark in text for mark in SPECIAL):
        return text + TRUNCATED
    return text
