"""Few, plain statistics over per-pair ratios; no numpy, for the link step must stay light.

Checked against scipy's figures in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from gccllm.types import Speedup

__all__ = ["geometric_mean", "speedup", "wilcoxon_z"]


def wilcoxon_z(ratios: Sequence[float]) -> float:
    """Wilcoxon signed-rank z of the logarithms against 0: positive when ratios tend above 1.

    Normal approximation with average ranks, tie correction, zeros dropped (Wilcoxon 1945;
    Hollander & Wolfe, 'Nonparametric Statistical Methods', 3.1). 0 when nothing differs.
    """
    logs = sorted((math.log(x) for x in ratios if x != 1.0), key=abs)
    count = len(logs)
    if count == 0:
        return 0.0
    positive = 0.0
    tie_term = 0.0
    start = 0
    while start < count:
        end = start
        while end < count and abs(logs[end]) == abs(logs[start]):
            end += 1
        rank = (start + 1 + end) / 2
        positive += rank * sum(1 for x in logs[start:end] if x > 0)
        tie_term += float((end - start) ** 3 - (end - start))
        start = end
    mean = count * (count + 1) / 4
    variance = count * (count + 1) * (2 * count + 1) / 24 - tie_term / 48
    return (positive - mean) / math.sqrt(variance)


def speedup(ratios: Sequence[float]) -> Speedup:
    """Median of the ratios with its distribution-free 95% interval (order statistics)."""
    ordered = sorted(ratios)
    count = len(ordered)
    if count == 0:
        raise ValueError("no ratios")
    # The largest k for which [x_(k+1), x_(n-k)] covers the median with 95%: sign-test interval.
    cut, tail = 0, 0.0
    for k in range(count // 2):
        tail += math.comb(count, k) / 2**count
        if tail > 0.025:
            break
        cut = k
    return Speedup(median(ordered), ordered[cut], ordered[count - 1 - cut], count)


def geometric_mean(ratios: Sequence[float]) -> float:
    """exp(mean(log)). Raises ValueError for an empty sequence or a ratio ≤ 0."""
    if not ratios:
        raise ValueError("no ratios")
    return math.exp(math.fsum(math.log(x) for x in ratios) / len(ratios))
