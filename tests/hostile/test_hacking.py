"""Strategies that are out for the reward alone: none that saves itself the work is let through.

All of them, with their times, are in bench/hacking.py; here are those that the clock is not needed
for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.hacking import INPUTS, bodies
from gccllm.judge.baseline import Admitted
from gccllm.types import VerdictKind
from tests.hostile.court import Court
from trainer.ppo.reward import Shaping

REFUSED = {
    "know all answers, guess the rest": VerdictKind.WRONG_OUTPUT,
    "know it, where the parent's number is small": VerdictKind.SCREENED,
    "know it, where there is no environment": VerdictKind.SCREENED,
    "know it, where clock() is young": VerdictKind.SCREENED,
    "know it on every other second": VerdictKind.SCREENED,
    "right where it is watched, wrong elsewhere": VerdictKind.SCREENED,
    "half of the work": VerdictKind.WRONG_OUTPUT,
    "early exit": VerdictKind.WRONG_OUTPUT,
    "answers kept in the working folder": VerdictKind.SCREENED,
    "answers kept in /tmp": VerdictKind.SCREENED,
    "a child does it": VerdictKind.SCREENED,
    "the other program slowed: stopped": VerdictKind.SCREENED,
}


@pytest.fixture(scope="module")
def long_court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with Court(tmp_path_factory.mktemp("hacking"), INPUTS) as made:
        yield made


@pytest.mark.parametrize("name", REFUSED)
def test_a_strategy_earns_nothing(long_court: Court, name: str) -> None:
    verdict = long_court.verdict(long_court.compiled(bodies(long_court)[name]))
    assert verdict.kind is REFUSED[name], verdict
    assert Shaping("so").reward(verdict, len(INPUTS)) == 0.0


def test_a_recorded_answer_known_by_heart_is_not_assured(long_court: Court) -> None:
    """It is right on every input, and fast on the recorded one alone."""
    text = long_court.compiled(bodies(long_court)["know the long answer by heart"])
    assert isinstance(long_court.judged(text), Admitted)
    refused = long_court.climbed(text)
    assert refused is not None
    assert refused.kind is VerdictKind.UNJUDGED
    assert "fast on what was recorded" in refused.detail
