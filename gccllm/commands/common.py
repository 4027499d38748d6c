"""What the commands share: the store as a reader wants it, a console, text safe to show."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gccllm.errors import StoreError
from gccllm.paths import cache_dir
from gccllm.store import Store

__all__ = ["cell", "existing_store", "make_console", "plain"]

PIPE_COLUMNS = 132


def existing_store(folder: Path | None = None) -> Store:
    """The store, if gcc-llm has made one or counted anything. Raises StoreError."""
    place = folder if folder is not None else cache_dir()
    known = [place / "store.sqlite", place / "events"]
    if not any(x.exists() for x in known):
        raise StoreError(f"there is no store at {place} yet; gcc-llm makes it at its first link")
    return Store(place)


def make_console() -> Console:
    """For stdout: as wide as the terminal or $COLUMNS; wider than rich's 80 into a pipe.

    Neither emoji codes nor highlighting: ``:0:`` in assembly means what it says.
    """
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return Console(width=width, emoji=False, highlight=False)


def plain(text: str) -> str:
    """``text`` on one line, all that a terminal might obey spelt out.

    Candidates and what programs print come from a model: escape sequences in them are not ours.
    """
    shown = text.expandtabs(8)
    if shown.isprintable():
        return shown
    return "".join(x if x.isprintable() else ascii(x)[1:-1] for x in shown)


def cell(text: object) -> Text:
    """A table's cell that is no markup, whatever is in it."""
    return Text(plain(str(text)))
