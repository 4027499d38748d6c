"""The words of the project as types. This module knows nothing of the others.

Times are seconds, sizes bytes, speedups baseline time / candidate time (so more is better).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = [
    "Candidate",
    "HotFunction",
    "Isa",
    "Json",
    "Outcome",
    "Speedup",
    "Verdict",
    "VerdictKind",
]

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


class VerdictKind(str, Enum):
    """What the judge found; the value is the stable id, used in reports and counters."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    MALFORMED = "malformed"
    SCREENED = "screened"
    NOT_ASSEMBLED = "not-assembled"
    NOT_LINKED = "not-linked"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    WRONG_OUTPUT = "wrong-output"
    WRONG_EXIT = "wrong-exit"
    DIFFERS = "differs"
    NOT_FASTER = "not-faster"
    SUSPICIOUS = "suspicious"
    UNJUDGED = "unjudged"

    @property
    def meaning(self) -> str:
        """One line of explanation, as shown by ``gccllm explain``."""
        return _VERDICT_MEANINGS[self]


_VERDICT_MEANINGS: Mapping[VerdictKind, str] = {
    VerdictKind.ACCEPTED: "right on every recording and measurably faster",
    VerdictKind.UNCHANGED: "the candidate is the baseline",
    VerdictKind.MALFORMED: "the answer is not assembly in the expected form",
    VerdictKind.SCREENED: "refused by a rule before it was run",
    VerdictKind.NOT_ASSEMBLED: "the assembler rejects it",
    VerdictKind.NOT_LINKED: "the linker rejects it",
    VerdictKind.CRASHED: "a run ended by a signal that the baseline does not get",
    VerdictKind.TIMED_OUT: "a run took far longer than the baseline",
    VerdictKind.WRONG_OUTPUT: "stdout, stderr or a written file differs from the recording",
    VerdictKind.WRONG_EXIT: "the exit status differs from the recording",
    VerdictKind.DIFFERS: "an input was found on which candidate and baseline differ",
    VerdictKind.NOT_FASTER: "right, but not measurably faster, or another was faster still",
    VerdictKind.SUSPICIOUS: "too good to be true; not accepted",
    VerdictKind.UNJUDGED: "not sure enough for what was asked, or not judged for a fault of ours",
}


class Outcome(str, Enum):
    """What the driver did with a program."""

    OPTIMIZED = "optimized"
    FALLBACK = "fallback"
    APPLIED = "applied"
    NO_TESTS = "no-tests"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True)
class Speedup:
    """A ratio of times with its 95% interval; ``pairs`` interleaved pairs stand behind it."""

    ratio: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Verdict:
    """The judge's answer for one candidate.

    ``detail`` is one line for a person; ``evidence`` is data for reports, prompts and rewards.
    """

    kind: VerdictKind
    detail: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)
    speedup: Speedup | None = None
    tests_run: int = 0
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        return self.kind is VerdictKind.ACCEPTED


@dataclass(frozen=True)
class Candidate:
    """Unproven assembly from a proposer.

    ``text`` is unit-like assembly that defines ``functions`` (and whatever constants and local
    helpers they need): the answer of a model, another compiler's output, a file. An empty
    ``functions`` offers all functions that ``text`` and the baseline have in common.
    ``label`` tells proposals of one proposer apart ("gcc -O2 -march=native", "sample 3").
    ``malformed`` is why an answer holds no assembly in the expected form; ``text`` is then empty
    and the judge's verdict is malformed. It is empty for everything that can be judged.
    ``foreign`` says that ``text`` is another compilation of the source, not a rewrite of the
    baseline: its local functions may have calling conventions of their own.
    """

    proposer: str
    unit: str
    functions: tuple[str, ...]
    text: str
    label: str = ""
    seconds: float = 0.0
    malformed: str = ""
    foreign: bool = False


@dataclass(frozen=True)
class Isa:
    """Which instructions a rewrite may use.

    ``mode`` is the user's word (target, native, dispatch); ``name`` a stable label for keys and
    reports; ``features`` gcc's predefined feature macros without underscores ("AVX2", "POPCNT",
    "SSE2", …), the allow-list of the object gate; ``options`` the gcc options that switch them on.
    ``checked`` are those of the features that code may use only behind a check at run time.
    """

    mode: str
    name: str
    features: frozenset[str]
    options: tuple[str, ...] = ()
    checked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class HotFunction:
    """A function of a unit and its share (0 to 1) of the program's profile samples. ``calls``: how
    often the recorded cases, each run once, call it; None where nobody counted."""

    name: str
    share: float
    calls: int | None = None
