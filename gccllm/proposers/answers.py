"""What comes back from the embedded model, and the seam behind which it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gccllm.proposers.answer_grammar import KEEP_ANSWER

__all__ = ["FOREVER", "Answer", "Answers", "Sampling"]

FOREVER = float("inf")


@dataclass(frozen=True)
class Answer:
    """``text``: new lines in canonical form, or ``keep``. ``logprob``: natural logarithm of the
    probability that the model gives its tokens, the end not counted, before any temperature.
    ``tokens`` were generated for it, those thrown away included, at ``repairs`` places anew.
    ``given_up``: it could not be repaired, or did not end, and is ``keep`` for that reason."""

    text: str
    logprob: float
    tokens: int
    repairs: int = 0
    given_up: bool = False

    @property
    def keeps(self) -> bool:
        """The answer is to leave the region alone."""
        return self.text == KEEP_ANSWER


@dataclass(frozen=True)
class Sampling:
    """How to ask: ``samples`` answers to each prompt, drawn at ``temperature``, the first one
    ``greedy``; ``masked`` holds them to the grammar. What is not complete at ``deadline``
    (time.monotonic()) becomes ``keep``, or is cut short where it is not masked. A masked answer
    less likely than ``least``, a probability, is given up while it is written: it costs tokens and
    is hardly ever right."""

    samples: int = 1
    seed: int = 0
    temperature: float = 1.0
    greedy: bool = True
    masked: bool = True
    deadline: float = FOREVER
    least: float = 0.0


class Answers(Protocol):
    """Whoever answers prompts: the model in this process, or one kept warm in another."""

    def answers(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
    ) -> list[list[Answer]]:
        """The answers to each prompt; equal arguments give equal answers on one machine.
        Raises ProposerError where the model can't be asked, ValueError for what is no prompt."""
