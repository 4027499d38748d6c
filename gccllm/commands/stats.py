"""``gccllm stats``: what gcc-llm did so far, counted."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gccllm.paths import cache_dir
from gccllm.store import Store
from gccllm.types import VerdictKind

__all__ = ["MEANINGS", "stats"]

MEANINGS = {
    "shim:outcome:optimized": "programs made faster",
    "shim:outcome:applied": "programs that got stored rewrites at their link",
    "shim:outcome:fallback": "programs left as gcc made them, after trying",
    "shim:outcome:no-tests": "links without recordings or without carried units",
    "shim:apply:applied": "units replaced by a stored rewrite at compile time",
    "shim:apply:no-rewrite": "units with known instructions but no rewrite for this ISA",
    "shim:reason:baseline-fails": "gcc's own program failed its recordings",
    "shim:reason:baseline-unjudged": "gcc's own program could not be judged",
    "shim:reason:unreproducible": "the program could not be rebuilt from what it carries",
    "shim:reason:nothing-faster": "no candidate passed the judge",
    "shim:reason:no-sandbox": "no sandbox works here; see gccllm doctor",
    "shim:reason:no-free-lane": "every timing core was busy",
    "shim:reason:proposer-unusable": "a proposer could not work (server down, package missing)",
    "shim:link:store-unusable": "the store could not be opened",
}


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="as one JSON object")] = False,
) -> None:
    """Show all counters: outcomes, reasons for falling back, verdicts."""
    with Store(cache_dir()) as store:
        counters = store.counters()
    if as_json:
        typer.echo(json.dumps(counters, indent=1))
        return
    if not counters:
        typer.echo("nothing was counted yet")
        return
    table = Table("what", "count", "meaning")
    for name, count in counters.items():
        meaning = MEANINGS.get(name, "")
        if name.startswith("verdict:"):
            meaning = VerdictKind(name.removeprefix("verdict:")).meaning
        table.add_row(name.removeprefix("shim:"), str(count), meaning)
    Console().print(table)
