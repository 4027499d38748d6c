"""Speedups made robust, and the keys of a reward."""

from __future__ import annotations

from typing import Any

import pytest

from gccllm.errors import UsageError
from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.ppo.reward import (
    SCORE_KEYS,
    Shaping,
    load_verdict,
    saved_verdict,
    scored,
    unjudged,
)


def right(ratio: float, low: float | None = None, high: float | None = None) -> Verdict:
    speedup = Speedup(ratio, ratio if low is None else low, ratio if high is None else high, 5)
    return Verdict(VerdictKind.NOT_FASTER, "", {}, speedup, tests_run=4)


@pytest.mark.parametrize(
    ("verdict", "reward"),
    [
        (right(2.0), 2.0),
        (right(0.5), 0.5),
        (right(1.02), 1.0),
        (right(0.98), 1.0),
        (right(1.2, 0.9, 1.6), 1.0),
        (right(60.0), 4.0),
        (Verdict(VerdictKind.UNCHANGED), 1.0),
        (Verdict(VerdictKind.WRONG_OUTPUT, tests_run=3), 0.0),
        (Verdict(VerdictKind.MALFORMED), 0.0),
        (Verdict(VerdictKind.UNJUDGED), 0.0),
    ],
)
def test_speedup_only(verdict: Verdict, reward: float) -> None:
    assert Shaping().reward(verdict, 4) == pytest.approx(reward)


def test_doublings() -> None:
    shaping = Shaping(doublings=True)
    found = [shaping.reward(right(x), 4) for x in (0.25, 0.5, 1.0, 2.0, 4.0, 64.0)]
    assert found == pytest.approx([0.0, 0.0, 1.0, 2.0, 3.0, 4.0])


def test_an_edit_that_changes_nothing_earns_what_leaving_it_earns() -> None:
    for kind in ("so", "cgs"):
        shaping = Shaping(kind=kind, even=0.6)
        kept = shaping.reward(Verdict(VerdictKind.UNCHANGED), 4)
        assert kept == pytest.approx(0.6 if kind == "so" else 7.0)
        assert shaping.reward(right(1.01), 4) == kept < shaping.reward(right(1.2), 4)
        assert shaping.reward(Verdict(VerdictKind.CRASHED), 4) == 0.0


def test_correctness_guided_counts_the_tests_before_the_first_failure() -> None:
    shaping = Shaping(kind="cgs", high=3.0)
    assert shaping.reward(Verdict(VerdictKind.WRONG_OUTPUT, tests_run=3), 4) == 0.5
    assert shaping.reward(Verdict(VerdictKind.NOT_ASSEMBLED), 4) == -1.0
    assert shaping.reward(right(5.0), 4) == 31.0


@pytest.mark.parametrize("kind", list(VerdictKind))
def test_always_the_same_keys(kind: VerdictKind) -> None:
    found = scored(Verdict(kind), 4, Shaping(), cached=True)
    assert tuple(found) == SCORE_KEYS
    assert found["verdict"] == kind.value
    assert found["cached"] == 1.0
    assert tuple(unjudged("why")) == SCORE_KEYS


def test_how_far_an_answer_came() -> None:
    def shares(kind: VerdictKind) -> tuple[object, ...]:
        found = scored(Verdict(kind), 4, Shaping(), cached=False)
        return found["well_formed"], found["assembled"], found["correct"], found["speedup"]

    assert shares(VerdictKind.MALFORMED) == (0, 0, 0, 0)
    assert shares(VerdictKind.NOT_ASSEMBLED) == (1, 0, 0, 0)
    assert shares(VerdictKind.SCREENED) == (1, 0, 0, 0)
    assert shares(VerdictKind.CRASHED) == (1, 1, 0, 0)
    assert shares(VerdictKind.DIFFERS) == (1, 1, 0, 0)
    assert shares(VerdictKind.UNCHANGED) == (1, 1, 1, 1)


@pytest.mark.parametrize("verdict", [right(1.5, 1.4, 1.6), Verdict(VerdictKind.CRASHED, "why")])
def test_a_kept_verdict_earns_the_same(verdict: Verdict) -> None:
    again = load_verdict(saved_verdict(verdict))
    assert (again.kind, again.detail, again.speedup) == (
        verdict.kind,
        verdict.detail,
        verdict.speedup,
    )
    assert Shaping(kind="cgs").reward(again, 4) == Shaping(kind="cgs").reward(verdict, 4)


@pytest.mark.parametrize(
    "given",
    [{"kind": "best"}, {"high": 1.0}, {"low": 2.0}, {"band": 1.0}, {"low": -1.0}, {"even": 2.0}],
)
def test_what_makes_no_sense(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Shaping(**given)
