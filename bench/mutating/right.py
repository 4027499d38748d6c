"""Right rewrites: what the product's own proposers offer that was not made by a model.

Other compilers and settings recompile the source; idioms are templates that were run beside gcc's
lines. Whatever of it a rung refutes is a false refusal, until shown to be a mistake of theirs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.mutating.workshop import Workshop
from gccllm.errors import GccllmError
from gccllm.judge.trusted import instrument
from gccllm.proposers.base import Proposer, Task
from gccllm.proposers.compilers import CompilersProposer
from gccllm.proposers.idioms import IdiomsProposer
from gccllm.recompile import recompile
from gccllm.types import Candidate, HotFunction

__all__ = ["offers"]

IDIOMS_SECONDS = 20.0
MOST_IDIOMS = 3


def offers(shop: Workshop) -> Iterator[tuple[Candidate, tuple[str, ...]]]:
    """(candidate, functions to replace): each function alone where that can be."""
    proposers: list[Proposer] = [CompilersProposer()]
    if shop.subject.apart:
        proposers.append(IdiomsProposer())
    for number, proposer in enumerate(proposers):
        task = _task(shop, number)
        given = 0
        try:
            for candidate in proposer.propose(task):
                given += 1
                named = candidate.functions or shop.subject.functions
                for function in named if shop.subject.apart else named[:1]:
                    if not shop.is_baseline(candidate.text, function):
                        yield candidate, shop.functions(function)
                if proposer.name == "idioms" and given >= MOST_IDIOMS:
                    break
        except GccllmError:
            continue


def _task(shop: Workshop, number: int) -> Task:
    scratch = shop.scratch / f"propose-{number}"
    scratch.mkdir()
    source, spec = recompile(shop.program, shop.unit, scratch, lambda line: None)
    share = 1 / len(shop.subject.functions)
    return Task(
        unit=shop.unit,
        baseline=shop.base.text,
        functions=tuple(HotFunction(x, share) for x in shop.subject.functions),
        isa=shop.isa,
        scratch=scratch,
        deadline=time.monotonic() + (IDIOMS_SECONDS if number else 120.0),
        source=source,
        compile=spec,
        instrument=instrument(shop.judge.arena, shop.unit),
    )
