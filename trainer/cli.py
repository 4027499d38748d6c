"""``gccllm-train``: what makes and measures the model."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from gccllm.errors import GccllmError, UsageError
from gccllm.paths import cache_dir
from gccllm.store import Store
from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.reward import REWARDS, correctness_guided, speedup_only

__all__ = ["app", "main"]

app = typer.Typer(
    name="gccllm-train",
    help="Train and measure the model behind gcc-llm.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def options() -> None:
    """Options of every command: none yet."""


@app.command()
def rewards(
    kind: Annotated[str, typer.Option(help="so (speedup only) or cgs (correctness guided)")] = "so",
    tests: Annotated[int, typer.Option(help="recordings of the program, for cgs")] = 10,
) -> None:
    """Print, as JSON lines, what each verdict in the store would have earned as a reward."""
    if kind not in REWARDS:
        raise UsageError(f"--kind is '{kind}'; it takes {' or '.join(REWARDS)}")
    with Store(cache_dir(), create=False) as store:
        for entry in store.judgements():
            ratio, low, high = (entry[x] for x in ("speedup", "low", "high"))
            measured = None
            if isinstance(ratio, float) and isinstance(low, float) and isinstance(high, float):
                measured = Speedup(ratio, low, high, 0)
            verdict = Verdict(VerdictKind(entry["verdict"]), speedup=measured)
            earned = speedup_only(verdict) if kind == "so" else correctness_guided(verdict, tests)
            names = ("program", "unit", "functions", "proposer", "label", "verdict")
            typer.echo(json.dumps({**{x: entry[x] for x in names}, "reward": earned}))


def main() -> None:
    """The console script: our own errors are one line and status 1."""
    try:
        app()
    except GccllmError as error:
        print(f"gccllm-train: error: {error}", file=sys.stderr)
        sys.exit(1)
