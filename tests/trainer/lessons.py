"""A small school for PPO: programs that count bits, and a nano that half knows what to answer.

To each region it has learned four answers that it gives about equally often: the one that wins by
far, ``keep``, and two that are wrong. Which of them pays is what PPO has to find out; that popcnt
beats a loop over 64 bits is no matter of noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.toolchain import Toolchain
from trainer.corpus.answers import teachers_answer
from trainer.corpus.families import Teacher
from trainer.corpus.programs import JudgedProgram, make_program
from trainer.corpus.samples import draw_sample
from trainer.judging import RegionJudge
from trainer.pairs import KEEP_ANSWER, Pair
from trainer.ppo.config import Settings
from trainer.ppo.reward import Shaping
from trainer.ppo.tasks import Task, Wanted, make_tasks

__all__ = ["LEARNING", "Lesson", "lessons", "taught"]

SAMPLES = (0, 1, 3, 4, 6)
SEED = 7
LENGTH, RATE = 512, 3e-3
LEARNING = Settings(
    steps=40,
    batch=4,
    samples=8,
    micro=32,
    held=1,
    every=40,
    prompt_length=256,
    answer_length=48,
    temperature=1.0,
    actor_lr=1e-4,
    # A critic that knows nothing makes noise of advantages, so it learns faster, and first.
    critic_lr=3e-3,
    critic_warmup=5,
    states=200,
    # The wins are all beyond ``high``, so that how far they are beyond it moves nothing.
    reward=Shaping(high=1.5, even=0.5),
)


@dataclass(frozen=True)
class Lesson:
    """A task and answers to it: the first wins, the second keeps, the others are wrong."""

    task: Task
    answers: tuple[str, ...]


def lessons(folder: Path, samples: Sequence[int] = SAMPLES) -> list[Lesson]:
    """One of each sample of the family popcount; the programs are written into ``folder``."""
    tools = Toolchain()
    family = next(x for x in FAMILIES if x.name == "popcount")
    found: list[Lesson] = []
    with Harness(toolchain=tools) as harness:
        teacher = Teacher(tools, harness, family)
        for number in samples:
            program = make_program(tools, draw_sample(family, number, SEED, ("-O3",)), folder)
            assert isinstance(program, JudgedProgram), program
            (task,) = make_tasks(program, Wanted(1, 0), tools, harness)
            with RegionJudge(program, tools=tools, harness=harness) as judge:
                region = judge.regions[task.region]
                known = teacher.answers(region.layout, region.region)
                best = next(x for x in known if x.needs <= teacher.features[task.level])
                right = teachers_answer(region.prompt(task.level), region.region, best.lines)
            clear, count = right.splitlines(keepends=True)
            found.append(Lesson(task, (right, KEEP_ANSWER, clear, count + clear)))
    return found


def taught(lessons: Sequence[Lesson], tokenizer: Path, out: Path, steps: int = 80) -> Path:
    """A nano that gives each of the answers about equally often; its model folder ``out``.

    Not by :mod:`trainer.sft`: a shard of pairs holds one answer to a prompt.
    """
    from trainer import tokenizer as tokenizers
    from trainer.model import create, save_model, size_of
    from trainer.optimiser import Optimiser
    from trainer.packing import Position, batches, encode_pairs
    from trainer.sft import answer_loss

    loaded = tokenizers.load(tokenizer)
    pairs = [
        Pair(x.task.prompt, answer, "popcount", "", x.task.level, "train")
        for x in lessons
        for answer in x.answers
    ]
    data, dropped = encode_pairs(loaded, pairs, LENGTH)
    assert not dropped
    model = create(size_of("nano"), loaded).train()
    optimiser = Optimiser(model, weight_decay=0.0)
    stream = batches(data, rows=4, length=LENGTH, seed=0, start=Position())
    for _ in range(steps):
        loss = answer_loss(model, next(stream)[0], "fp32")
        loss.backward()
        optimiser.step(RATE)
    save_model(model, loaded, out)
    return out
