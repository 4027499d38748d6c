"""Cells of markdown tables: figures with their intervals, and what stands for none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["percent", "plain", "ratio", "table"]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A markdown table's lines; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return [f"| {' | '.join(x)} |" for x in (heads, rule, *rows)]


def percent(interval: Mapping[str, Any] | None) -> str:
    """A share with its interval, in percent."""
    if interval is None:
        return "–"
    value, low, high = (100 * interval[x] for x in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}–{high:.1f})"


def ratio(interval: Mapping[str, Any] | None) -> str:
    """A ratio with its interval."""
    if interval is None:
        return "–"
    return f"{interval['value']:.3f} ({interval['low']:.3f}–{interval['high']:.3f})"


def plain(value: float | None) -> str:
    """A ratio alone."""
    return "–" if value is None else f"{value:.2f}"
