"""PPO on verl with the real judge as the reward: tasks and a model in, a better model out.

    tasks ─▶ verl (a process of its own, with Ray) ─answers─▶ reward service ─▶ judge
               └─ samples, figures, checkpoints ─▶ metrics.jsonl, curve.png, model/

verl is not edited; on a CPU a plugin (:mod:`trainer.on_verl.cpu`) makes it run. This module writes
what verl reads, runs the reward service beside it, follows what it writes, and at the end makes a
Hugging Face folder of the last checkpoint. The same command goes on from the last checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import UsageError
from gccllm.paths import cache_dir
from trainer import tokenizer as tokenizers
from trainer.metrics import FILE, read_metrics
from trainer.model import load_model, save_model
from trainer.on_verl.pin import check_version
from trainer.ppo.config import Paths, Settings, verl_overrides
from trainer.ppo.rows import Split, rows, split_tasks
from trainer.ppo.service import RewardService
from trainer.ppo.survey import chosen, survey
from trainer.ppo.tasks import Task
from trainer.ppo.text import CHAT_TEMPLATE, prompt_ids
from trainer.ppo.verl_process import (
    environment_of,
    known_run,
    last_step,
    ray_folder,
    run_verl,
    write_json,
)
from trainer.ppo.worker import How

__all__ = ["Done", "train"]


@dataclass(frozen=True)
class Done:
    """``steps`` that the last checkpoint has; ``finished``: as many as were asked for, or the hours
    are over. Only then is there ``model/``."""

    steps: int
    finished: bool


def train(
    model: Path,
    tasks: Sequence[Task],
    out: Path,
    settings: Settings,
    *,
    tokenizer: Path | None = None,
    critic: Path | None = None,
    write_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Done:
    """Train until the steps or hours are over, or ``stop()`` is true; → how far it came.

    ``model`` is the folder of a supervised model, ``tokenizer`` its tokeniser's if it lies
    elsewhere, ``critic`` what the critic begins with (default: the model). ``write_only`` writes
    what verl reads and ends. Raises UsageError for what can't be used and GccllmError if verl
    fails; the end of its log is in the message.
    """
    if not write_only:
        check_version()
    paths = Paths(out.absolute())
    split = _split(tokenizer or model, tasks, settings, say)
    if settings.survey:
        split = _telling(split, model, tokenizer or model, paths, settings, stop, say)
        if stop():
            return Done(0, False)
    _prepare(model, tokenizer or model, critic or model, split, paths, settings, say)
    began = last_step(paths)
    left = _seconds_left(paths, settings, began)
    if began and (began >= settings.steps or left <= 0):
        _finish(paths, tokenizer or model)
        return Done(began, True)
    overrides = verl_overrides(settings, paths, not began)
    write_json(paths.out / "verl" / "config.json", overrides)
    if write_only:
        return Done(began, False)
    with _service([*split.train, *split.held], settings) as service, ray_folder() as temp:
        environment = environment_of(
            settings.profile, settings.lanes, paths, service.reached_at, temp, left
        )
        run_verl(paths, environment, began, stop, say)
    steps = last_step(paths)
    # With hours it ends by itself before it has made all steps.
    finished = steps >= settings.steps or (left < math.inf and not stop())
    if finished:
        _finish(paths, tokenizer or model)
    return Done(steps, finished)


def _split(
    tokenizer: Path, tasks: Sequence[Task], settings: Settings, say: Callable[[str], None]
) -> Split:
    """What is trained on and what is held out. Raises UsageError if it is too little."""
    loaded = tokenizers.load(tokenizer)
    fitting = [x for x in tasks if len(prompt_ids(loaded, x.prompt)) <= settings.prompt_length]
    if len(fitting) < len(tasks):
        say(f"{len(tasks) - len(fitting)} prompts too long, left out")
    split = split_tasks(fitting, settings.held)
    if len(split.train) < settings.batch:
        raise UsageError(f"{len(split.train)} tasks to train on are less than a batch")
    return split


def _telling(
    split: Split,
    model: Path,
    tokenizer: Path,
    paths: Paths,
    settings: Settings,
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> Split:
    """The split with the tasks that a survey chooses, or as it is where those are too few."""
    with _service(split.train, settings) as service:
        rewards = survey(
            load_model(model).eval(),
            tokenizers.load(tokenizer),
            split.train,
            service,
            paths.out / "survey.jsonl",
            samples=settings.survey,
            temperature=settings.temperature,
            answer_length=settings.answer_length,
            seed=settings.seed,
            lanes=settings.lanes,
            stop=stop,
            say=say,
        )
    kept = chosen(split.train, rewards, settings.seed)
    if len(kept) < settings.batch:
        say(f"only {len(kept)} tasks tell something or are drawn beside them: all are trained on")
        return split
    return Split(tuple(kept), split.held)


def _service(tasks: Sequence[Task], settings: Settings) -> RewardService:
    """Rewards for answers to ``tasks``."""
    how = How(settings.timing, settings.states, lanes=cache_dir())
    cache = cache_dir() / "rewards.sqlite"
    return RewardService(tasks, settings.reward, how, cache, lanes=settings.lanes)


def _prepare(
    model: Path,
    tokenizer: Path,
    critic: Path,
    split: Split,
    paths: Paths,
    settings: Settings,
    say: Callable[[str], None],
) -> None:
    """Write models, rows and agents for verl. Raises UsageError for another run's folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    loaded = tokenizers.load(tokenizer)
    names = [[x.name for x in split.train], [x.name for x in split.held]]
    identity = {"settings": settings.identity(), "tasks": names, "model": str(model.absolute())}
    if known_run(paths, identity):
        return
    (paths.out / "verl").mkdir(parents=True, exist_ok=True)
    for source, target in ((model, paths.start), (critic, paths.critic)):
        loaded.chat_template = CHAT_TEMPLATE
        save_model(load_model(source), loaded, target)
    pq.write_table(pa.Table.from_pylist(rows(split.train)), paths.train_rows)
    held = rows(split.held, held_samples=settings.held_samples)
    pq.write_table(pa.Table.from_pylist(held), paths.held_rows)
    paths.agents.write_text("- name: region\n  _target_: trainer.on_verl.parts.RegionAgent\n")
    write_json(paths.out / "run.json", identity)
    say(f"{len(split.train)} tasks to train on, {len(split.held)} held out")


def _finish(paths: Paths, tokenizer: Path) -> None:
    """The last checkpoint as an ordinary model folder."""
    step = last_step(paths)
    source = paths.checkpoints / f"global_step_{step}" / "actor" / "huggingface"
    save_model(load_model(source), tokenizers.load(tokenizer), paths.out / "model")


def _seconds_left(paths: Paths, settings: Settings, began: int) -> float:
    """Of the hours that were asked for; those of steps that a checkpoint has are spent."""
    if settings.hours is None:
        return math.inf
    metrics = paths.out / FILE
    known = read_metrics(metrics) if metrics.exists() else []
    spent = sum(x.get("seconds", 0.0) for x in known if x["step"] <= began)
    return 3600 * settings.hours - float(spent)
