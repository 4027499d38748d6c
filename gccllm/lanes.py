"""Timing lanes: one core, one measurement. Links of a ``make -j`` take turns on them.

A lane is a core with a lock file; the first core is left to everybody else where there are
several. Timing on a core that another measurement shares would measure that other one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["lane", "lane_cores"]


def lane_cores() -> list[int]:
    """Cores that may be timed on: those of this process's affinity, less the first if others."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[1:] or cores


@contextmanager
def lane(folder: Path, wait_seconds: float) -> Iterator[int | None]:
    """Hold a lane and get its core; None when none came free in time.

    ``folder`` holds the locks; a process that dies gives its lane back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait_seconds
    while True:
        for core in lane_cores():
            handle = os.open(folder / f"lane-{core}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            try:
                yield core
            finally:
                os.close(handle)
            return
        if time.monotonic() >= until:
            yield None
            return
        time.sleep(0.1)
