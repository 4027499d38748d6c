"""Where gccllm keeps what outlives a command. On the compile path; nothing is created."""

from __future__ import annotations

import os

# Type checkers take this name for true; importing typing would take longer than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_dir", "store_folder"]


def store_folder() -> str:
    """``$GCCLLM_STORE``, or ``gccllm`` in the user's cache folder (XDG base directories)."""
    named = os.environ.get("GCCLLM_STORE")
    if named:
        return named
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # the specification: a relative path there is invalid and is to be ignored
    base = cache if cache.startswith("/") else os.path.expanduser("~/.cache")
    return f"{base}/gccllm"


def cache_dir() -> Path:
    """:func:`store_folder` as a path."""
    from pathlib import Path

    return Path(store_folder())
