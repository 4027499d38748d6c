"""Where gccllm keeps what outlives a command. Standard library only, nothing is created."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """``$GCCLLM_STORE``, or ``gccllm`` in the user's cache folder (XDG base directories)."""
    store = os.environ.get("GCCLLM_STORE")
    if store:
        return Path(store)
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # the specification: a relative path there is invalid and is to be ignored
    if cache.startswith("/"):
        return Path(cache) / "gccllm"
    try:
        home = Path("~").expanduser()
    except RuntimeError:  # a user without an entry and without $HOME
        home = Path("/nonexistent")
    return home / ".cache" / "gccllm"
