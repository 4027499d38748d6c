"""Rates and means with bootstrap intervals.

Questions of one program are alike, so what is drawn again is programs, never single questions
(cluster bootstrap; Cameron, Gelbach and Miller 2008, 'Bootstrap-Based Improvements for Inference
with Clustered Errors', pairs cluster bootstrap).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

__all__ = ["Interval", "geometric_mean_of", "percentiles", "rate"]

ROUNDS = 1000
SEED = 20_261_122
Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% percentile interval; ``count`` observations stand behind it."""

    value: float
    low: float
    high: float
    count: int


def rate(groups: Sequence[tuple[float, int]]) -> Interval | None:
    """Of (hits, observations) for each program: hits by observations. None without any."""

    def share(drawn: Sequence[tuple[float, int]]) -> float | None:
        total = sum(count for _, count in drawn)
        return sum(hits for hits, _ in drawn) / total if total else None

    return _interval([x for x in groups if x[1]], share, sum(count for _, count in groups))


def geometric_mean_of(groups: Sequence[float]) -> Interval | None:
    """Of one ratio above 0 for each program. None without any."""

    def mean(drawn: Sequence[float]) -> float | None:
        return math.exp(math.fsum(map(math.log, drawn)) / len(drawn)) if drawn else None

    return _interval(groups, mean, len(groups))


def percentiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """25th, 50th and 75th, interpolated between neighbours. None without values."""
    if not values:
        return None
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _interval(
    groups: Sequence[Drawn], statistic: Callable[[Sequence[Drawn]], float | None], count: int
) -> Interval | None:
    value = statistic(groups)
    if value is None:
        return None
    rng = random.Random(SEED)
    drawn = (statistic(rng.choices(groups, k=len(groups))) for _ in range(ROUNDS))
    found = sorted(x for x in drawn if x is not None)
    cut = int(0.025 * len(found))
    return Interval(value, found[cut], found[-1 - cut], count)
