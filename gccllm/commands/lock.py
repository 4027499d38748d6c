"""``gccllm lock``: accepted rewrites as a file for version control, and judged again from it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gccllm import process
from gccllm.commands.common import cell, existing_store, make_console, plain
from gccllm.errors import LockError, StoreError, UsageError
from gccllm.lockfile import CHECKED, Locked, LockFile, read_lock, render
from gccllm.replacing import NotReplaceable, replace_bytes
from gccllm.settings import ISA_MODES
from gccllm.store import Rewrite
from gccllm.toolchain import Toolchain
from gccllm.types import Json

__all__ = ["lock"]

DEFAULT_NAME = "gccllm.lock"
BUILD_SECONDS = 6 * 3600.0


def lock(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROGRAM",
            help="whose rewrites (default: all of the store's); with --check, the build's command",
        ),
    ] = None,
    to: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="the file to write")
    ] = Path(DEFAULT_NAME),
    isa: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help=f"only rewrites for this -fllm-isa: {', '.join(ISA_MODES)}"
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="judge the rewrites of FILE again in a build"),
    ] = None,
) -> None:
    """Keep accepted rewrites in a file to build with, or check one.

    The file is text, fit for review and version control: each rewrite with its evidence.
    With -fllm-lock=FILE gcc-llm builds with the rewrites of the file and no others: no model, no
    timing, no store, and the same bytes on every machine with the same compiler.

    --check runs a build that compiles with gcc-llm and has recordings. Each rewrite has to be right
    on them, measurably faster and as sure as it was; status 1 if one is not. The build is left with
    gcc's own programs.

    \b
    Examples:
      gccllm lock ./prog -o gccllm.lock
      gcc-llm -O3 -fllm-lock=gccllm.lock prog.c -o prog
      gccllm lock --check gccllm.lock -- make -B CC=gcc-llm
    """
    if isa is not None and isa not in ISA_MODES:
        raise UsageError(f"--isa is '{plain(isa)}'; it takes {', '.join(ISA_MODES)}")
    if check is not None:
        if not what:
            raise UsageError("name the build: gccllm lock --check FILE -- make -B CC=gcc-llm")
        raise typer.Exit(0 if _check(check, what) else 1)
    _write(what or [], to, isa)


def _write(programs: list[str], to: Path, isa: str | None) -> None:
    # It knows all gates of the judge, and takes as long to import as all other commands together.
    from gccllm.locking.making import lock_rewrite

    toolchain = Toolchain()
    chosen = _chosen(programs, isa)
    mine = [x for x in chosen if x.key.compiler == toolchain.identity.digest]
    if not mine:
        raise LockError(
            f"none of {len(chosen)} rewrites is of this compiler, {toolchain.identity.version}; "
            "GCCLLM_CC names another"
        )
    blocks: list[Locked] = []
    refused: list[str] = []
    for rewrite in sorted(mine, key=lambda x: (x.unit, x.key.unit_key)):
        with tempfile.TemporaryDirectory(prefix="gccllm-") as folder:
            try:
                blocks += lock_rewrite(rewrite, toolchain, Path(folder))
            except LockError as error:
                refused.append(str(error))
    _put(to, render(blocks))
    units = len({x.baseline for x in blocks})
    names = sum(len(x.functions) for x in blocks)
    typer.echo(f"{to}: functions: {names}, units: {units}; use it with -fllm-lock={to}")
    if len(mine) < len(chosen):
        typer.echo(f"note: left out, of other compilers: {len(chosen) - len(mine)}", err=True)
    for line in refused:
        typer.echo(f"not locked: {plain(line)}", err=True)
    if refused:
        raise typer.Exit(1)


def _chosen(programs: list[str], isa: str | None) -> list[Rewrite]:
    """The newest rewrite of each unit and compiler. Raises StoreError where there is none."""
    with existing_store() as store:
        try:
            found = store.rewrites()
        except ValueError as error:
            raise StoreError(f"a rewrite is damaged ({error}); see gccllm store verify") from error
    for program in programs:
        if not any(_is_of(x, program) for x in found):
            raise StoreError(f"no rewrite is recorded for {plain(program)}")
    newest = {
        (x.key.unit_key, x.key.compiler): x
        for x in found
        if (not programs or any(_is_of(x, p) for p in programs))
        and (isa is None or x.key.isa.partition("-")[0] == isa)
    }
    if not newest:
        raise StoreError(f"the store holds no rewrite{f' for {isa}' if isa else ''}")
    return list(newest.values())


def _is_of(rewrite: Rewrite, program: str) -> bool:
    path = Path(program)
    if path.exists():
        return rewrite.program in (str(path.resolve()), str(path.absolute()))
    return program in (rewrite.program, Path(rewrite.program).name)


def _put(path: Path, text: str) -> None:
    """Replace the file, all or nothing. Raises LockError."""
    try:
        path.touch()
        replace_bytes(str(path), text.encode("utf-8", "surrogateescape"))
    except (OSError, NotReplaceable) as error:
        raise LockError(f"can't write {path}: {error}") from error


@dataclass(frozen=True)
class _Row:
    block: Locked
    standing: str
    detail: str
    speedup: float | None

    @property
    def holds(self) -> bool:
        return self.standing == "holds"


def _check(path: Path, command: list[str]) -> bool:
    """Run the build, show what came of each rewrite; True when all of them hold."""
    file = read_lock(path)
    with tempfile.TemporaryDirectory(prefix="gccllm-") as name:
        folder = Path(name)
        shutil.copyfile(path, folder / CHECKED)
        _build(command, folder)
        rows = [_row(x, _found(folder)) for x in file.rewrites]
    _show(path, file, rows)
    return bool(rows) and all(x.holds for x in rows) and not file.damaged


def _build(command: list[str], folder: Path) -> None:
    """Run the build to its end. Raises LockError where it fails."""
    kept = {k: v for k, v in os.environ.items() if k not in ("GCCLLM_LOCK", "GCCLLM")}
    environment = {**kept, "GCCLLM_LOCK_CHECK": str(folder)}
    done = process.run(command, timeout=BUILD_SECONDS, env=environment)
    if not done.ok:
        raise LockError(f"the build failed: {plain(done.error_line())}")


def _found(folder: Path) -> list[Mapping[str, Json]]:
    found: list[Mapping[str, Json]] = []
    for path in sorted(folder.glob("*.json")):
        found += json.loads(path.read_text())
    return found


def _row(block: Locked, found: list[Mapping[str, Json]]) -> _Row:
    """What is worst in all programs that have the unit."""
    mine = [
        _Row(
            block,
            str(x.get("standing")),
            str(x.get("detail")),
            speed if isinstance(speed := x.get("speedup"), float) else None,
        )
        for x in found
        if x.get("baseline") == block.baseline and x.get("functions") == list(block.functions)
    ]
    if not mine:
        why = (
            "no program with recordings was linked that has this very unit: its source, options or "
            "compiler changed, or the build did not compile it"
        )
        return _Row(block, "not-judged", why, None)
    return next((x for x in mine if not x.holds), mine[0])


def _show(path: Path, file: LockFile, rows: list[_Row]) -> None:
    table = Table("unit", "functions", "standing", "assurance", "locked", "now", "why")
    table.title = cell(path)
    for row in rows:
        block = row.block
        cells = [
            block.unit,
            ", ".join(block.functions),
            row.standing,
            block.assurance,
            f"{block.speedup.ratio:.2f}×",
            f"{row.speedup:.2f}×" if row.speedup is not None else "",
            row.detail,
        ]
        table.add_row(*map(cell, cells), style="green" if row.holds else "red")
    console = make_console()
    console.print(table)
    for line in file.damaged:
        console.print(cell(f"left out: {line}"))
    console.print(f"rewrites that hold: {sum(x.holds for x in rows)} of {len(rows)}")
