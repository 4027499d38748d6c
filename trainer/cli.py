"""``gccllm-train``: what makes and measures the model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from gccllm import __version__
from gccllm.errors import GccllmError, StoreError, UsageError
from gccllm.paths import cache_dir
from gccllm.store import Store
from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.choices import Precision, RewardKind
from trainer.corpus.commands import app as data_app
from trainer.evaluation.commands import evaluate_models
from trainer.ppo.commands import ppo
from trainer.programs.commands import ppo_programs, sft_programs
from trainer.programs.evaluation_commands import evaluate_whole_programs
from trainer.report.commands import report
from trainer.reward import REWARDS
from trainer.stopping import stops

__all__ = ["app", "main"]

app = typer.Typer(
    name="gccllm-train",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(data_app, name="data")
SHOWN = ("program", "unit", "functions", "proposer", "label", "verdict")


class Quantization(str, Enum):
    """Of exported weights, for typer; names of CTranslate2's."""

    INT8 = "int8"
    FLOAT32 = "float32"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gccllm-train {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print it and exit")
    ] = False,
) -> None:
    """Train and measure the model behind gcc-llm."""
    del version


@app.command()
def rewards(
    kind: Annotated[
        RewardKind,
        typer.Option(help="speedup only or correctness guided; as in the paper or its code"),
    ] = RewardKind.SO,
    tests: Annotated[
        int, typer.Option(metavar="N", min=1, help="recorded tests of the program, for cgs")
    ] = 10,
    program: Annotated[
        str, typer.Option(metavar="PROGRAM", help="only this program's candidates")
    ] = "",
) -> None:
    """Print what each verdict in the store would have earned, as JSON lines.

    \b
    Example:
      gccllm-train rewards --kind cgs --tests 8 | jq -s 'map(.reward) | add/length'
    """
    reward = REWARDS[kind.value]
    folder = cache_dir()
    if not (folder / "store.sqlite").exists():
        raise StoreError(f"there is no store at {folder} yet; gcc-llm makes it at its first link")
    with Store(folder) as store:
        try:
            for entry in store.judgements(program):
                earned = reward(_verdict(entry), tests)
                typer.echo(json.dumps({**{x: entry[x] for x in SHOWN}, "reward": earned}))
        except ValueError as error:
            raise StoreError(f"the store at {folder} is damaged: {error}") from error


@app.command()
def tokenizer(
    data: Annotated[Path, typer.Option(metavar="DIR", help="folder of *.parquet with pairs")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the tokeniser goes")],
    vocab: Annotated[int, typer.Option(metavar="N", help="tokens, at most")] = 2048,
) -> None:
    """Learn a vocabulary from training pairs.

    \b
    Example:
      gccllm-train tokenizer --data pairs --out tokenizer
    """
    with _needs_extra():
        from trainer.tokenizer import train_from

        typer.echo(f"{train_from(data, out, vocab)} tokens in {out}")


@app.command()
def sft(
    data: Annotated[Path, typer.Option(metavar="DIR", help="folder of *.parquet with pairs")],
    tokenizer: Annotated[Path, typer.Option(metavar="DIR", help="from gccllm-train tokenizer")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="the run; one that was stopped goes on")],
    size: Annotated[str, typer.Option(metavar="SIZE", help="nano, mini or a JSON file")] = "mini",
    init: Annotated[
        Path | None, typer.Option(metavar="DIR", help="model folder to start from")
    ] = None,
    hours: Annotated[float | None, typer.Option(help="budget of time")] = None,
    tokens: Annotated[int | None, typer.Option(help="budget of tokens, padding apart")] = None,
    steps: Annotated[int | None, typer.Option(help="budget of optimiser steps")] = None,
    lr: Annotated[float | None, typer.Option(help="peak learning rate; the size's own")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="rows of a batch")] = None,
    length: Annotated[int | None, typer.Option(min=16, help="tokens of a row")] = None,
    prompt_weight: Annotated[
        float, typer.Option(min=0.0, help="weight of a prompt's tokens in the loss")
    ] = 0.0,
    recast: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="share of pairs varied: registers")
    ] = 0.0,
    even: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="rare families' pairs more often; 1 is evenly")
    ] = 0.0,
    precision: Annotated[Precision, typer.Option(help="of the computations")] = Precision.BF16,
    every: Annotated[
        int, typer.Option(min=1, metavar="STEPS", help="between validations and checkpoints")
    ] = 100,
    sample: Annotated[
        int, typer.Option(min=1, metavar="N", help="pairs of each split that validation uses")
    ] = 256,
    seed: Annotated[int, typer.Option(help="of weights and order")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="of the CPU; all cores if left out")
    ] = None,
) -> None:
    """Train the embedded model on pairs: from nothing, or from --init.

    Give one of --hours, --tokens and --steps. Ctrl-C and SIGTERM leave a checkpoint; the same
    command goes on from it. A GPU is used if torch finds one.

    \b
    Example:
      gccllm-train sft --data pairs --tokenizer tokenizer --out run --hours 3
    """
    with _needs_extra(), stops() as stopping:
        import torch

        from trainer.sft import Budget, Settings, train

        budget = Budget(steps=steps, tokens=tokens, hours=hours)
        if threads is not None:
            torch.set_num_threads(threads)
        settings = Settings(
            data=data,
            tokenizer=tokenizer,
            out=out,
            budget=budget,
            size=size,
            init=init,
            learning_rate=lr,
            rows=rows,
            length=length,
            prompt_weight=prompt_weight,
            recast=recast,
            even=even,
            precision=precision.value,
            seed=seed,
            every=every,
            sample=sample,
        )
        spent = train(settings, stop=lambda step: bool(stopping), say=typer.echo)
        if budget.share(spent) < 1:
            typer.echo(f"stopped at step {spent.steps}; the same command goes on")
            raise typer.Exit(128 + stopping[0])
        typer.echo(f"{spent.steps} steps, {spent.tokens} tokens: {out / 'model'}")


@app.command("average")
def average_models(
    models: Annotated[list[Path], typer.Argument(metavar="DIR...", help="two or more")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the model folder goes")],
) -> None:
    """Average the weights of models that were trained from the same one.

    \b
    Example:
      gccllm-train average run/model other/model --out averaged
    """
    if len(models) < 2:
        raise UsageError("give two models or more")
    with _needs_extra():
        from trainer.model import average

        average(models, out)
        typer.echo(f"{out}")


@app.command()
def export(
    model: Annotated[Path, typer.Option(metavar="DIR", help="model folder, from sft or ppo")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the CTranslate2 model goes")],
    quantization: Annotated[Quantization, typer.Option(help="of the weights")] = Quantization.INT8,
    check: Annotated[
        Path | None, typer.Option(metavar="DIR", help="compare on prompts of this data folder")
    ] = None,
    prompts: Annotated[int, typer.Option(min=1, metavar="N", help="for --check")] = 64,
) -> None:
    """Convert a model for CPUs; --check tells how often its greedy answers are torch's.

    \b
    Example:
      gccllm-train export --model run/model --out mini --check pairs --prompts 200
    """
    with _needs_extra():
        from trainer.export import agreement, prompts_of
        from trainer.export import export as convert

        texts = prompts_of(check, prompts) if check else []
        convert(model, out, quantization.value)
        size = sum(x.stat().st_size for x in out.iterdir())
        typer.echo(f"{out}: {size / 1e6:.1f} MB")
        if texts:
            found = agreement(model, out, texts)
            typer.echo(json.dumps({**asdict(found), "rate": found.rate}))


@app.command("import")
def import_exported(
    model: Annotated[Path, typer.Option(metavar="DIR", help="CTranslate2 folder, from export")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the model folder goes")],
    size: Annotated[str, typer.Option(metavar="SIZE", help="nano, mini or a JSON file")] = "mini",
) -> None:
    """Turn exported weights, such as those that ship, back into a model to train on or to serve.

    \b
    Example:
      gccllm-train import --model gccllm/models/mini --out start
      gccllm-train sft --init start --data pairs --tokenizer start --out run --hours 1
    """
    with _needs_extra():
        from trainer.importing import import_model

        import_model(model, out, size)
        typer.echo(f"{out}")


@contextmanager
def _needs_extra() -> Iterator[None]:
    """A package that is not installed is the user's to mend, in one line."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing; pip install 'gccllm[train]'") from error


app.command("eval")(_needs_extra()(evaluate_models))
app.command("ppo")(_needs_extra()(ppo))
app.command("ppo-programs")(_needs_extra()(ppo_programs))
app.command("sft-programs")(_needs_extra()(sft_programs))
app.command("eval-programs")(_needs_extra()(evaluate_whole_programs))
app.command("report")(_needs_extra()(report))


def _verdict(entry: dict[str, Any]) -> Verdict:
    """As far as the store keeps it: how many pairs stand behind a speedup is not needed here."""
    measured = None
    if entry["speedup"] is not None:
        measured = Speedup(entry["speedup"], entry["low"], entry["high"], 0)
    evidence = entry["evidence"]
    run = int(evidence.get("tests_run", 0))
    return Verdict(VerdictKind(entry["verdict"]), "", evidence, measured, tests_run=run)


def main() -> None:
    """The console script: our own errors are one line, never a traceback. Statuses as gccllm's."""
    try:
        app()
    except GccllmError as error:
        print(f"gccllm-train: error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
