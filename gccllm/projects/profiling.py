"""The profile of a long search: enough samples, and calls counted by counters of our own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from gccllm.assurance.coverage import Unmeasured, count_calls
from gccllm.errors import GccllmError
from gccllm.judge.judge import Judge
from gccllm.profile import LEAST_SHARE
from gccllm.types import HotFunction

__all__ = ["patient_profile", "with_calls"]

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


def with_calls(
    judge: Judge, hot: Mapping[str, tuple[HotFunction, ...]]
) -> dict[str, tuple[HotFunction, ...]]:
    """Hot functions, by unit, with how often the recorded cases call them; as they were where
    that can't be counted."""
    arena = judge.arena
    scratch = arena.scratch / "calls"
    try:
        scratch.mkdir()
        counted = count_calls(
            arena.program,
            {unit: [x.name for x in functions] for unit, functions in hot.items()},
            arena.sandbox,
            arena.recording,
            scratch=scratch,
            limits=judge.baseline.limits(),
            core=arena.core,
        )
    except (GccllmError, OSError):
        return dict(hot)
    if isinstance(counted, Unmeasured):
        return dict(hot)
    return {
        unit: tuple(replace(x, calls=counted.get((unit, x.name))) for x in functions)
        for unit, functions in hot.items()
    }
