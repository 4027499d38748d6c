"""``gccllm``: everything around gcc-llm that is not compiling."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gccllm import __version__
from gccllm.commands.doctor import doctor
from gccllm.commands.explain import explain
from gccllm.commands.lane import lane
from gccllm.commands.lock import lock
from gccllm.commands.optimize import optimize
from gccllm.commands.record import record
from gccllm.commands.serve import serve
from gccllm.commands.stats import stats
from gccllm.commands.store import app as store_app
from gccllm.errors import GccllmError, UsageError

__all__ = ["app", "main"]

# No rich markup: it would take [default] for a style, and break the lines of examples.
app = typer.Typer(
    name="gccllm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(record)
app.command()(optimize)
app.command()(explain)
app.command()(stats)
app.command()(lock)
app.command()(doctor)
app.command()(serve)
app.command()(lane)
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
    """Record tests for gcc-llm, see what it did and why, check the machine.

    \b
    In this order:
      gccllm doctor                          is this machine fit?
      gccllm record -- ./prog 10 < input     make tests, in prog.tests
      gcc-llm -O3 prog.c -o prog             build with them, faster
      gccllm optimize --workload CMD ./prog  search for longer
      gccllm explain ./prog                  what was tried, and why it fell
      gccllm lock ./prog                     keep what was accepted, as a file
    """
    del version


def main() -> None:
    """The console script: our own errors are one line, never a traceback.

    Status 0: done; 1: could not be done, or found wrong; 2: the command line makes no sense.
    """
    # a child's pipe must not become one of the three because that one was closed
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        # assembly and file names hold bytes that a terminal's encoding may not know
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        app()
    except GccllmError as error:
        print(f"gccllm: error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


if __name__ == "__main__":
    main()
