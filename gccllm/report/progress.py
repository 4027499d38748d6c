"""What a person sees while a link takes long: one line on a terminal, all lines with -fllm-verbose.

Neither: silence, as gcc keeps it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from gccllm.report.record import ProgramRecord
from gccllm.types import Outcome

__all__ = ["Progress", "progress", "summary"]

QUIET_SECONDS = 1.0


class Progress(Protocol):
    def say(self, text: str) -> None: ...

    def finish(self, record: ProgramRecord) -> None: ...


class _Silent:
    def say(self, text: str) -> None:
        del text

    def finish(self, record: ProgramRecord) -> None:
        del record


class _Verbose:
    def say(self, text: str) -> None:
        print(f"gcc-llm: {text}", file=sys.stderr, flush=True)

    def finish(self, record: ProgramRecord) -> None:
        self.say(summary(record))


class _Terminal:
    """One rich status line, from the first second on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._status: object = None

    def say(self, text: str) -> None:
        if time.monotonic() - self._started < QUIET_SECONDS:
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.status import Status

        shown = f"gcc-llm: {escape(text)}"[: Console(stderr=True).width - 4]
        if isinstance(self._status, Status):
            self._status.update(shown)
        else:
            self._status = Status(shown, console=Console(stderr=True))
            self._status.start()

    def finish(self, record: ProgramRecord) -> None:
        from rich.status import Status

        if isinstance(self._status, Status):
            self._status.stop()
            print(f"gcc-llm: {summary(record)}", file=sys.stderr, flush=True)
            self._status = None


@contextmanager
def progress(verbose: bool) -> Iterator[Progress]:
    """The right way to talk for where we are; the terminal is left clean whatever happens."""
    if verbose:
        yield _Verbose()
    elif sys.stderr.isatty():
        shown = _Terminal()
        try:
            yield shown
        finally:
            stop = getattr(shown._status, "stop", None)
            if stop is not None:
                with suppress(Exception):
                    stop()
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
