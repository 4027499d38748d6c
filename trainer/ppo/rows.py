"""Tasks as verl reads them: who is trained on, who is held out, and the rows of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gccllm.errors import UsageError
from trainer.ppo.tasks import Task
from trainer.ppo.text import messages

__all__ = ["Asked", "Split", "rows", "split_tasks"]


class Asked(Protocol):
    """What a row is made of: a prompt, and the name that its answer is judged by."""

    @property
    def name(self) -> str: ...

    @property
    def prompt(self) -> str: ...


@dataclass(frozen=True)
class Split:
    """Tasks to train on, and tasks of other programs."""

    train: tuple[Task, ...]
    held: tuple[Task, ...]


def split_tasks(tasks: Sequence[Task], held: int) -> Split:
    """Whole programs are held out, in an order that depends on their names alone, until there are
    ``held`` tasks; never more than half of the programs. What is asked there is not trained on.
    Raises UsageError if too few are left."""

    def order(name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()

    by_program: dict[str, list[Task]] = {}
    for task in tasks:
        by_program.setdefault(task.program.name, []).append(task)
    names = sorted(by_program, key=order)
    kept: list[Task] = []
    for name in names[: len(names) // 2]:
        if len(kept) >= held:
            break
        kept += by_program.pop(name)
    # Samples of one family may hold the same region.
    asked = {x.prompt for x in kept}
    train = [x for n in sorted(by_program) for x in by_program[n] if x.prompt not in asked]
    if not kept or not train:
        raise UsageError("PPO needs tasks of two programs at least, one of them to be held out")
    return Split(tuple(train), tuple(kept[:held]))


def rows(tasks: Sequence[Asked], *, held_samples: int | None = None) -> list[dict[str, Any]]:
    """What verl reads, in the columns that it and the published dataset have in common.

    For training a row a task. With ``held_samples`` a row for the greedy answer and as many for
    sampled ones.
    """
    found: list[dict[str, Any]] = []
    for task in tasks:
        kinds = [False] if held_samples is None else [True] + [False] * held_samples
        for greedy in kinds:
            source = "train" if held_samples is None else ("greedy" if greedy else "sampled")
            found.append(
                {
                    "data_source": source,
                    "prompt": messages(task.prompt),
                    "ability": "code",
                    "reward_model": {"style": "rule", "ground_truth": f"{source} {task.name}"},
                    "extra_info": {"index": len(found), "greedy": greedy},
                }
            )
    return found
