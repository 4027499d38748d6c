"""A profile with enough samples, of programs whose runs are too short to give many."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from gccllm.profile import LEAST_SHARE
from gccllm.types import HotFunction

__all__ = ["patient_profile"]

ENOUGH_SAMPLES = 400

Profile = tuple[list[HotFunction], int]
"""Hot functions, hottest first, and the number of samples behind that."""


def patient_profile(once: Callable[[], Profile], seconds: float) -> Profile:
    """``once`` again and again until there are enough samples, or no more time."""
    until = time.monotonic() + seconds
    seen: Counter[str] = Counter()
    total = 0
    while total < ENOUGH_SAMPLES:
        hot, samples = once()
        seen.update({x.name: round(x.share * samples) for x in hot})
        total += samples
        if not samples or time.monotonic() > until:
            break
    shares = [HotFunction(name, count / total) for name, count in seen.most_common() if total]
    return [x for x in shares if x.share >= LEAST_SHARE], total
