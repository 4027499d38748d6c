"""Which tasks tell PPO something, found by asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gccllm.types import Json
from trainer.ppo.survey import chosen, survey


@dataclass(frozen=True)
class Question:
    name: str
    prompt: str = "\tincl\t%eax\n"


@dataclass
class Rewards:
    """Pays by turns, and writes down who asked."""

    asked: list[str] = field(default_factory=list)

    def reward(self, name: str, answer: str) -> dict[str, Json]:
        self.asked.append(name)
        if name == "broken":
            return {"score": 0.0, "verdict": "unjudged"}
        return {"score": len(self.asked) % 2 if name == "mixed" else 1.0, "verdict": "accepted"}


def test_what_is_known_is_not_asked_again(trained_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from trainer import tokenizer as tokenizers
    from trainer.model import load_model

    model, tokenizer = load_model(trained_run / "model"), tokenizers.load(trained_run / "model")
    tasks = [Question(x) for x in ("mixed", "same", "broken")]
    out, service = tmp_path / "run" / "survey.jsonl", Rewards()

    def ask(some: list[Question], stopped: bool = False) -> dict[str, list[float]]:
        return survey(
            model,
            tokenizer,
            some,
            service,
            out,
            samples=2,
            temperature=1.0,
            answer_length=8,
            seed=0,
            stop=lambda: stopped,
        )

    assert ask(tasks, stopped=True) == {}
    assert ask(tasks[:2]) == {"mixed": [1.0, 0.0], "same": [1.0, 1.0]}
    with out.open("a") as file:
        file.write('{"task": "bro')  # killed while it wrote
    assert ask(tasks) == {"mixed": [1.0, 0.0], "same": [1.0, 1.0], "broken": []}
    assert service.asked == ["mixed", "mixed", "same", "same", "broken", "broken"]


def test_tasks_that_tell_something_and_half_as_many_others() -> None:
    tasks = [Question(str(n)) for n in range(20)]
    rewards = {x.name: [1.0, 1.05] for x in tasks} | {str(n): [0.0, 1.0] for n in range(0, 20, 3)}
    found = chosen(tasks, rewards, 0)
    telling = [x for x in tasks if int(x.name) % 3 == 0]
    assert [x for x in found if x in telling] == telling
    assert len(found) == len(telling) + 4
    assert found == sorted(found, key=lambda x: int(x.name))
    assert found == chosen(tasks, rewards, 0)
    assert found != chosen(tasks, rewards, 1)


def test_where_all_earn_the_same_nothing_is_chosen() -> None:
    tasks = [Question("a"), Question("b")]
    assert chosen(tasks, {"a": [1.0, 1.0], "b": []}, 0) == []
