"""The seam between the tool and whatever has ideas: one method that streams candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gccllm.types import Candidate, HotFunction, Isa, Verdict

__all__ = ["Attempt", "CompileSpec", "Instrument", "Proposer", "Task", "identity_of"]


@dataclass(frozen=True)
class CompileSpec:
    """How the unit can be compiled again: ``cc -S -x cpp-output *options preprocessed``.

    ``options`` are the user's own, less those that name outputs, inputs or the preprocessor's.
    """

    cc: str
    preprocessed: Path
    options: tuple[str, ...]


Instrument = Callable[[str, Sequence[str]], Mapping[str, bytes]]
"""(assembly of the unit, extra link options) → files that the program left behind, by name, after
it was linked with that assembly in the unit's place and ran all its recordings in the sandbox.
Empty when it could not be linked or run. Used for profile-guided optimisation."""


@dataclass(frozen=True)
class Attempt:
    """An earlier candidate of the same task and what the judge said, for refinement."""

    candidate: Candidate
    verdict: Verdict


@dataclass(frozen=True)
class Task:
    """What a proposer is asked to make faster: functions of one unit, hottest first."""

    unit: str
    baseline: str
    functions: tuple[HotFunction, ...]
    isa: Isa
    scratch: Path
    deadline: float
    """time.monotonic() after which no candidate is wanted any more"""
    source: str | None = None
    compile: CompileSpec | None = None
    instrument: Instrument | None = None
    samples: int = 1
    attempts: Sequence[Attempt] = field(default_factory=tuple)
    c_only: bool = False
    """a chat is shown the C source alone, without ``baseline`` (the paper, section 5.3)"""


class Proposer(Protocol):
    """Yields candidates as they come, best guesses first.

    A proposer that can't work at all raises :class:`gccllm.errors.ProposerError` at the first
    step; a candidate that it failed to make is simply not yielded.
    """

    name: str
    refines: bool
    """whether asking again with ``attempts`` can give other candidates"""

    def propose(self, task: Task) -> Iterator[Candidate]: ...


def identity_of(proposer: Proposer) -> str:
    """What tells a proposer from another one of its name, such as its weights; "" for most. What
    was searched for in vain is searched for again when this changes."""
    return str(getattr(proposer, "identity", ""))
