"""``gccllm-train ppo``: train the model further, on what the judge says of its answers."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from gccllm.errors import UsageError
from trainer.choices import Estimator, Precision, RewardKind
from trainer.stopping import stops

__all__ = ["ppo"]

SMOKE: dict[str, Any] = {
    "steps": 2,
    "batch": 2,
    "held": 2,
    "every": 2,
    "micro": 2,
    "answer_length": 24,
    "critic_warmup": 0,
}
"""two steps that prove that everything is in place"""


MOST_STEPS = 1_000_000
"""where hours decide"""


class Profile(str, Enum):
    """Of the machine, for typer."""

    CPU = "cpu"
    GPU = "gpu"


def ppo(
    model: Annotated[Path, typer.Option(metavar="DIR", help="model folder, from sft")],
    tasks: Annotated[
        Path,
        typer.Option(metavar="PATH", help="folder of programs, or a file of tasks made earlier"),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="the run; one that was stopped goes on")],
    programs: Annotated[
        int, typer.Option(metavar="N", min=0, help="make so many programs in the folder first")
    ] = 0,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="DIR", help="if it does not lie with the model")
    ] = None,
    critic: Annotated[
        Path | None, typer.Option(metavar="DIR", help="what the critic begins with; the model")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="settings as JSON; options override them")
    ] = None,
    profile: Annotated[
        Profile, typer.Option(help="settings to begin with: this machine's CPU, or GPUs with vLLM")
    ] = Profile.CPU,
    steps: Annotated[int | None, typer.Option(min=1, help="optimiser steps in all")] = None,
    hours: Annotated[
        float | None, typer.Option(help="end after the step in which they are over")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="prompts a step")] = None,
    samples_per_prompt: Annotated[
        int | None, typer.Option(min=1, help="answers to each prompt")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="of sampling")] = None,
    prompt_length: Annotated[
        int | None, typer.Option(help="tokens; longer ones are left out")
    ] = None,
    answer_length: Annotated[int | None, typer.Option(help="tokens; longer ones are cut")] = None,
    reward: Annotated[
        RewardKind | None, typer.Option(help="as in the paper, or in its code")
    ] = None,
    high: Annotated[float | None, typer.Option(help="a speedup counts as this at most")] = None,
    doublings: Annotated[
        bool | None, typer.Option(help="count a speedup as 1 + log2 of it")
    ] = None,
    even: Annotated[
        float | None, typer.Option(help="what leaving it counts as, and a speedup of nothing")
    ] = None,
    kl: Annotated[
        float | None, typer.Option(help="weight of the distance to the first model; 0 for none")
    ] = None,
    actor_lr: Annotated[float | None, typer.Option(help="learning rate of the model")] = None,
    critic_lr: Annotated[float | None, typer.Option(help="learning rate of the critic")] = None,
    entropy: Annotated[float | None, typer.Option(help="weight of the entropy")] = None,
    critic_warmup: Annotated[
        int | None, typer.Option(min=0, help="steps that train the critic alone")
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(min=1, metavar="STEPS", help="between looks at held-out programs, and saves"),
    ] = None,
    held: Annotated[
        int | None, typer.Option(min=1, help="tasks held out, of whole programs")
    ] = None,
    precision: Annotated[Precision | None, typer.Option(help="of the updates on a CPU")] = None,
    survey: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="ask N times before the run, and leave out most tasks whose answers earn the same",
        ),
    ] = None,
    estimator: Annotated[
        Estimator | None,
        typer.Option(help="an answer is held against: a critic, or others to its prompt"),
    ] = None,
    lanes: Annotated[int | None, typer.Option(min=1, help="cores that judge at once")] = None,
    seed: Annotated[int | None, typer.Option(help="of order and sampling")] = None,
    level: Annotated[str, typer.Option(help="what answers may use")] = "x86-64-v3",
    smoke: Annotated[bool, typer.Option(help="two small steps, to see that it works")] = False,
    write_only: Annotated[
        bool, typer.Option(help="write what verl reads and end; for a machine elsewhere")
    ] = False,
) -> None:
    """Train a model with PPO: it answers, the judge's verdict is the reward.

    Needs a model from `gccllm-train sft` and programs with recordings. Ctrl-C and SIGTERM end it
    after the step that runs; the same command goes on from the last checkpoint.

    \b
    Example:
      gccllm-train ppo --model sft/model --tasks programs --programs 200 --out ppo --hours 3
    """
    from trainer.ppo.config import CONFIGS, load_settings
    from trainer.ppo.tasks import tasks_from
    from trainer.ppo.train import train

    given: dict[str, Any] = {
        "steps": MOST_STEPS if steps is None and hours is not None else steps,
        "hours": hours,
        "batch": batch,
        "samples": samples_per_prompt,
        "temperature": temperature,
        "prompt_length": prompt_length,
        "answer_length": answer_length,
        "kind": reward.value if reward else None,
        "high": high,
        "doublings": doublings,
        "even": even,
        "kl": kl,
        "actor_lr": actor_lr,
        "critic_lr": critic_lr,
        "entropy": entropy,
        "critic_warmup": critic_warmup,
        "every": every,
        "held": held,
        "precision": precision.value if precision else None,
        "survey": survey,
        "estimator": estimator.value if estimator else None,
        "lanes": lanes,
        "seed": seed,
    }
    if smoke:
        given |= {name: value for name, value in SMOKE.items() if given.get(name) is None}
    settings = load_settings(config or CONFIGS / "ppo" / f"{profile.value}.json", given)
    if not tasks.exists() and not programs:
        raise UsageError(f"no programs in {tasks}; --programs N makes some")
    with stops() as stopping:
        made = tasks_from(
            tasks, out / "tasks.jsonl", programs, settings.seed, level, say=typer.echo
        )
        done = train(
            model,
            made,
            out,
            settings,
            tokenizer=tokenizer,
            critic=critic,
            write_only=write_only,
            stop=lambda: bool(stopping),
            say=typer.echo,
        )
    if write_only:
        typer.echo(f"python -m trainer.on_verl.run {out / 'verl' / 'config.json'}")
    elif done.finished:
        typer.echo(f"{done.steps} steps: {out / 'model'}")
    else:
        typer.echo(f"stopped at step {done.steps}; the same command goes on")
        raise typer.Exit(128 + stopping[0] if stopping else 1)
