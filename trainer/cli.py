"""``gccllm-train``: what makes and measures the model."""

from __future__ import annotations

import json
import sys
from enum import Enum
from typing import Annotated, Any

import typer

from gccllm import __version__
from gccllm.errors import GccllmError, StoreError, UsageError
from gccllm.paths import cache_dir
from gccllm.store import Store
from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.reward import REWARDS

__all__ = ["app", "main"]

app = typer.Typer(
    name="gccllm-train",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
SHOWN = ("program", "unit", "functions", "proposer", "label", "verdict")


class Kind(str, Enum):
    """The keys of ``REWARDS``, for typer."""

    SO = "so"
    SO_PUBLISHED = "so-published"
    CGS = "cgs"
    CGS_PUBLISHED = "cgs-published"


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
        Kind, typer.Option(help="speedup only or correctness guided; as in the paper or its code")
    ] = Kind.SO,
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
