"""``gccllm store``: look into the store, check it, tidy it."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Annotated

import typer
from rich.table import Table

from gccllm.commands.common import cell, existing_store, make_console, plain
from gccllm.errors import StoreError
from gccllm.store import Rewrite, Store

__all__ = ["app"]

DAY_SECONDS = 86400.0
SHORT_ID = 10

app = typer.Typer(
    help="Look into the store of rewrites, check it, tidy it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_rewrites() -> None:
    """List the accepted rewrites, oldest first.

    \b
    Example:
      gccllm store list
    """
    with existing_store() as store:
        rewrites = _rewrites(store)
    if not rewrites:
        raise StoreError(f"the store at {store.folder} holds no rewrite yet")
    table = Table("id", "unit", "functions", "proposer", "speedup", "isa", "assurance", "made")
    for rewrite in rewrites:
        value = rewrite.speedup
        made = time.strftime("%Y-%m-%d", time.localtime(rewrite.created))
        speed = f"{value.ratio:.2f} ({value.low:.2f}–{value.high:.2f})"
        names = ", ".join(rewrite.functions)
        cells = [_id(rewrite), rewrite.unit, names, rewrite.proposer, speed, rewrite.key.isa]
        table.add_row(*map(cell, [*cells, rewrite.assurance, made]))
    make_console().print(table)


@app.command()
def show(
    rewrite_id: Annotated[str, typer.Argument(metavar="ID", help="as 'list' prints it")],
) -> None:
    """Print a rewrite: evidence, then the assembly of its unit.

    \b
    Example:
      gccllm store show 3f9a01 > faster.s
    """
    with existing_store() as store:
        found = [x for x in _rewrites(store) if _id(x).startswith(rewrite_id)]
    if not found:
        raise StoreError(f"no rewrite has an id that begins with '{plain(rewrite_id)}'")
    if len(found) > 1:
        ids = ", ".join(_id(x) for x in found)
        raise StoreError(f"{len(found)} rewrites begin with '{plain(rewrite_id)}': {ids}")
    rewrite = found[0]
    value = rewrite.speedup
    typer.echo(f"# {plain(rewrite.unit)}: {plain(', '.join(rewrite.functions))}")
    typer.echo(f"# {plain(rewrite.proposer)}: {plain(rewrite.label)}")
    typer.echo(
        f"# {value.ratio:.3f}× ({value.low:.3f}–{value.high:.3f}) in {plain(rewrite.program)}"
    )
    typer.echo(f"# assurance: {plain(rewrite.assurance)}")
    typer.echo(f"# {json.dumps(dict(rewrite.evidence))}")
    typer.echo(rewrite.text, nl=not rewrite.text.endswith("\n"))


@app.command()
def verify() -> None:
    """Check the database and all rewrites; status 1 if one is wrong.

    \b
    Example:
      gccllm store verify
    """
    with existing_store() as store:
        wrong = store.verify()
    for line in wrong:
        typer.echo(line)
    typer.echo("the store is sound" if not wrong else f"problems: {len(wrong)}")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def gc(
    days: Annotated[
        float, typer.Option(metavar="DAYS", min=0, help="forget what is older than this")
    ] = 90.0,
) -> None:
    """Forget old rewrites, verdicts and searches, and rebuild the index.

    \b
    Examples:
      gccllm store gc
      gccllm store gc --days 0     (forget everything)
    """
    with existing_store() as store:
        removed = store.gc(days * DAY_SECONDS)
    try:
        # what the compile path keeps ready is made from the store, and may be of a forgotten one
        for path in (store.folder / "applied").glob("*"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"can't tidy the store at {store.folder}: {error}") from error
    typer.echo(f"rows removed: {removed}")


def _rewrites(store: Store) -> list[Rewrite]:
    try:
        return store.rewrites()
    except ValueError as error:
        raise StoreError(f"a rewrite is damaged ({error}); see gccllm store verify") from error


def _id(rewrite: Rewrite) -> str:
    """Short, and another one for another compiler or instruction set of the same unit."""
    key = f"{rewrite.key.unit_key}\n{rewrite.key.compiler}\n{rewrite.key.isa}"
    return hashlib.sha256(key.encode()).hexdigest()[:SHORT_ID]
