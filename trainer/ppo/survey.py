"""Before a run: what does the model earn for several answers to each task?

A task whose answers all earn the same teaches PPO nothing: the advantage of each is noise about
zero. A model that comes from good supervised training is like that on most tasks (sure of itself,
and mostly right), so that a batch drawn from all of them is nearly empty. The survey finds those
where answers differ in what they earn (Yu et al. 2025, DAPO, section 3.2, samples until it has
such prompts; here they are found once, because a reward costs a run in the sandbox).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gccllm.types import Json
from trainer.ppo.rows import Asked
from trainer.ppo.text import answer_of, prompt_ids

__all__ = ["Rewarding", "chosen", "survey"]

Q = TypeVar("Q", bound=Asked)

TASKS_AT_ONCE = 32
"""sampled together, judged, and written down"""
TELLING = 0.1
"""rewards that differ by less may differ by the noise of timing"""


class Rewarding(Protocol):
    """As :class:`trainer.ppo.service.RewardService`."""

    def reward(self, name: str, answer: str) -> dict[str, Json]: ...


def survey(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Asked],
    service: Rewarding,
    out: Path,
    *,
    samples: int,
    temperature: float,
    answer_length: int,
    seed: int,
    lanes: int = 1,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, list[float]]:
    """Task name → the rewards of ``samples`` answers, sampled at ``temperature`` with at most
    ``answer_length`` tokens.

    ``out`` keeps what is known as JSON lines. A survey that ``stop()`` ended, or a kill, goes on
    the next time; until then only tasks that are known are in the answer. What could not be judged
    is left out of a task's rewards. ``model`` is a causal language model of transformers.
    """
    known = _read(out)
    missing = [x for x in tasks if x.name not in known]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file, ThreadPoolExecutor(lanes) as pool:
        for start in range(0, len(missing), TASKS_AT_ONCE):
            if stop():
                break
            some = missing[start : start + TASKS_AT_ONCE]
            asked = [x for x in some for _ in range(samples)]
            texts = _answers(model, tokenizer, asked, temperature, answer_length, seed + start)
            names = [x.name for x in asked]
            for name, found in zip(names, pool.map(service.reward, names, texts), strict=True):
                rewards = known.setdefault(name, [])
                if found["verdict"] != "unjudged":
                    rewards.append(float(str(found["score"])))
            for task in some:
                file.write(json.dumps({"task": task.name, "rewards": known[task.name]}) + "\n")
            file.flush()
            done = start + len(some)
            say(f"survey: {done} of {len(missing)} tasks, {len(_telling(known))} tell something")
    return {x.name: known[x.name] for x in tasks if x.name in known}


def chosen(tasks: Sequence[Q], rewards: Mapping[str, Sequence[float]], seed: int) -> list[Q]:
    """The tasks whose answers differ in what they earn, and half as many of the others, drawn, so
    that what is right stays right; in the order of ``tasks``."""
    telling = _telling(rewards)
    others = [x.name for x in tasks if x.name not in telling]
    count = min(len(others), (len(telling) + 1) // 2)
    kept = telling | set(random.Random(seed).sample(others, count))
    return [x for x in tasks if x.name in kept]


def _telling(rewards: Mapping[str, Sequence[float]]) -> set[str]:
    return {name for name, found in rewards.items() if found and max(found) - min(found) >= TELLING}


def _answers(
    model: Any, tokenizer: Any, tasks: Sequence[Asked], temperature: float, most: int, seed: int
) -> Iterator[str]:
    """One answer to each task, in their order."""
    from trainer.on_verl.rollout import Wanted, generate

    wanted = [Wanted(tuple(prompt_ids(tokenizer, x.prompt)), temperature, most) for x in tasks]
    config = model.config
    ends = config.eos_token_id
    tokens: dict[int, tuple[int, ...]] = {}
    for place, answer in generate(
        model,
        wanted,
        ends=frozenset(ends if isinstance(ends, list) else [ends]),
        pad=config.pad_token_id or 0,
        seed=seed,
    ):
        tokens[place] = answer.tokens
    return (answer_of(tokenizer, tokens[place]) for place in range(len(tasks)))


def _read(path: Path) -> dict[str, list[float]]:
    """What a survey wrote; a last line that was cut counts for nothing."""
    if not path.exists():
        return {}
    known: dict[str, list[float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        known[str(content["task"])] = [float(x) for x in content["rewards"]]
    return known
