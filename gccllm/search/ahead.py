"""A proposer's candidates, made in a thread while the judge is busy with earlier ones."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from gccllm.proposers.base import Proposer, Task
from gccllm.types import Candidate

__all__ = ["ahead"]


def ahead(proposer: Proposer, task: Task) -> Iterator[Candidate]:
    """Yields them until there are no more or the task's deadline is over; then the thread is told
    to stop. Raises what the proposer raises."""
    ready: queue.Queue[Candidate | BaseException | None] = queue.Queue(maxsize=4)
    stop = threading.Event()

    def put(item: Candidate | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def work() -> None:
        source = proposer.propose(task)
        try:
            for candidate in source:
                put(candidate)
                if stop.is_set():
                    break
            put(None)
        except BaseException as error:
            put(error)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name=f"propose-{proposer.name}", daemon=True)
    thread.start()
    try:
        while True:
            left = task.deadline - time.monotonic()
            try:
                item = ready.get(timeout=max(0.05, left))
            except queue.Empty:
                return
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        # One that goes on beside the next one's work does less harm than waiting for it.
        thread.join(timeout=1.0)
