"""``gccllm explain``: what happened to a program's functions, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from gccllm.asm.normalise import function_text
from gccllm.asm.unit import parse
from gccllm.commands.common import cell, existing_store, make_console, plain
from gccllm.commands.source_lines import with_source
from gccllm.errors import StoreError
from gccllm.report.evidence import counterexample_lines, evidence_rows, ladder_of, measurement
from gccllm.store import Store
from gccllm.types import Json, VerdictKind

__all__ = ["explain"]


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="PROGRAM[:FUNCTION]", help="as it was linked: a path, or a name"),
    ],
    side_by_side: Annotated[
        bool, typer.Option("--asm/--no-asm", help="show both assemblies side by side")
    ] = True,
    most: Annotated[int, typer.Option(metavar="N", min=1, help="how many verdicts to list")] = 30,
) -> None:
    """Show the verdicts on a program's candidates, and why they fell.

    The newest comes first. Under them stand gcc's assembly, with the lines of C where the source is
    still there, and the newest accepted one side by side, and what stands behind it: how it was
    measured, what examined it and what was never run. Where a function is named and nothing was
    accepted for it, that is the newest candidate that has it.

    \b
    Examples:
      gccllm explain ./prog
      gccllm explain prog:count --most 5
    """
    program, function = _split(what)
    with existing_store() as store:
        entries = _entries(store, program, function)
    if not entries:
        about = f"function '{function}' of {program}" if function else program
        raise StoreError(
            f"nothing is recorded about {plain(about)}; was it linked by gcc-llm, with recordings?"
        )
    console = make_console()
    _list(console, entries[:most], what)
    if len(entries) > most:
        console.print(f"  and {len(entries) - most} older ones; --most {len(entries)} shows all")
    if side_by_side:
        _assemblies(console, entries, function)


def _split(what: str) -> tuple[str, str]:
    """A colon may be part of a path; functions of C have neither colons nor slashes."""
    program, colon, function = what.rpartition(":")
    if not colon or "/" in function or Path(what).exists():
        return what, ""
    return program, function


def _entries(store: Store, program: str, function: str) -> list[dict[str, Any]]:
    path = Path(program)
    names = [str(path.resolve()), str(path.absolute()), program] if path.exists() else [program]
    try:
        for name in dict.fromkeys([*names, path.name]):
            found: list[dict[str, Any]] = list(store.judgements(name, function))
            if found:
                return found
    except ValueError as error:
        raise StoreError(f"the store at {store.folder} is damaged: {error}") from error
    return []


def _kind(entry: dict[str, Any]) -> VerdictKind:
    try:
        return VerdictKind(entry["verdict"])
    except ValueError as error:
        raise StoreError(f"a verdict of another version is stored: {error}") from error


def _list(console: Console, entries: list[dict[str, Any]], what: str) -> None:
    table = Table("verdict", "function", "proposer", "candidate", "speedup", "why")
    table.title = cell(what)
    for entry in entries:
        kind = _kind(entry)
        names = ", ".join(entry["functions"]) or "*"
        ratio = f"{entry['speedup']:.2f}×" if isinstance(entry["speedup"], float) else ""
        cells = [kind.value, names, entry["proposer"], entry["label"], ratio, entry["detail"]]
        table.add_row(*map(cell, cells), style="green" if kind is VerdictKind.ACCEPTED else "")
    console.print(table)
    for kind in sorted({_kind(x) for x in entries}, key=lambda x: x.value):
        console.print(f"  [bold]{kind.value}[/bold]: {kind.meaning}")


def _assemblies(console: Console, entries: list[dict[str, Any]], function: str) -> None:
    accepted = [x for x in entries if _kind(x) is VerdictKind.ACCEPTED]
    others = [x for x in entries if x not in accepted] if function else []
    if not any(_show(console, entry, function) for entry in [*accepted, *others]) and function:
        console.print(f"no candidate is kept that holds assembly of {plain(function)}")


def _show(console: Console, entry: dict[str, Any], function: str) -> bool:
    """Both versions of the entry's functions; False where it holds none of them."""
    before, after = parse(entry["baseline"]), parse(entry["text"])
    offered = [function] if function else entry["functions"]
    names = [x for x in offered if x in before.functions and x in after.functions]
    for name in names:
        table = Table(*(Column(cell(f"{name}: {x}")) for x in ("gcc", entry["label"])))
        left = (
            with_source(Path(entry["program"]), entry["unit"], entry["baseline"], name)
            or function_text(before, name).splitlines()
        )
        right = function_text(after, name).splitlines()
        for row in range(max(len(left), len(right))):
            sides = (left[row : row + 1], right[row : row + 1])
            table.add_row(*(cell(x[0] if x else "") for x in sides))
        console.print(table)
    if names:
        _evidence(console, entry, names)
    return bool(names)


def _evidence(console: Console, entry: dict[str, Any], names: list[str]) -> None:
    """What stands behind the verdict; all of it as data is in ``-fllm-report`` and the store."""
    evidence: dict[str, Json] = entry["evidence"]
    measured = measurement(entry)
    if measured:
        console.print("[bold]measured[/bold]", cell(measured))
    for name in names:
        ladder = ladder_of(evidence, name)
        if ladder:
            table = Table("examined", "standing", "found", title=cell(f"{name}: evidence"))
            for row in evidence_rows(ladder):
                table.add_row(*map(cell, row))
            console.print(table)
            console.print("[bold]assurance[/bold]", cell(f"{name}: {ladder.get('assurance')}"))
    for line in counterexample_lines(evidence):
        console.print("[bold]differs[/bold]", cell(line))
    rest = {k: v for k, v in evidence.items() if k not in ("ladder", "counterexample")}
    console.print("[bold]evidence[/bold]", cell(json.dumps(rest)))
