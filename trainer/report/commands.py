"""``gccllm-train report``: a run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.folders import replace_file

__all__ = ["report"]


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="folder of a training run or an evaluation")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the page [RUN/report.html]")
    ] = None,
) -> None:
    """Make one self-contained HTML page of a run: curves, speedups, rewrites side by side, cost.

    \b
    Example:
      gccllm-train report run && xdg-open run/report.html
    """
    from trainer.report.gather import gather
    from trainer.report.page import render_page

    page = out or run / "report.html"
    text = render_page(gather(run))
    replace_file(page, lambda part: part.write_text(text, encoding="utf-8"))
    typer.echo(str(page))
