"""Who is asked for better programs: models, compilers, files, and doing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gccllm.errors import UsageError
from gccllm.proposers import choose
from gccllm.proposers.base import Proposer, Task
from gccllm.types import Candidate

__all__ = ["NOTHING", "ProgramSystem", "asked", "system_of"]

NOTHING = "do-nothing"
CHATS = ("local:", "openai:")
PLAIN = ("compilers", "idioms")


class _Nothing:
    """Gives the baseline back."""

    name = NOTHING
    refines = False

    def propose(self, task: Task) -> Iterator[Candidate]:
        yield Candidate(self.name, task.unit, (), task.baseline, label="gcc's own")


@dataclass(frozen=True)
class ProgramSystem:
    """``name`` for tables. ``chats``: answers with whole programs, so one that gives no answer has
    failed; the others leave what they have no idea for. ``prompt`` is what a chat is shown."""

    name: str
    proposer: Proposer
    chats: bool = False
    prompt: str = "with-o3"


def system_of(text: str, prompts: Sequence[str] = ("with-o3",)) -> list[ProgramSystem]:
    """Of ``[NAME=]SPEC``: do-nothing, compilers, idioms, scripted:DIR, mini[:DIR], local:DIR (or a
    name on the hub) or openai:URL#MODEL. A chat gives one system for each of ``prompts``.

    Raises UsageError for any other spec.
    """
    name, separator, spec = text.partition("=")
    # A URL may hold a "=", a name no ":".
    if not separator or ":" in name:
        name, spec = "", text
    if spec == NOTHING:
        return [ProgramSystem(name or spec, _Nothing())]
    if spec in PLAIN or spec.startswith("scripted:"):
        made = choose.make((spec,))
    elif spec == "none":
        raise UsageError("none is no system; doing nothing is called do-nothing")
    else:
        made = choose.make(("model",), spec)
    if not spec.startswith(CHATS):
        return [ProgramSystem(name or spec, made[0], chats=spec.startswith("scripted:"))]
    return [
        ProgramSystem(
            (name or spec) + ("" if x == "with-o3" else f", {x}"), made[0], chats=True, prompt=x
        )
        for x in prompts
    ]


def asked(system: ProgramSystem, task: Task, most: int) -> list[Candidate]:
    """The first ``most`` candidates, the greedy answer of a chat first.

    Raises ProposerError where the system can't work at all.
    """
    source = system.proposer.propose(replace(task, c_only=system.prompt == "c-only"))
    found = []
    for candidate in source:
        found.append(candidate)
        if len(found) == most and not system.chats:
            break
    close = getattr(source, "close", None)
    if close is not None:
        close()
    # A server's answers come in any order.
    return sorted(found, key=lambda x: "greedy" not in x.label)[:most]
