"""``gccllm doctor``: is this machine fit for gcc-llm, and if not, what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from gccllm.commands.common import make_console, plain
from gccllm.commands.examination import examine

__all__ = ["doctor"]

MARKS = {
    "ok": "[green]ok  [/green]",
    "warn": "[yellow]warn[/yellow]",
    "bad": "[red]bad [/red]",
}


def doctor(
    timer: Annotated[
        bool, typer.Option(help="time a program against itself, which takes some seconds")
    ] = True,
) -> None:
    """Check gcc, gcc-llm, the sandbox, the timer and the proposers.

    Exit status 1 when something keeps gcc-llm from optimising at all; arrows say what to do.

    \b
    Examples:
      gccllm doctor
      gccllm doctor --no-timer
    """
    console = make_console()
    bad = False
    for finding in examine(timer):
        console.print(MARKS[finding.state], end=" ")
        console.print(plain(f"{finding.what}: {finding.detail}"), markup=False, soft_wrap=True)
        if finding.advice:
            console.print(f"     → {plain(finding.advice)}", markup=False, soft_wrap=True)
        bad = bad or finding.state == "bad"
    raise typer.Exit(1 if bad else 0)
