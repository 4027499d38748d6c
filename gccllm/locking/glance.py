"""Whether a lock file names a unit at all: most units of a build end here, so nothing is imported
that takes longer than all the rest."""

from __future__ import annotations

import os

__all__ = ["names_unit"]

UNDERSTOOD = b"version 1"
"""a file without this line is none that can be judged by a glance"""
UNNAMED = b"stdin"
"""what a unit without a file is called"""


def names_unit(lock: str, command: list[str]) -> bool:
    """False when no block can be for what that cc1 command compiles. True in any doubt, and for a
    file that can't be read: telling that is the work of others."""
    try:
        with open(lock, "rb") as file:
            lines = file.read().splitlines()
    except (OSError, ValueError):
        return True
    named = {x[len(b"rewrite ") :] for x in lines if x.startswith(b"rewrite ")}
    names = (os.fsencode(x).rpartition(b"/")[2].rsplit(b".", 1)[0] for x in command)
    return UNDERSTOOD not in lines or UNNAMED in named or any(x in named for x in names)
