"""Rewards: pure functions of a verdict (paper, section 3.3 'Reward Function Design').

With pass = the fraction of recorded tests passed and speedup = t(baseline) / t(candidate):

    so             paper, SO: the speedup where all is right, below 1 too; else 0
    so-published   as the paper's code has it: the same, but 0 where it is not above 1
    cgs            paper, CGS: −1 where it does not compile; pass while some tests fail;
                   1 + alpha · speedup where all pass
    cgs-published  as the paper's code has it: moreover −0.5 for a run-time error

The paper leaves alpha open; its code has 10. Where we depart from both, on purpose:

- The speedup is our judge's: interleaved pairs, a median, not clamped at 1 test by test. A copy
  of the baseline earns 1.0 where clamping gave it 1.01 to 1.07; unchanged code is not timed.
- What the gates refuse never runs, so it counts as what does not compile.
- A run stops at the first test that fails. pass is then a lower bound: the tests before it.
- What is suspicious, or could not be judged through no fault of its own, earns 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gccllm.types import Verdict, VerdictKind

__all__ = ["ALPHA", "REWARDS", "correctness_guided", "speedup_only"]

ALPHA = 10.0
RUNTIME_ERROR = -0.5

_NO_PROGRAM = frozenset(
    {
        VerdictKind.MALFORMED,
        VerdictKind.SCREENED,
        VerdictKind.NOT_ASSEMBLED,
        VerdictKind.NOT_LINKED,
    }
)
_RUNTIME_ERROR = frozenset({VerdictKind.CRASHED, VerdictKind.TIMED_OUT, VerdictKind.WRONG_EXIT})
_RIGHT = frozenset({VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER, VerdictKind.UNCHANGED})
_UNKNOWN = frozenset({VerdictKind.SUSPICIOUS, VerdictKind.UNJUDGED})


def speedup_only(verdict: Verdict, *, published: bool = False) -> float:
    """SO: the speedup of a right candidate, else 0; ``published`` wants it above 1 as well."""
    if verdict.kind not in _RIGHT:
        return 0.0
    speedup = _speedup(verdict)
    return speedup if speedup > 1.0 or not published else 0.0


def correctness_guided(
    verdict: Verdict, tests: int, *, alpha: float = ALPHA, published: bool = False
) -> float:
    """CGS for a program with ``tests`` recorded cases; ``published`` knows run-time errors."""
    if verdict.kind in _UNKNOWN:
        return 0.0
    if verdict.kind in _NO_PROGRAM:
        return -1.0
    if verdict.kind in _RIGHT:
        return 1.0 + alpha * _speedup(verdict)
    if published and verdict.kind in _RUNTIME_ERROR:
        return RUNTIME_ERROR
    # tests_run counts the failed one; a found counterexample is one test that failed
    passed = min(max(0, verdict.tests_run - 1), tests)
    return passed / tests if tests else 0.0


def _speedup(verdict: Verdict) -> float:
    """1 for unchanged code, and where time ran out before it was measured."""
    return 1.0 if verdict.speedup is None else verdict.speedup.ratio


REWARDS: Mapping[str, Callable[[Verdict, int], float]] = {
    "so": lambda verdict, tests: speedup_only(verdict),
    "so-published": lambda verdict, tests: speedup_only(verdict, published=True),
    "cgs": correctness_guided,
    "cgs-published": lambda verdict, tests: correctness_guided(verdict, tests, published=True),
}
"""By name: (verdict, number of the program's recorded tests) → reward."""
