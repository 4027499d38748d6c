"""Rewards: pure functions of a verdict (paper, section 3.3 'Reward Function Design').

Speedup-only (SO): the speedup where everything is right and it is above 1, else 0.
Correctness-guided (CGS): −1 where it does not compile, the fraction of passed tests as long as
some fail, and 1 + alpha · speedup where all pass.

Two differences to the paper, both on purpose: the speedup is the interleaved, unclipped one of
our judge, so an identical program earns 1.0 and not a lucky 1.07; and a candidate that the gates
refuse counts as one that does not compile, for it never runs.
"""

from __future__ import annotations

from gccllm.types import Verdict, VerdictKind

__all__ = ["REWARDS", "correctness_guided", "speedup_only"]

ALPHA = 10.0

_NO_PROGRAM = frozenset(
    {
        VerdictKind.MALFORMED,
        VerdictKind.SCREENED,
        VerdictKind.NOT_ASSEMBLED,
        VerdictKind.NOT_LINKED,
    }
)
_RIGHT = frozenset({VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER, VerdictKind.UNCHANGED})


def speedup_only(verdict: Verdict) -> float:
    """SO: measured speedup above 1 of a right candidate, else 0. A suspicious one earns 0."""
    if verdict.kind not in _RIGHT or verdict.speedup is None:
        return 0.0
    return verdict.speedup.ratio if verdict.speedup.ratio > 1.0 else 0.0


def correctness_guided(verdict: Verdict, tests: int, alpha: float = ALPHA) -> float:
    """CGS for a program with ``tests`` recordings; our own fault (unjudged) earns 0."""
    if verdict.kind in _NO_PROGRAM:
        return -1.0
    if verdict.kind in (VerdictKind.UNJUDGED, VerdictKind.SUSPICIOUS):
        return 0.0
    if verdict.kind in _RIGHT:
        return 1.0 + alpha * (verdict.speedup.ratio if verdict.speedup else 1.0)
    # A run stops at the first test that fails, so those before it passed.
    passed = max(0, verdict.tests_run - 1)
    return passed / tests if tests else 0.0


REWARDS = ("so", "cgs")
