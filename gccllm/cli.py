"""``gccllm``: everything around gcc-llm that is not compiling."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gccllm import __version__
from gccllm.commands.doctor import doctor
from gccllm.commands.explain import explain
from gccllm.commands.record import record
from gccllm.commands.stats import stats
from gccllm.commands.store import app as store_app
from gccllm.errors import GccllmError

__all__ = ["app", "main"]

app = typer.Typer(
    name="gccllm",
    help="Record tests for gcc-llm, see what it did and why, check the machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(record)
app.command()(explain)
app.command()(stats)
app.command()(doctor)
app.add_typer(store_app, name="store")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gccllm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print it and exit")
    ] = False,
) -> None:
    """Options of every command."""
    del version


def main() -> None:
    """The console script: our own errors are one line and status 1, never a traceback."""
    try:
        app()
    except GccllmError as error:
        print(f"gccllm: error: {error}", file=sys.stderr)
        sys.exit(1)
