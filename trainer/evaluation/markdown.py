"""Figures as markdown tables, for people and for docs/RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer.evaluation.cells import percent, plain, ratio, table

__all__ = ["render_markdown"]

SETS = {
    "valid": "New samples of families that are trained on",
    "heldout-family": "Families that no training pair comes from",
    "heldout-package": "Functions of packages that no training pair comes from",
    "examples": "Programs of examples/",
}
COLUMNS = {
    "well_formed": "well-formed",
    "assembles": "assembles",
    "links": "links",
    "passes": "passes",
    "equal": "equal",
    "correct": "correct",
    "faster": "faster",
}


def render_markdown(results: Mapping[str, Any]) -> str:
    """The document of what :func:`trainer.evaluation.evaluate.evaluate` gives."""
    parts = [_settings(results)]
    for name, title in SETS.items():
        found = results["raw"].get(name)
        if found:
            parts.append(_raw_set(name, title, found))
    for name, title in SETS.items():
        product = results["product"].get(name)
        if product:
            parts.append(_product_set(title, product))
    return "\n".join(parts)


def _settings(results: Mapping[str, Any]) -> str:
    lines = ["# Results of one evaluation", ""]
    lines += [f"- {key}: `{value}`" for key, value in sorted(results["settings"].items())]
    lines += [
        "",
        "Rates in percent with 95% bootstrap intervals over programs. *Correct*: passes every"
        " recording (where there is a program) and is equal to gcc's own lines on at least 1,000"
        " random and edge states. *Faster*: correct, and at least 1.05 times as fast in each of"
        " five interleaved pairs' interval.",
        "",
    ]
    return "\n".join(lines)


def _raw_set(name: str, title: str, found: Mapping[str, Any]) -> str:
    lines = [f"## {title} (`{name}`)", ""]
    if found["left_out"]:
        shown = ", ".join(f"{n} {why}" for why, n in sorted(found["left_out"].items()))
        lines += [f"Left out: {shown}.", ""]
    for samples, systems in found["at"].items():
        stages = [x for x in COLUMNS if any(x in s["of_rewrites"] for s in systems.values())]
        lines += [f"### At {samples} sample{'s' if samples != '1' else ''}", ""]
        heads = ["system", "questions", "programs", "rewrites", *(COLUMNS[x] for x in stages)]
        rows = []
        for system, s in systems.items():
            shares = (percent(s["of_rewrites"].get(x)) for x in stages)
            counts = (s["questions"], s["programs"], s["rewrites"])
            rows.append([system, *map(str, counts), *shares])
        lines += [f"Of {'rewrites' if samples == '1' else 'questions with a rewrite'}:", ""]
        lines += [*table(heads, rows), ""]
        heads = ["system", "improved", "kept", "kept rightly", "exact", "exact of rewrites"]
        keys = ("improved", "kept", "kept_rightly", "exact", "exact_rewrites")
        rows = [[n, *(percent(s[k]) for k in keys)] for n, s in systems.items()]
        lines += ["Of all questions:", "", *table(heads, rows), ""]
        if any(s["compile_pass"] for s in systems.values()):
            heads = ["system", "compile pass", "test pass", "25th", "50th", "75th", "average"]
            rows = [
                [
                    n,
                    percent(s["compile_pass"]),
                    percent(s["test_pass"]),
                    *(plain(x) for x in s["percentiles"] or (None,) * 3),
                    ratio(s["average_speedup"]),
                ]
                for n, s in systems.items()
            ]
            lines += ["The paper's metrics (failures and slower ones count as 1.0×):", ""]
            lines += [*table(heads, rows), ""]
        rows = [
            [n, ", ".join(f"{c} {k}" for k, c in s["kinds"].items())] for n, s in systems.items()
        ]
        lines += ["Verdicts:", "", *table(["system", "answers"], rows), ""]
    if found["families"]:
        lines += _families(found["families"])
    return "\n".join(lines)


def _families(systems: Mapping[str, Any]) -> list[str]:
    """One row a family: for each system rewrites, correct ones, faster ones, and their speedup."""
    asked = {name: x for name, x in systems.items() if any(f["rewrites"] for f in x.values())}
    rows = []
    for family in sorted({f for x in asked.values() for f in x}):
        row = [family]
        for found in asked.values():
            f = found[family]
            shown = f"{f['rewrites']} / {f['correct']} / {f['faster']}"
            row.append(shown + (f", {f['speedup']:.2f}×" if f["speedup"] else ""))
        rows.append(row)
    title = "By family, first answers: rewrites / correct / faster, median speedup of correct ones:"
    return [title, "", *table(["family", *asked], rows), ""] if rows else []


def _product_set(title: str, product: Mapping[str, Any]) -> str:
    heads = ["proposers", "programs", "accepted", "geometric mean", "25th", "50th", "75th"]
    heads += ["average", "control (A/A)"]
    rows = []
    for name, s in product["summary"].items():
        rows.append(
            [
                name,
                str(s["programs"]),
                percent(s["accepted"]),
                ratio(s["geometric_mean"]),
                *(plain(x) for x in s["percentiles"] or (None,) * 3),
                ratio(s["average"]),
                ratio(s["control"]),
            ]
        )
    lines = [f"## {title}: gcc-llm", "", "Speedup over gcc, programs left alone count as 1.", ""]
    lines += [*table(heads, rows), ""]
    columns = list(product["summary"])
    rows = [
        [program, *(_speedup(entries.get(x)) for x in columns)]
        for program, entries in sorted(product["programs"].items())
    ]
    lines += [*table(["program", *columns], rows), ""]
    return "\n".join(lines)


def _speedup(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "–"
    if not entry["accepted"]:
        return "1"
    return f"{entry['speedup']:.2f} ({entry['low']:.2f}–{entry['high']:.2f})"
