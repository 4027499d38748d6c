"""Two assembly texts side by side, as an HTML table; long runs of equal lines are folded."""

from __future__ import annotations

from difflib import SequenceMatcher
from html import escape

__all__ = ["side_by_side"]

CONTEXT = 4
FOLDED = 12
"""equal lines in a row that are folded"""


def side_by_side(before: str, after: str) -> str:
    """A table of two columns; lines that differ have the class ``gone`` or ``new``."""
    left, right = before.rstrip("\n").split("\n"), after.rstrip("\n").split("\n")
    rows: list[str] = []
    # Blanks between words mean nothing.
    one, two = ([" ".join(x.split()) for x in side] for side in (left, right))
    for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if kind == "equal":
            rows += _equal(left[a:b], right[c:d])
            continue
        for number in range(max(b - a, d - c)):
            gone = left[a + number] if a + number < b else None
            new = right[c + number] if c + number < d else None
            rows.append(_row(gone, new, "gone", "new"))
    head = "<tr><th>gcc</th><th>rewrite</th></tr>"
    return f'<table class="sides">{head}{"".join(rows)}</table>'


def _equal(left: list[str], right: list[str]) -> list[str]:
    rows = [_row(a, b, "", "") for a, b in zip(left, right, strict=True)]
    if len(rows) <= FOLDED:
        return rows
    count = len(rows) - 2 * CONTEXT
    folded = f'<tr class="folded"><td colspan="2">{count} lines alike</td></tr>'
    return [*rows[:CONTEXT], folded, *rows[-CONTEXT:]]


def _row(one: str | None, two: str | None, left: str, right: str) -> str:
    cells = []
    for text, kind in ((one, left), (two, right)):
        mark = f' class="{kind}"' if kind and text is not None else ""
        cells.append(f"<td{mark}>{escape(text or '')}</td>")
    return f"<tr>{''.join(cells)}</tr>"
