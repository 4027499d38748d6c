"""``gccllm-train ppo-programs | sft-programs``: train a model on whole programs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.choices import RewardKind
from trainer.stopping import stops

if TYPE_CHECKING:
    from trainer.ppo.train import Done

__all__ = ["Prompt", "ppo_programs", "sft_programs"]


class Configuration(str, Enum):
    """The keys of ``trainer.programs.settings.CONFIGURATIONS``, for typer."""

    PAPER_7B = "paper-7b"
    SINGLE_GPU = "single-gpu"
    CLUSTER = "cluster"
    CPU = "cpu"


class Supervised(str, Enum):
    """``trainer.programs.sft.SFT_CONFIGURATIONS``, for typer."""

    SFT_7B = "sft-7b"
    SFT_CPU = "sft-cpu"


class Prompt(str, Enum):
    """What a model is shown: C and gcc's assembly, or C alone."""

    WITH_O3 = "with-o3"
    C_ONLY = "c-only"


Data = Annotated[Path, typer.Option(metavar="DIR", help="a dataset, from gccllm-train data")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="the run; one that was stopped goes on")]
Given = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="overrides of any setting, Hydra's way"),
]
Model = Annotated[
    str, typer.Option(metavar="DIR-or-NAME", help="to begin with [the configuration's]")
]
Shown = Annotated[Prompt | None, typer.Option(help="what the model is shown")]
WriteOnly = Annotated[
    bool, typer.Option(help="write what verl reads and end; for a machine elsewhere")
]


def ppo_programs(
    data: Data,
    out: Out,
    config: Annotated[
        Configuration, typer.Option(help="machine and settings; see trainer/configs")
    ] = Configuration.PAPER_7B,
    given: Given = None,
    model: Model = "",
    prompt: Shown = None,
    reward: Annotated[RewardKind | None, typer.Option(help="as in the paper, or its code")] = None,
    alpha: Annotated[float | None, typer.Option(min=0.0, help="weight of cgs's speedup")] = None,
    write_only: WriteOnly = False,
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
    _end(done, out, stopping, f"python -m trainer.on_verl.run {_config(out)}" * write_only)


def sft_programs(
    data: Data,
    out: Out,
    config: Annotated[
        Supervised, typer.Option(help="machine and settings; see trainer/configs")
    ] = Supervised.SFT_7B,
    given: Given = None,
    model: Model = "",
    prompt: Shown = None,
    write_only: WriteOnly = False,
) -> None:
    """Train a large model on a dataset's own answers with verl, before PPO or instead of it.

    The dataset's answers are gcc's assembly: this teaches form and syntax, not what is faster.
    Ctrl-C and SIGTERM end it after the step that runs; the same command goes on from the last
    checkpoint.

    \b
    Example:
      gccllm-train sft-programs --data dataset --out run --prompt c-only trainer.total_epochs=2
    """
    from trainer.programs.sft import train_supervised
    from trainer.programs.train import ProgramRun

    options = (f"gccllm.prompt={prompt.value}",) if prompt else ()
    run = ProgramRun(config.value, data, out, model, (*options, *(given or ())))
    with stops() as stopping:
        done = train_supervised(
            run, write_only=write_only, stop=lambda: bool(stopping), say=typer.echo
        )
    torchrun = f"torchrun --nproc-per-node=GPUS -m trainer.on_verl.sft {_config(out)}"
    _end(done, out, stopping, torchrun * write_only)


def _config(out: Path) -> Path:
    return out / "verl" / "config.json"


def _end(done: Done, out: Path, stopping: list[int], instead: str) -> None:
    """What came of it; ``instead``: the command that would do it, where nothing was run."""
    if instead:
        typer.echo(instead)
    elif done.finished:
        typer.echo(f"{done.steps} steps: {out / 'model'}")
    else:
        typer.echo(f"stopped at step {done.steps}; the same command goes on")
        raise typer.Exit(128 + stopping[0] if stopping else 1)
