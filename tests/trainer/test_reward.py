"""Rewards as the paper's section 3.3 defines them, case by case."""

from __future__ import annotations

import pytest

from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.reward import ALPHA, REWARDS, correctness_guided, speedup_only

NO_PROGRAM = [
    VerdictKind.MALFORMED,
    VerdictKind.SCREENED,
    VerdictKind.NOT_ASSEMBLED,
    VerdictKind.NOT_LINKED,
]
WRONG = [
    VerdictKind.CRASHED,
    VerdictKind.TIMED_OUT,
    VerdictKind.WRONG_OUTPUT,
    VerdictKind.WRONG_EXIT,
    VerdictKind.DIFFERS,
]
RUNTIME_ERRORS = [VerdictKind.CRASHED, VerdictKind.TIMED_OUT, VerdictKind.WRONG_EXIT]
UNKNOWN = [VerdictKind.SUSPICIOUS, VerdictKind.UNJUDGED]
RIGHT = [VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER, VerdictKind.UNCHANGED]


def measured(kind: VerdictKind, ratio: float) -> Verdict:
    return Verdict(kind, speedup=Speedup(ratio, ratio - 0.1, ratio + 0.1, 20))


def test_every_verdict_is_covered_here() -> None:
    assert {*NO_PROGRAM, *WRONG, *UNKNOWN, *RIGHT} == set(VerdictKind)


@pytest.mark.parametrize("kind", [*NO_PROGRAM, *WRONG, *UNKNOWN])
@pytest.mark.parametrize("published", [False, True])
def test_so_is_nothing_for_what_is_not_right(kind: VerdictKind, published: bool) -> None:
    assert speedup_only(measured(kind, 60.0), published=published) == 0.0


@pytest.mark.parametrize(("ratio", "published"), [(1.46, 1.46), (1.0, 0.0), (0.8, 0.0)])
def test_so_is_the_speedup_and_as_published_only_above_one(ratio: float, published: float) -> None:
    verdict = measured(VerdictKind.NOT_FASTER, ratio)
    assert speedup_only(verdict) == ratio
    assert speedup_only(verdict, published=True) == published


@pytest.mark.parametrize("kind", RIGHT)
def test_what_was_not_measured_is_as_fast_as_the_baseline(kind: VerdictKind) -> None:
    assert speedup_only(Verdict(kind)) == 1.0
    assert speedup_only(Verdict(kind), published=True) == 0.0
    assert correctness_guided(Verdict(kind), 10) == 1.0 + ALPHA


@pytest.mark.parametrize("kind", NO_PROGRAM)
def test_cgs_is_minus_one_where_nothing_compiles(kind: VerdictKind) -> None:
    assert correctness_guided(Verdict(kind), 10) == -1.0
    assert correctness_guided(Verdict(kind), 10, published=True) == -1.0


@pytest.mark.parametrize(("run", "passed"), [(1, 0.0), (4, 0.3), (10, 0.9), (0, 0.0), (99, 1.0)])
@pytest.mark.parametrize("kind", WRONG)
def test_cgs_is_the_fraction_passed_while_some_fail(
    kind: VerdictKind, run: int, passed: float
) -> None:
    verdict = Verdict(kind, tests_run=run)
    assert correctness_guided(verdict, 10) == pytest.approx(passed)
    published = -0.5 if kind in RUNTIME_ERRORS else pytest.approx(passed)
    assert correctness_guided(verdict, 10, published=True) == published


def test_cgs_without_tests_passes_none() -> None:
    assert correctness_guided(Verdict(VerdictKind.DIFFERS, tests_run=3), 0) == 0.0


@pytest.mark.parametrize("published", [False, True])
def test_cgs_is_one_and_alpha_speedups_where_all_pass(published: bool) -> None:
    verdict = measured(VerdictKind.ACCEPTED, 1.5)
    assert correctness_guided(verdict, 10, published=published) == 16.0
    assert correctness_guided(verdict, 10, alpha=2.0, published=published) == 4.0


@pytest.mark.parametrize("kind", UNKNOWN)
def test_cgs_says_nothing_about_the_unknown(kind: VerdictKind) -> None:
    assert correctness_guided(measured(kind, 60.0), 10) == 0.0


@pytest.mark.parametrize(
    ("name", "reward"), [("so", 0.9), ("so-published", 0.0), ("cgs", 10.0), ("cgs-published", 10.0)]
)
def test_rewards_by_name(name: str, reward: float) -> None:
    assert REWARDS[name](measured(VerdictKind.NOT_FASTER, 0.9), 10) == pytest.approx(reward)


def test_any_right_program_earns_more_than_any_wrong_one() -> None:
    worst_right = correctness_guided(measured(VerdictKind.NOT_FASTER, 0.01), 10)
    best_wrong = correctness_guided(Verdict(VerdictKind.WRONG_OUTPUT, tests_run=10), 10)
    assert worst_right > 1.0 > best_wrong
