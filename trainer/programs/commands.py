"""``gccllm-train ppo-programs``: train a model on whole programs, as the paper did."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from trainer.choices import RewardKind
from trainer.stopping import stops

__all__ = ["Prompt", "ppo_programs"]


class Configuration(str, Enum):
    """The keys of ``trainer.programs.settings.CONFIGURATIONS``, for typer."""

    PAPER_7B = "paper-7b"
    SINGLE_GPU = "single-gpu"
    CLUSTER = "cluster"
    CPU = "cpu"


class Prompt(str, Enum):
    """What a model is shown: C and gcc's assembly, or C alone."""

    WITH_O3 = "with-o3"
    C_ONLY = "c-only"


def ppo_programs(
    data: Annotated[Path, typer.Option(metavar="DIR", help="a dataset, from gccllm-train data")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="the run; one that was stopped goes on")],
    config: Annotated[
        Configuration, typer.Option(help="machine and settings; see trainer/configs")
    ] = Configuration.PAPER_7B,
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="overrides of any setting, Hydra's way"),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="DIR-or-NAME", help="to begin with [the configuration's]")
    ] = "",
    prompt: Annotated[Prompt | None, typer.Option(help="what the model is shown")] = None,
    reward: Annotated[RewardKind | None, typer.Option(help="as in the paper, or its code")] = None,
    alpha: Annotated[float | None, typer.Option(min=0.0, help="weight of cgs's speedup")] = None,
    write_only: Annotated[
        bool, typer.Option(help="write what verl reads and end; for a machine elsewhere")
    ] = False,
) -> None:
    """Train on whole programs with verl: PPO, or GRPO with algorithm.adv_estimator=grpo.

    Ctrl-C and SIGTERM end it after the step that runs; the same command goes on from the last
    checkpoint.

    \b
    Example:
      gccllm-train ppo-programs --data dataset --out run trainer.logger='[console,file,wandb]'
    """
    from trainer.programs.train import ProgramRun, train_programs

    chosen = {
        "gccllm.prompt": prompt.value if prompt else None,
        "gccllm.reward.kind": reward.value if reward else None,
        "gccllm.reward.alpha": alpha,
    }
    options = tuple(f"{name}={value}" for name, value in chosen.items() if value is not None)
    run = ProgramRun(config.value, data, out, model, (*options, *(given or ())))
    with stops() as stopping:
        done = train_programs(
            run, write_only=write_only, stop=lambda: bool(stopping), say=typer.echo
        )
    if write_only:
        typer.echo(f"python -m trainer.on_verl.run {out / 'verl' / 'config.json'}")
    elif done.finished:
        typer.echo(f"{done.steps} steps: {out / 'model'}")
    else:
        typer.echo(f"stopped at step {done.steps}; the same command goes on")
        raise typer.Exit(128 + stopping[0] if stopping else 1)
