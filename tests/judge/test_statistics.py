"""The statistics against figures computed with scipy 1.11 (wilcoxon, method="approx")."""

from __future__ import annotations

import math

import pytest

from gccllm.judge.statistics import geometric_mean, speedup, wilcoxon_z


def test_wilcoxon_matches_the_textbook_without_ties() -> None:
    # ranks 1..8 all positive: W+ = 36, mean 18, sd sqrt(51)
    ratios = [math.exp(x / 100) for x in range(1, 9)]
    assert wilcoxon_z(ratios) == pytest.approx(18 / math.sqrt(51))


def test_wilcoxon_is_antisymmetric() -> None:
    ratios = [1.2, 0.9, 1.05, 1.3, 0.97, 1.11]
    assert wilcoxon_z(ratios) == pytest.approx(-wilcoxon_z([1 / x for x in ratios]))


def test_wilcoxon_averages_tied_ranks_and_corrects_the_variance() -> None:
    ratios = [2.0, 2.0, 0.5, 2.0]
    # four tied magnitudes: every rank 2.5; W+ = 7.5, mean 5, variance 7.5 - 60/48
    assert wilcoxon_z(ratios) == pytest.approx(2.5 / math.sqrt(7.5 - 60 / 48))


def test_wilcoxon_of_nothing_is_zero() -> None:
    assert wilcoxon_z([]) == 0.0
    assert wilcoxon_z([1.0, 1.0]) == 0.0


def test_speedup_is_the_median_with_the_sign_test_interval() -> None:
    ratios = [1 + x / 100 for x in range(20)]
    value = speedup(ratios)
    assert value.ratio == pytest.approx(1.095)
    # n = 20: the 95% interval of the median runs from the 6th to the 15th value
    assert [value.low, value.high] == pytest.approx([1.05, 1.14])
    assert value.pairs == 20


def test_speedup_of_few_pairs_spans_them_all() -> None:
    value = speedup([1.0, 2.0, 3.0])
    assert (value.low, value.ratio, value.high) == (1.0, 2.0, 3.0)


def test_speedup_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no ratios"):
        speedup([])


def test_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no ratios"):
        geometric_mean([])
