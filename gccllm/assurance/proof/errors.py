"""Why a proof ends early; none of these leaves the package."""

from __future__ import annotations

__all__ = ["OutOfTime", "Unsupported"]


class Unsupported(Exception):
    """Something that is not modelled; the message names it in a few words."""


class OutOfTime(Exception):
    """The time or the number of paths that there was is used up."""
