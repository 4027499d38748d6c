"""The page itself: one HTML file with all that it needs inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from trainer.evaluation.cells import percent, plain, ratio
from trainer.report.charts import histogram, line_chart
from trainer.report.gather import Rewrite, RunData
from trainer.report.sides import side_by_side

__all__ = ["render_page"]

STYLE = """
:root { color-scheme: light dark; --line: #8886; --gone: #e5484d33; --new: #30a46c33; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; }
body { margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.2rem; } table { border-collapse: collapse; }
.plain td, .plain th { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; }
.plain th { text-align: left; } .plain td + td { text-align: right; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; width: 460px; }
svg { width: 100%; } .axis { fill: none; stroke: currentColor; } .grid { stroke: var(--line); }
.label { font-size: 11px; fill: currentColor; opacity: .75; } .bar { fill: #3465a4; }
.title { font-size: 13px; font-weight: 600; fill: currentColor; }
figcaption span { margin-right: .9rem; font-size: 12px; }
figcaption i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 17rem; }
summary span { display: inline-block; min-width: 9rem; opacity: .85; }
.sides { width: 100%; table-layout: fixed; margin: .5rem 0; }
.sides { font: 12px/1.35 ui-monospace, monospace; }
.sides td { white-space: pre-wrap; tab-size: 8; vertical-align: top; padding: 0 .5rem; }
.sides th { text-align: left; padding: 0 .5rem; } .gone { background: var(--gone); }
.new { background: var(--new); } .folded td { opacity: .6; text-align: center; }
"""
SCRIPT = """
const filter = document.getElementById("filter");
const entries = [...document.querySelectorAll("details.rewrite")];
function show() {
  const word = filter.value.toLowerCase();
  for (const x of entries) x.hidden = !x.dataset.words.includes(word);
}
if (filter) {
  filter.addEventListener("input", show);
  document.getElementById("open").addEventListener("click", () => {
    const shown = entries.filter((x) => !x.hidden);
    const open = shown.some((x) => !x.open);
    for (const x of shown) x.open = open;
  });
  show();
}
"""
CURVES: tuple[tuple[str, str, bool], ...] = (
    ("reward", "reward", False),
    ("well formed", "well_formed", True),
    ("assembled", "assembled", True),
    ("correct", "correct", True),
    ("changed and correct", "changed_correct", True),
    ("faster", "faster", True),
    ("speedup of what ships (geometric mean)", "speedup", False),
    ("loss", "loss", False),
    ("exact answers", "exact", True),
    ("entropy", "entropy", False),
    ("seconds a step", "seconds", False),
)
"""title, column of the metrics, whether it is a share"""


def render_page(data: RunData) -> str:
    """The whole document."""
    sections = [
        f"<h1>{escape(data.name)}</h1>",
        _curves(data),
        _distributions(data.speedups),
        _evaluation(data.evaluation),
        _counts("Kinds of rewrite", "kind", "right rewrites", data.kinds.most_common()),
        _counts("Verdicts in training", "verdict", "answers", data.verdicts.most_common()),
        _rewrites(data.rewrites),
        _counts("Cost", "", "", data.cost.items()),
        _counts("Settings", "", "", sorted(data.settings.items())),
    ]
    body = "\n".join(x for x in sections if x)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(data.name)}</title>"
        # Without an icon of its own a browser asks for one, and complains.
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n<script>{SCRIPT}</script>\n</body></html>\n"
    )


def _curves(data: RunData) -> str:
    charts = []
    for title, column, share in CURVES:
        series: dict[str, list[tuple[float, float]]] = {}
        for row in data.metrics:
            if column in row:
                point = (float(row["step"]), float(row[column]))
                series.setdefault(str(row["kind"]).replace("-", " out, "), []).append(point)
        charts.append(line_chart(title, series, percent=share))
    shown = "".join(charts)
    return f'<h2>Curves</h2><div class="charts">{shown}</div>' if shown else ""


def _distributions(speedups: Mapping[str, Sequence[float]]) -> str:
    shown = "".join(histogram(label, values) for label, values in speedups.items())
    if not shown:
        return ""
    return f'<h2>Distribution of speedups</h2><div class="charts">{shown}</div>'


def _evaluation(results: Mapping[str, Any] | None) -> str:
    if results is None:
        return ""
    heads = ["system", "answers", "compile pass", "test pass", "25th", "50th", "75th", "average"]
    heads.append("geometric mean")
    parts = []
    for protocol, base in results["control"].items():
        rows = [("A/A: gcc's own against a copy", "–", base)]
        for name, system in results["systems"].items():
            curve = system["protocols"][protocol]["curve"]
            rows += [(name, n, curve[n]) for n in dict.fromkeys(["1", list(curve)[-1]])]
        lines = [
            [
                name,
                count,
                percent(s["compile_pass"]),
                percent(s["test_pass"]),
                *(plain(x) for x in s["percentiles"] or (None,) * 3),
                ratio(s["average"]),
                ratio(s["geometric_mean"]),
            ]
            for name, count, s in rows
        ]
        parts.append(f"<h3>Protocol {escape(protocol)}</h3>{_table(heads, lines)}")
    return f"<h2>Systems</h2>{''.join(parts)}"


def _counts(title: str, name: str, count: str, rows: Iterable[tuple[str, object]]) -> str:
    lines = [[key, str(value)] for key, value in rows]
    return f"<h2>{title}</h2>{_table([name, count], lines)}" if lines else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(x)}</th>" for x in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<table class="plain"><tr>{head}</tr>{body}</table>'


def _rewrites(rewrites: Sequence[Rewrite]) -> str:
    if not rewrites:
        return ""
    parts = []
    for x in rewrites:
        speedup = f"{x.speedup:.2f}×" if x.speedup else "–"
        reward = "" if x.reward is None else f"<span>reward {x.reward:.2f}</span>"
        words = " ".join((x.program, x.origin, x.verdict, *x.kinds)).lower()
        parts.append(
            f'<details class="rewrite" data-words="{escape(words)}"><summary>'
            f"<b>{escape(x.program)}</b><span>{speedup}</span><span>{escape(x.verdict)}</span>"
            f"{reward}<span>{escape(x.origin)}</span><span>{escape(', '.join(x.kinds))}</span>"
            f"</summary>{side_by_side(x.before, x.after)}</details>"
        )
    return (
        "<h2>Programs</h2><p>Open one for both assemblies side by side. "
        '<input id="filter" placeholder="program, verdict, kind"> '
        f'<button id="open">open or close all</button></p>{"".join(parts)}'
    )
