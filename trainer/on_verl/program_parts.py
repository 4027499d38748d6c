# mypy: disallow-subclassing-any=False
"""What verl loads by name for whole programs: rewards of answers in plain text."""

from __future__ import annotations

from trainer.on_verl.parts import RegionRewards
from trainer.ppo.text import TRUNCATED

__all__ = ["ProgramRewards"]


class ProgramRewards(RegionRewards):
    """As :class:`RegionRewards`; an answer is text without special tokens."""

    def answer(self, ids: list[int]) -> str:
        """The text of an answer, marked where the model did not end it."""
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        ended = bool(ids) and ids[-1] in self.tokenizer.all_special_ids
        return text if ended else text + TRUNCATED
