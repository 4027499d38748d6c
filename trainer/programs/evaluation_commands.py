"""``gccllm-train eval-programs``: measure whole-program systems beside each other."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from trainer.programs.commands import Prompt
from trainer.programs.tasks import EXAMINE_SECONDS

__all__ = ["evaluate_whole_programs"]


class Named(str, Enum):
    """The keys of ``trainer.programs.protocols.PROTOCOLS``, for typer."""

    PAPER = "paper"
    HONEST = "honest"


class Reach(str, Enum):
    """What instructions answers may use."""

    NATIVE = "native"
    TARGET = "target"


def evaluate_whole_programs(
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]SYSTEM...",
            help="do-nothing, compilers, idioms, scripted:DIR, mini[:DIR], local:DIR-or-NAME or "
            "openai:URL#MODEL (keys come from GCCLLM_API_KEY or OPENAI_API_KEY)",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="figures; a stopped run goes on here")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a dataset, from gccllm-train data")
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="of --data")] = "val",
    examples: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of NAME.c with NAME.tests/")
    ] = None,
    prompt: Annotated[
        list[Prompt] | None,
        typer.Option(help="what chats are shown; give both for Table 4 [with-o3]"),
    ] = None,
    protocol: Annotated[
        list[Named] | None, typer.Option(help="how speedups are measured; both if left out")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="answers to a program")] = 1,
    refine: Annotated[
        int, typer.Option(min=0, metavar="K", help="more rounds, with what the judge said")
    ] = 0,
    ablation: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="a system of Table 3 (rewards); in the table's order"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="programs")] = None,
    isa: Annotated[Reach, typer.Option(help="what answers may use")] = Reach.NATIVE,
    seconds: Annotated[
        float, typer.Option(min=1.0, help="for one system's answers to one program")
    ] = 600.0,
    examine: Annotated[
        float,
        typer.Option(min=0.0, metavar="SECONDS", help="the ladder's link time; 0: recordings only"),
    ] = EXAMINE_SECONDS,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="stop after it; call again to go on")
    ] = None,
) -> None:
    """Ask systems for better programs and measure them, as the paper did and honestly.

    Writes results.md (Tables 2 to 4, best of N, refinement), programs.csv, pictures and the
    assembly of what was measured. Both protocols show what a copy of gcc's program is "worth".

    \b
    Example:
      gccllm-train eval-programs do-nothing compilers mini SO=local:run/model --data dataset \\
          --samples 8 --out results
    """
    from trainer.programs.evaluate import ProgramPlan, evaluate_programs

    plan = ProgramPlan(
        out=out,
        systems=tuple(systems),
        data=data,
        split=split,
        examples=examples,
        prompts=tuple(dict.fromkeys(x.value for x in prompt or [Prompt.WITH_O3])),
        protocols=tuple(dict.fromkeys(x.value for x in protocol or list(Named))),
        samples=samples,
        refine=refine,
        limit=limit,
        isa=isa.value,
        ablation=tuple(ablation or ()),
        seconds=seconds,
        examine=examine,
        budget=float("inf") if budget is None else budget,
    )
    evaluate_programs(plan, lambda line: typer.echo(line, err=True))
    typer.echo((out / "results.md").read_text())
