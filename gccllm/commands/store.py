"""``gccllm store``: look into the store, check it, tidy it."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gccllm.errors import StoreError
from gccllm.paths import cache_dir
from gccllm.store import Rewrite, Store

__all__ = ["app"]

app = typer.Typer(help="Look into the store of rewrites, check it, tidy it.", no_args_is_help=True)
DAY_SECONDS = 86400.0


@app.command("list")
def list_rewrites() -> None:
    """List the accepted rewrites."""
    with Store(cache_dir()) as store:
        rewrites = store.rewrites()
    table = Table("id", "unit", "functions", "proposer", "speedup", "isa", "assurance", "made")
    for rewrite in rewrites:
        value = rewrite.speedup
        made = time.strftime("%Y-%m-%d", time.localtime(rewrite.created))
        speed = f"{value.ratio:.2f} ({value.low:.2f}–{value.high:.2f})"
        cells = [_id(rewrite), rewrite.unit, ", ".join(rewrite.functions), rewrite.proposer]
        table.add_row(*map(escape, cells), speed, rewrite.key.isa, rewrite.assurance, made)
    Console().print(table)


@app.command()
def show(
    rewrite_id: Annotated[str, typer.Argument(metavar="ID", help="as 'list' prints it")],
) -> None:
    """Print one rewrite: its evidence, then the assembly that replaces the unit."""
    with Store(cache_dir()) as store:
        found = [x for x in store.rewrites() if _id(x).startswith(rewrite_id)]
    if len(found) != 1:
        raise StoreError(f"{len(found)} rewrites have an id that begins with '{rewrite_id}'")
    rewrite = found[0]
    typer.echo(f"# {rewrite.unit}: {', '.join(rewrite.functions)} by {rewrite.label}")
    typer.echo(f"# {rewrite.speedup.ratio:.3f}× in {rewrite.program}: {dict(rewrite.evidence)}")
    typer.echo(rewrite.text)


@app.command()
def verify() -> None:
    """Check the database, every rewrite and the index; status 1 if something is wrong."""
    with Store(cache_dir()) as store:
        wrong = store.verify()
    for line in wrong:
        typer.echo(line)
    typer.echo("the store is sound" if not wrong else f"{len(wrong)} problems")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def gc(
    days: Annotated[float, typer.Option(help="forget what is older than this")] = 90.0,
) -> None:
    """Forget old rewrites, verdicts and searches, and rebuild the index."""
    folder = cache_dir()
    with Store(folder) as store:
        removed = store.gc(days * DAY_SECONDS)
    for path in (folder / "applied").glob("*"):
        path.unlink(missing_ok=True)
    typer.echo(f"removed {removed} rows")


def _id(rewrite: Rewrite) -> str:
    return rewrite.key.unit_key[:10]
