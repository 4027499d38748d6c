"""``gccllm-train data``: make training pairs and datasets of programs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from trainer.corpus.debian import sources_folder
from trainer.corpus.families import Plan, make_shards
from trainer.corpus.packages import PackagePlan, make_package_shards
from trainer.corpus.program_commands import add_program_commands

__all__ = ["app"]

app = typer.Typer(
    help="Make training data: pairs of regions and better lines, or datasets of whole programs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


add_program_commands(app)


@app.callback()
def options() -> None:
    """Make training data: pairs of regions and better lines, or datasets of whole programs."""


@app.command()
def families(
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder for the shards")],
    count: Annotated[
        int, typer.Option(metavar="N", min=1, help="samples (each gives 0 to 10 pairs)")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="S", help="other samples for another seed")] = 1,
    jobs: Annotated[
        int, typer.Option(metavar="J", min=1, help="processes [default: all cores]")
    ] = len(os.sched_getaffinity(0)),
    family: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only this one; may be repeated")
    ] = None,
) -> None:
    """Make pairs from the rewrite families, every answer proven equal by running it.

    Shards that exist are kept: run it again to go on, or with a larger count to have more.

    \b
    Example:
      gccllm-train data families --out pairs --count 10000
    """
    plan = Plan(out, count, seed, tuple(family or ()))
    shards = plan.shards()
    done = sum(path.exists() for path in shards)
    started, pairs = time.monotonic(), 0
    typer.echo(f"{len(shards)} shards, {done} of them there already", err=True)
    for path, made in make_shards(plan, jobs):
        done, pairs = done + 1, pairs + made
        rate = pairs / (time.monotonic() - started)
        typer.echo(f"{done}/{len(shards)} {path.name}: {made} pairs ({rate:.1f}/s)", err=True)


@app.command()
def packages(
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder for the shards")],
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="where sources are kept [default: the user's cache]"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="other files and functions")] = 1,
    jobs: Annotated[int, typer.Option(metavar="J", min=1, help="processes; they measure time")] = 1,
    parts: Annotated[int, typer.Option(metavar="N", min=1, help="shards a package")] = 6,
    keep_share: Annotated[
        float, typer.Option(metavar="F", min=0, max=1, help="most of a shard that is kept as it is")
    ] = 0.6,
    region_seconds: Annotated[
        float, typer.Option(metavar="S", help="a region that takes longer is given up")
    ] = 15.0,
    compilers: Annotated[
        bool, typer.Option(help="try other compilers' code too, not only the templates")
    ] = True,
    package: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only this one; may be repeated")
    ] = None,
) -> None:
    """Make pairs from Debian source packages: what other compilers or the templates do better.

    Sources are fetched with apt-get. Shards that exist are kept: run it again to go on.

    \b
    Example:
      gccllm-train data packages --out pairs/packages
    """
    plan = PackagePlan(
        out,
        cache or sources_folder(),
        seed,
        tuple(package or ()),
        parts,
        keep_share,
        region_seconds,
        compilers=compilers,
    )
    shards = plan.shards()
    done = sum(x.path.exists() for x in shards)
    typer.echo(f"{len(shards)} shards, {done} of them there already", err=True)
    for path, told in make_package_shards(plan, jobs):
        done += "problem" not in told
        said = told.get("problem") or f"{told['pairs']} in {told['seconds']} s"
        typer.echo(f"{done}/{len(shards)} {path.name}: {said}", err=True)
