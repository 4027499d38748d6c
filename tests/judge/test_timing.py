"""The rule of acceptance on scripted times: no clock is involved."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gccllm.judge.timing import Decision, Pairs, Rule, RunFailed, TimedCase, decide, measure
from gccllm.sandbox.base import RunInput, RunLimits, RunResult
from gccllm.sandbox.fake import FakeSandbox, FakeSession

RULE = Rule()


def right(case: int, result: RunResult) -> str:
    assert case == 0
    return "" if result.stdout == b"ok" else "wrong output"


def program(seconds: float, noise: float, seed: int) -> list[RunResult]:
    """A program whose runs take ``seconds`` with some percent of noise."""
    rng = random.Random(seed)
    return [
        FakeSandbox.result(b"ok", user=seconds * (1 + noise * rng.gauss(0, 1))) for _ in range(211)
    ]


def session(**programs: list[RunResult]) -> FakeSession:
    sandbox = FakeSandbox(programs)
    paths = {name: Path(name) for name in programs}
    with sandbox.open(paths, [RunInput()], limits=RunLimits()) as opened:
        return opened


def pairs_of(ratios: list[float], wall: float | None = None) -> Pairs:
    ones = [1.0] * len(ratios)
    walls = [1 / wall] * len(ratios) if wall else [1 / x for x in ratios]
    return Pairs(ones, [1 / x for x in ratios], ones, walls)


def run(baseline: list[RunResult], candidate: list[RunResult]) -> tuple[Pairs, Decision]:
    opened = session(baseline=baseline, candidate=candidate)
    return measure(opened, "baseline", "candidate", [TimedCase(0)], right, RULE, random.Random(1))


def test_a_clear_winner_is_found_early() -> None:
    pairs, decision = run(program(0.1, 0.005, 1), program(0.05, 0.005, 2))
    assert decision is Decision.FASTER
    assert RULE.early_accept <= len(pairs.ratios) < RULE.pairs


def test_a_hopeless_one_is_given_up_early() -> None:
    pairs, decision = run(program(0.1, 0.005, 1), program(0.12, 0.005, 2))
    assert decision is Decision.NOT_FASTER
    assert len(pairs.ratios) == RULE.early_reject


def test_a_real_but_small_speedup_is_not_enough() -> None:
    pairs, decision = run(program(0.1, 0.002, 1), program(0.1 / 1.03, 0.002, 2))
    assert decision is Decision.NOT_FASTER
    assert len(pairs.ratios) == RULE.pairs


def test_slow_programs_get_fewer_pairs() -> None:
    pairs, _ = run(program(0.4, 0.001, 1), program(0.4 / 1.03, 0.001, 2))
    assert len(pairs.ratios) == RULE.slow_pairs


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.05])
def test_identical_programs_are_not_called_faster(noise: float) -> None:
    faster = 0
    for seed in range(200):
        _, first = run(program(0.1, noise, 2 * seed), program(0.1, noise, 2 * seed + 1))
        if first is Decision.FASTER:
            _, again = run(program(0.1, noise, 999 + seed), program(0.1, noise, 5999 + seed))
            faster += again is Decision.FASTER
    assert faster == 0


def test_both_orders_occur() -> None:
    opened = session(baseline=program(0.1, 0, 1), candidate=program(0.1, 0, 2))
    measure(
        opened, "baseline", "candidate", [TimedCase(0)], right, RULE, random.Random(3),
        most_pairs=20, early_stop=False,
    )  # fmt: skip
    timed = opened.runs[2 * RULE.warmups :]
    firsts = [timed[i][0] for i in range(0, len(timed), 2)]
    assert {"baseline", "candidate"} == set(firsts)


def test_repeats_are_summed_into_one_time() -> None:
    opened = session(baseline=program(0.01, 0, 1), candidate=program(0.01, 0, 1))
    pairs, _ = measure(
        opened, "baseline", "candidate", [TimedCase(0, 4)], right, RULE, random.Random(1),
        most_pairs=1,
    )  # fmt: skip
    assert pairs.baseline_cpu == [pytest.approx(0.04)]


def test_a_control_is_measured_along() -> None:
    opened = session(
        baseline=program(0.1, 0, 1), candidate=program(0.05, 0, 1), control=program(0.1, 0, 1)
    )
    pairs, _ = measure(
        opened, "baseline", "candidate", [TimedCase(0)], right, RULE, random.Random(1),
        most_pairs=6, early_stop=False, control="control",
    )  # fmt: skip
    assert pairs.control_ratios == [pytest.approx(1.0)] * 6
    assert pairs.ratios == [pytest.approx(2.0)] * 6


def test_wrong_output_in_a_timed_run_is_caught() -> None:
    good = FakeSandbox.result(b"ok")
    lies = [good] * 6 + [FakeSandbox.result(b"no")] + [good] * 200
    with pytest.raises(RunFailed, match="wrong output") as caught:
        run(program(0.1, 0, 1), lies)
    assert (caught.value.program, caught.value.case) == ("candidate", 0)


@pytest.mark.parametrize(
    ("pairs_before", "decision"), [(3, Decision.OPEN), (RULE.slow_pairs, Decision.FASTER)]
)
def test_the_deadline_ends_it_with_what_is_known(pairs_before: int, decision: Decision) -> None:
    calls: Iterator[bool] = iter([False] * (pairs_before - 1) + [True])
    opened = session(baseline=program(0.1, 0, 1), candidate=program(0.05, 0, 1))
    pairs, decided = measure(
        opened, "baseline", "candidate", [TimedCase(0)], right, RULE, random.Random(1),
        deadline=lambda: next(calls), early_stop=False,
    )  # fmt: skip
    assert decided is decision
    assert len(pairs.ratios) == pairs_before


def test_the_rule_needs_ratio_significance_and_wall_time() -> None:
    good = [1.06] * 10 + [1.07] * 10
    assert decide(pairs_of(good), RULE, final=True) is Decision.FASTER
    assert decide(pairs_of([1.04] * 20), RULE, final=True) is Decision.NOT_FASTER
    assert decide(pairs_of([1.2] * 3), RULE, final=True) is Decision.NOT_FASTER
    assert decide(pairs_of([1.2] * 11 + [0.7] * 9), RULE, final=True) is Decision.NOT_FASTER
    assert decide(pairs_of(good, wall=0.9), RULE, final=True) is Decision.NOT_FASTER


def test_nothing_measured_is_not_faster() -> None:
    assert decide(Pairs(), RULE, final=True) is Decision.NOT_FASTER
    assert decide(Pairs(), RULE, final=False) is Decision.OPEN
