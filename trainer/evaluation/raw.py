"""Raw answers: every system is asked the same questions, and each answer is judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from gccllm.proposers.answers import Sampling
from trainer.differential import JudgedRegion
from trainer.evaluation.outcomes import Outcome
from trainer.evaluation.questions import Asked
from trainer.evaluation.systems import System

__all__ = ["Court", "answered"]


class Court(Protocol):
    """Whoever judges answers."""

    def outcome(self, region: JudgedRegion, answer: str, level: str) -> Outcome: ...


def answered(
    questions: Sequence[tuple[Asked, JudgedRegion]],
    systems: Sequence[System],
    court: Court,
    sampling: Sampling,
) -> dict[str, Any]:
    """System → its answers to each question, judged, and the seconds that answering took.

    The entry of a question holds what it was ("wanted": the teacher rewrites), and for each sample
    the outcome, the answer and whether it is exactly the teacher's.
    """
    found: dict[str, Any] = {}
    for system in systems:
        started = time.monotonic()
        if system.teacher:
            texts = [[asked.teacher] for asked, _ in questions]
        else:
            prompts = [asked.prompt for asked, _ in questions]
            answers = system.answers.answers(prompts, replace(sampling, masked=system.masked))
            texts = [[x.text for x in these] for these in answers]
        seconds = time.monotonic() - started
        entries = []
        for (asked, region), these in zip(questions, texts, strict=True):
            samples = []
            for text in these:
                outcome = court.outcome(region, text, asked.level)
                exact = text.strip() == asked.teacher.strip()
                samples.append({**outcome.as_json(), "exact": exact, "answer": text})
            wanted = not region.leaves(asked.teacher)
            entries.append({"level": asked.level, "wanted": wanted, "samples": samples})
        found[system.name] = {"seconds": round(seconds, 3), "questions": entries}
    return found
