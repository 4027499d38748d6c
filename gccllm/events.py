"""Reasons, counted: one line each in ``STORE/events``, by the shim and by the driver.

``gccllm.store`` folds them into its counters. Light: it is on the compile path.
"""

from __future__ import annotations

import os

from gccllm.paths import store_folder

__all__ = ["count_event"]


def count_event(reason: str) -> None:
    """One line, if there is a store; never fails."""
    try:
        path = f"{store_folder()}/events"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(path, flags, 0o666)
        try:
            os.write(handle, f"{reason}\n".encode("ascii", "replace"))
        finally:
            os.close(handle)
    except OSError:
        pass
