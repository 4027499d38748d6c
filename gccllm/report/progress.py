"""What a person sees while a link takes long: one line on a terminal, all lines with -fllm-verbose.

Neither: silence, as gcc keeps it. rich is imported when there is a line to be shown, not before.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from gccllm.report.record import ProgramRecord
from gccllm.types import Outcome

if TYPE_CHECKING:
    from rich.status import Status

__all__ = ["Progress", "progress", "summary"]

QUIET_SECONDS = 1.0


class Progress(Protocol):
    """Where the link step tells what it is at."""

    def say(self, text: str) -> None:
        """One thing that happened or begins."""
        ...

    def finish(self, record: ProgramRecord) -> None:
        """The end, and what became of the program."""
        ...


class _Silent:
    def say(self, text: str) -> None:
        del text

    def finish(self, record: ProgramRecord) -> None:
        del record


class _Verbose:
    def say(self, text: str) -> None:
        # a closed stderr must not cost the optimisation
        with suppress(OSError, ValueError):
            print(f"gcc-llm: {_plain(text)}", file=sys.stderr, flush=True)

    def finish(self, record: ProgramRecord) -> None:
        self.say(summary(record))


class _Terminal:
    """One status line, from the first second on; what was there in the end stays."""

    def __init__(self, quiet_seconds: float) -> None:
        self._visible_from = time.monotonic() + quiet_seconds
        self._status: Status | None = None

    def say(self, text: str) -> None:
        if time.monotonic() < self._visible_from:
            return
        from rich.console import Console
        from rich.status import Status
        from rich.text import Text

        console = Console(stderr=True) if self._status is None else self._status.console
        # one line and no markup, whatever a candidate put into its label
        shown = Text(f"gcc-llm: {_plain(text)}"[: max(1, console.width - 4)])
        if self._status is None:
            self._status = Status(shown, console=console)
            self._status.start()
        else:
            self._status.update(shown)

    def finish(self, record: ProgramRecord) -> None:
        if self._status is not None:
            self.close()
            _Verbose().finish(record)

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._status is not None:
            self._status.stop()
            self._status = None


@contextmanager
def progress(verbose: bool, *, quiet_seconds: float = QUIET_SECONDS) -> Iterator[Progress]:
    """The right way to talk for where we are; the terminal is left clean whatever happens."""
    if verbose:
        yield _Verbose()
    elif sys.stderr is not None and sys.stderr.isatty():
        shown = _Terminal(quiet_seconds)
        try:
            yield shown
        finally:
            with suppress(OSError, ValueError):
                shown.close()
    else:
        yield _Silent()


def summary(record: ProgramRecord) -> str:
    """One line: what became of the program."""
    if record.outcome in (Outcome.OPTIMIZED, Outcome.APPLIED) and record.speedup is not None:
        value = record.speedup
        names = ", ".join(dict.fromkeys(x.function for x in record.functions if x.assurance))
        return (
            f"{record.program}: {value.ratio:.2f}× ({value.low:.2f}–{value.high:.2f}) "
            f"{record.outcome.value}: {names}; {record.detail}"
        )
    return f"{record.program}: gcc's own result ({record.reason}): {record.detail}"


def _plain(text: str) -> str:
    """On one line, and nothing in it that a terminal obeys: labels may come from a model."""
    if text.isprintable():
        return text
    return "".join(x if x.isprintable() else ascii(x)[1:-1] for x in text)
