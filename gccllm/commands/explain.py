"""``gccllm explain``: what happened to a program's functions, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gccllm.asm.normalise import function_text
from gccllm.asm.unit import parse
from gccllm.errors import StoreError
from gccllm.paths import cache_dir
from gccllm.store import Store
from gccllm.types import VerdictKind

__all__ = ["explain"]


def explain(
    what: Annotated[str, typer.Argument(help="PROGRAM or PROGRAM:FUNCTION", metavar="PROGRAM")],
    side_by_side: Annotated[
        bool, typer.Option("--asm/--no-asm", help="both assemblies of accepted functions")
    ] = True,
    most: Annotated[int, typer.Option(help="how many verdicts to list")] = 30,
) -> None:
    """Show every verdict on a program's candidates, with its evidence.

    With a function, or where a rewrite was accepted, both assemblies stand side by side.
    """
    program, _, function = what.partition(":")
    console = Console()
    with Store(cache_dir(), create=False) as store:
        entries: list[dict[str, Any]] = list(store.judgements(_absolute(program), function))
        entries = entries or list(store.judgements(Path(program).name, function))
    if not entries:
        raise StoreError(f"nothing is recorded about {what}; was it linked with recordings?")
    table = Table("verdict", "function", "proposer", "candidate", "why", title=escape(what))
    for entry in entries[:most]:
        kind = VerdictKind(entry["verdict"])
        style = "green" if kind is VerdictKind.ACCEPTED else ""
        names = ", ".join(entry["functions"]) or "*"
        cells = [kind.value, names, entry["proposer"], entry["label"], entry["detail"]]
        table.add_row(*map(escape, cells), style=style)
    console.print(table)
    kinds = {VerdictKind(x["verdict"]) for x in entries[:most]}
    for kind in sorted(kinds, key=lambda x: x.value):
        console.print(f"  [bold]{kind.value}[/bold]: {kind.meaning}")
    accepted = [x for x in entries if x["verdict"] == VerdictKind.ACCEPTED.value]
    if side_by_side and accepted:
        _show(console, accepted[0], function)


def _show(console: Console, entry: dict[str, Any], function: str) -> None:
    console.print(f"\n[bold]evidence[/bold] {escape(str(entry['evidence']))}")
    before, after = parse(entry["baseline"]), parse(entry["text"])
    for name in [function] if function else entry["functions"]:
        if name not in before.functions or name not in after.functions:
            continue
        table = Table(f"{name}: gcc", f"{name}: {entry['label']}", title=None)
        left = function_text(before, name).splitlines()
        right = function_text(after, name).splitlines()
        for row in range(max(len(left), len(right))):
            one = left[row] if row < len(left) else ""
            other = right[row] if row < len(right) else ""
            table.add_row(escape(one.expandtabs(8)), escape(other.expandtabs(8)))
        console.print(table)


def _absolute(program: str) -> str:
    path = Path(program)
    return str(path.absolute()) if path.exists() else program
