"""Candidates of different functions in layers: what can't interact is judged in one build.

A proposer works only while the next layer is made, never beside the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from gccllm.errors import GccllmError
from gccllm.proposers.base import Proposer, Task
from gccllm.search.search import Search
from gccllm.types import Candidate

__all__ = ["gather_layers"]

MOST_IN_A_UNIT = 8
"""candidates of different functions of one unit, in one layer"""


def gather_layers(
    search: Search,
    proposer: Proposer,
    tasks: Sequence[Task],
    until: float,
    judge: Callable[[list[Candidate]], None] | None = None,
) -> None:
    """Try what a proposer offers for all units at once, until ``until`` (time.monotonic()).

    ``judge`` gets each layer (default: the search itself, at once).
    """
    streams = {x.unit: _Stream(proposer, replace(x, deadline=until)) for x in tasks}
    try:
        while streams and time.monotonic() < until:
            layer: list[Candidate] = []
            for unit, stream in list(streams.items()):
                taken = stream.take()
                if not taken:
                    if stream.failure:
                        search.failures.append(f"{proposer.name}: {stream.failure}")
                    del streams[unit]
                layer += taken
            for candidate in layer:
                search.say(f"{candidate.unit}: {proposer.name}: {candidate.label}")
            if layer:
                (judge or search.try_together)(layer)
    finally:
        for stream in streams.values():
            stream.close()


class _Stream:
    """One unit's candidates; one that does not fit into a layer waits for the next."""

    def __init__(self, proposer: Proposer, task: Task) -> None:
        self.failure = ""
        self._source: Iterator[Candidate] = proposer.propose(task)
        self._waiting: Candidate | None = None

    def take(self) -> list[Candidate]:
        """Candidates of functions that differ; none at the end, or where it failed."""
        taken: list[Candidate] = []
        names: set[str] = set()
        while len(taken) < MOST_IN_A_UNIT:
            candidate = self._waiting or self._next()
            self._waiting = None
            if candidate is None:
                break
            whole = not candidate.functions
            if taken and (whole or names & set(candidate.functions)):
                self._waiting = candidate
                break
            taken.append(candidate)
            names |= set(candidate.functions)
            if whole:
                break
        return taken

    def _next(self) -> Candidate | None:
        try:
            return next(self._source, None)
        except Exception as error:
            # One that fails, by whatever fault, must not cost what the others find.
            kind = "" if isinstance(error, GccllmError) else f"{type(error).__name__}: "
            self.failure = f"{kind}{error}"
            return None

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            with suppress(GccllmError):
                close()
