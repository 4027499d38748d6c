"""What every proposer that talks to a general model shares: its turn of the conversation.

Used by openai.py and local.py; no client and no model is imported here.
"""

from __future__ import annotations

import os

from gccllm.errors import UsageError
from gccllm.prompts import Malformed, conversation, parse_answer
from gccllm.proposers.base import Task
from gccllm.types import Candidate

__all__ = ["answer_tokens", "as_candidate", "messages", "temperature"]

PAPER_TEMPERATURE = 0.5
PAPER_ANSWER_TOKENS = 2000
MOST_ANSWER_TOKENS = 8192
BYTES_PER_TOKEN = 2.2
"""of assembly, with the tokenizer of Qwen2.5; on the low side, so answers get room"""


def messages(task: Task, proposer: str) -> list[dict[str, str]] | None:
    """The chat messages for a task; None where the C source, which the prompt needs, is unknown.

    Of the earlier attempts the proposer's own last one is shown, with the judge's verdict.
    """
    if task.source is None:
        return None
    own = [a for a in task.attempts if a.candidate.proposer == proposer]
    earlier = (own[-1].candidate, own[-1].verdict) if own else None
    shown = None if task.c_only else _sendable(task.baseline)
    return conversation(_sendable(task.source), shown, earlier)


def _sendable(text: str) -> str:
    """Sources and assembly are decoded with surrogateescape, which no UTF-8 encoder takes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def answer_tokens(task: Task) -> int:
    """The token limit of an answer: the paper's 2,000, more where the baseline itself is longer
    (it is the best guess of an answer's length), never over 8,192."""
    expected = int(1.25 * len(task.baseline) / BYTES_PER_TOKEN)
    return max(PAPER_ANSWER_TOKENS, min(expected, MOST_ANSWER_TOKENS))


def temperature() -> float:
    """Sampling temperature of all samples but the first: GCCLLM_TEMPERATURE, or the paper's 0.5.

    Raises UsageError for anything that is not a number from 0 to 2.
    """
    word = os.environ.get("GCCLLM_TEMPERATURE", "").strip()
    if not word:
        return PAPER_TEMPERATURE
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 2.0:
        raise UsageError(f"GCCLLM_TEMPERATURE={word}: a number from 0 to 2 is needed")
    return value


def as_candidate(
    task: Task, proposer: str, answer: str, *, label: str, seconds: float, truncated: bool
) -> Candidate:
    """A model's answer as a candidate for the whole unit, ``malformed`` where it can't be read."""
    parsed = parse_answer(answer, truncated=truncated)
    text, malformed = ("", parsed.reason) if isinstance(parsed, Malformed) else (parsed, "")
    return Candidate(
        proposer=proposer,
        unit=task.unit,
        functions=(),
        text=text,
        label=label,
        seconds=seconds,
        malformed=malformed,
    )
