"""Charts as SVG text: curves over steps, and a histogram. Nothing is fetched, nothing is run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["Series", "histogram", "line_chart"]

Series = Mapping[str, Sequence[tuple[float, float]]]
"""label → points"""

WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 26, 34
COLOURS = ("#3465a4", "#cc5500", "#2e8540", "#8a2be2", "#b8860b", "#c2185b", "#00838f", "#666666")


def line_chart(title: str, series: Series, *, x_label: str = "step", percent: bool = False) -> str:
    """Lines with points; "" where no series has a point. ``percent``: values are shares."""
    drawn = {label: [p for p in points if _plain(p)] for label, points in series.items()}
    points = [p for found in drawn.values() for p in found]
    if not points:
        return ""
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    low_x, high_x = _spread(min(xs), max(xs))
    low_y, high_y = (0.0, 1.0) if percent else _spread(min([*ys, 0.0]), max(ys))
    parts = [_axes(title, x_label, (low_x, high_x), (low_y, high_y), percent)]
    for number, (label, found) in enumerate(drawn.items()):
        if not found:
            continue
        places = [
            f"{_x(x, low_x, high_x):.1f},{_y(y, low_y, high_y):.1f}" for x, y in sorted(found)
        ]
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            f'<polyline class="curve" fill="none" stroke="{colour}" points="{" ".join(places)}">'
            f"<title>{escape(label)}</title></polyline>"
        )
        if len(places) <= 60:
            for place, (x, y) in zip(places, sorted(found), strict=True):
                cx, cy = place.split(",")
                shown = f"{label}: {y:.3f} at {x:g}"
                parts.append(
                    f'<circle cx="{cx}" cy="{cy}" r="2.2" fill="{colour}">'
                    f"<title>{escape(shown)}</title></circle>"
                )
    return _figure(parts, list(drawn))


def histogram(title: str, values: Sequence[float], *, x_label: str = "speedup") -> str:
    """How many values lie in each of the buckets, which are even in the logarithm; "" for none."""
    logs = [math.log2(x) for x in values if x > 0]
    if not logs:
        return ""
    # 1 and 2 are always there, so that pages can be compared.
    low = math.floor(min(0.0, *logs) * 4) / 4
    high = max(1.0, math.floor(max(logs) * 4) / 4 + 0.25)
    count = min(40, round((high - low) * 4))
    buckets = [0] * count
    for value in logs:
        buckets[min(count - 1, int((value - low) / (high - low) * count))] += 1
    most = max(buckets)
    parts = [_axes(title, x_label, (2**low, 2**high), (0.0, float(most)), False)]
    width = (WIDTH - LEFT - RIGHT) / count
    for number, amount in enumerate(buckets):
        begin = 2 ** (low + number * (high - low) / count)
        end = 2 ** (low + (number + 1) * (high - low) / count)
        top = _y(amount, 0.0, float(most))
        parts.append(
            f'<rect class="bar" x="{LEFT + number * width:.1f}" y="{top:.1f}" '
            f'width="{max(1.0, width - 1):.1f}" height="{HEIGHT - BOTTOM - top:.1f}">'
            f"<title>{amount} from {begin:.2f} to {end:.2f}</title></rect>"
        )
    return _figure(parts, [])


def _figure(parts: Sequence[str], labels: Sequence[str]) -> str:
    names = "".join(
        f'<span><i style="background:{COLOURS[n % len(COLOURS)]}"></i>{escape(x)}</span>'
        for n, x in enumerate(labels)
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'
        f"<figcaption>{names}</figcaption></figure>"
    )


def _axes(
    title: str,
    x_label: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    percent: bool,
) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [
        f'<text class="title" x="{LEFT}" y="16">{escape(title)}</text>',
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>',
        _label(right, HEIGHT - 4, "end", escape(x_label)),
    ]
    for step in range(5):
        value = y_range[0] + step * (y_range[1] - y_range[0]) / 4
        y = _y(value, *y_range)
        shown = f"{100 * value:.0f}%" if percent else f"{value:.3g}"
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(_label(LEFT - 5, y + 4, "end", shown))
    for value, anchor in ((x_range[0], "start"), (x_range[1], "end")):
        x = LEFT if anchor == "start" else right
        parts.append(_label(x, bottom + 15, anchor, f"{value:.3g}"))
    return "".join(parts)


def _label(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="label" x="{x}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _x(value: float, low: float, high: float) -> float:
    return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _spread(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low, low + 1.0)


def _plain(point: tuple[float, float]) -> bool:
    return all(math.isfinite(x) for x in point)
