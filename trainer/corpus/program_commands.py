"""``gccllm-train data codenet | hub | programs``: datasets of whole programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from trainer.corpus.codenet import CodeNet, make_codenet
from trainer.corpus.hub import make_hub, rebuild_hub
from trainer.corpus.program_folders import make_programs_dataset, programs_in
from trainer.corpus.program_trial import Demands
from trainer.stopping import stops

__all__ = ["add_program_commands"]

Out = Annotated[
    Path, typer.Option(metavar="DIR", help="the dataset; a run that was stopped goes on here")
]
Jobs = Annotated[int, typer.Option(metavar="J", min=1, help="processes [default: all cores]")]
Tests = Annotated[int, typer.Option(metavar="N", min=1, help="tests of a program, at most")]
Tokens = Annotated[int, typer.Option(metavar="N", min=1, help="of a prompt, at most; estimated")]
Ratio = Annotated[
    float, typer.Option(metavar="X", min=0.0, help="time at -O0 by that at -O3, at least")
]
Held = Annotated[int, typer.Option(metavar="N", min=0, help="programs for evaluation")]
Seed = Annotated[int, typer.Option(metavar="S", help="which groups are held out")]
CORES = len(os.sched_getaffinity(0))


def codenet(
    corpus: Annotated[
        Path, typer.Option("--codenet", metavar="DIR", help="the unpacked Project_CodeNet")
    ],
    tests: Annotated[
        Path, typer.Option(metavar="DIR", help="pNNNNN/input.K.txt: inputs of the problems")
    ],
    out: Out,
    ratio: Ratio = 3.0,
    per_problem: Annotated[
        int, typer.Option(metavar="N", min=1, help="accepted submissions tried of a problem")
    ] = 10,
    most: Annotated[
        int, typer.Option(metavar="N", min=1, help="programs kept, the best by ratio")
    ] = 8072,
    held: Held = 200,
    most_tests: Tests = 10,
    most_tokens: Tokens = 4000,
    jobs: Jobs = CORES,
    seed: Seed = 0,
) -> None:
    """Make the paper's dataset from Project_CodeNet: programs that -O3 makes much faster.

    Every submission runs in the sandbox; outputs are those of gcc -O3's program, run twice and
    beside -O0's. No problem and no near-duplicate is in both splits. Ctrl-C ends it after the
    problems that are being tried; the same command goes on.

    \b
    Example:
      gccllm-train data codenet --codenet Project_CodeNet --tests test_cases --out dataset
    """
    demands = Demands(ratio, most_tests, most_tokens=most_tokens)
    wanted = CodeNet(corpus, tests, per_problem, most, held, seed)
    with stops() as stopping:
        table = make_codenet(wanted, demands, out, jobs=jobs, stop=lambda: bool(stopping), say=_say)
        _end(table, stopping)


def hub(
    name: Annotated[str, typer.Argument(metavar="NAME", help="on the hub, or parquet files here")],
    out: Out,
    rebuild: Annotated[
        bool, typer.Option(help="try every program here: our gcc's baseline, outputs by running")
    ] = False,
    most_tests: Tests = 10,
    most_tokens: Tokens = 4000,
    jobs: Jobs = CORES,
) -> None:
    """Take over a published dataset: its columns, and what its baseline looks like.

    \b
    Example:
      gccllm-train data hub LLM4Code/llm_superoptimizer_ds --rebuild --out dataset
    """
    if not rebuild:
        _end(make_hub(name, out, _say), [])
        return
    demands = Demands(0.0, most_tests, most_tokens=most_tokens)
    with stops() as stopping:
        table = rebuild_hub(name, demands, out, jobs=jobs, stop=lambda: bool(stopping), say=_say)
        _end(table, stopping)


def programs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="of NAME.c with NAME.tests/")],
    out: Out,
    ratio: Ratio = 0.0,
    held: Held = 0,
    most_tests: Tests = 10,
    most_tokens: Tokens = 4000,
    jobs: Jobs = CORES,
    seed: Seed = 0,
) -> None:
    """Make a dataset of any C programs that have recordings, such as examples/.

    Tests with files, and programs whose output is not text, are left out.

    \b
    Example:
      gccllm-train data programs examples --held 4 --out dataset
    """
    demands = Demands(ratio, most_tests, most_tokens=most_tokens)
    with stops() as stopping:
        table = make_programs_dataset(
            programs_in(folder),
            demands,
            out,
            held=held,
            seed=seed,
            jobs=jobs,
            stop=lambda: bool(stopping),
            say=_say,
        )
        _end(table, stopping)


def add_program_commands(app: typer.Typer) -> None:
    """Register the three with ``gccllm-train data``."""
    commands: dict[str, Callable[..., None]] = {
        "codenet": codenet,
        "hub": hub,
        "programs": programs,
    }
    for name, command in commands.items():
        app.command(name)(command)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _end(table: str | None, stopping: list[int]) -> None:
    if table is None:
        _say("stopped; the same command goes on")
        raise typer.Exit(128 + stopping[0] if stopping else 1)
    typer.echo(table, nl=False)
