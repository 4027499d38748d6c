"""A sandbox whose sessions stay open: for many short judgements over the same recording.

Opening a session costs more than a short run. A session here is opened once for each recording and
set of limits and lent out again; what is lent adds its programs under their names, over those of
the borrower before. Each run is as separate as ever (fresh process, folder and limits); what the
borrowers share is the process that starts their runs. A session that broke is not lent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from gccllm.errors import SandboxError
from gccllm.sandbox.base import RunInput, RunLimits, Sandbox, Session

__all__ = ["WarmSandbox"]

_Key = tuple[tuple[RunInput, ...], RunLimits, int | None]


class WarmSandbox:
    """Wraps a sandbox. A context manager: its end closes all sessions. Not for several threads."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.name = sandbox.name
        self._sandbox = sandbox
        self._open: dict[_Key, tuple[ExitStack, Session]] = {}

    def __enter__(self) -> WarmSandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            for opened, _ in self._open.values():
                stack.push(opened)
            self._open.clear()

    @contextmanager
    def open(
        self,
        programs: Mapping[str, Path],
        cases: Sequence[RunInput],
        *,
        limits: RunLimits,
        core: int | None = None,
    ) -> Iterator[Session]:
        """See :class:`gccllm.sandbox.base.Sandbox`; the session outlives the ``with`` block."""
        key = (tuple(cases), limits, core)
        if key not in self._open:
            stack = ExitStack()
            session = stack.enter_context(
                self._sandbox.open({}, list(cases), limits=limits, core=core)
            )
            self._open[key] = (stack, session)
        stack, session = self._open[key]
        try:
            for name, path in programs.items():
                session.add_program(name, path)
            yield session
        except SandboxError:
            del self._open[key]
            stack.close()
            raise
