"""The figures as Markdown, from what was measured of each project."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.projects.building import BASELINE, CONTROL, VARIANTS
from bench.projects.catalogue import PROJECTS
from gccllm.judge.statistics import speedup

__all__ = ["load", "table"]

Measured = Mapping[str, Any]
"""of one project: "times" by variant, "built" by variant ("seconds", "suite", "told"), "unbuilt" by
variant with the reason, "rounds", "budget", "version" """


def load(folder: Path) -> dict[str, Measured]:
    """What was measured so far, by project, in the catalogue's order."""
    found = {}
    for name in PROJECTS:
        path = folder / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text())
    return found


def table(measured: Mapping[str, Measured]) -> Iterator[str]:
    """The lines of the section."""
    others = [x for x in VARIANTS if x != BASELINE]
    yield f"| project | {BASELINE}, s | {' | '.join(others)} |"
    yield f"| --- | ---: | {' | '.join('---:' for _ in others)} |"
    for name, one in measured.items():
        base = one["times"][BASELINE]
        cells = [_cell(one, x) for x in others]
        yield f"| {name} {one['version']} | {median(base):.2f} | {' | '.join(cells)} |"
    yield ""
    yield from _goals(measured)
    yield ""
    yield from _efforts(measured)
    reasons = {
        (x, why) for one in measured.values() for x, why in one["unbuilt"].items() if x in VARIANTS
    }
    if reasons:
        yield ""
    for variant, why in sorted(reasons):
        yield f"Not there: {variant}: {why}."


def _ratio(one: Measured, variant: str) -> float | None:
    times = one["times"].get(variant)
    return median(_ratios(one, variant)) if times else None


def _ratios(one: Measured, variant: str) -> list[float]:
    pairs = zip(one["times"][BASELINE], one["times"][variant], strict=True)
    return [a / b for a, b in pairs]


def _cell(one: Measured, variant: str) -> str:
    if variant not in one["times"]:
        return "–"
    value = speedup(_ratios(one, variant))
    tests = "" if one["built"].get(variant, {}).get("suite", True) else " tests fail"
    return f"{value.ratio:.2f} ({value.low:.2f}–{value.high:.2f}){tests}"


def _goals(measured: Mapping[str, Measured]) -> Iterator[str]:
    """Against gcc -O3 with the same instructions, and against the best other command line."""
    yield "| gcc-llm | slowest project | median project | median against the best other build |"
    yield "| --- | ---: | ---: | ---: |"
    for name in (x for x in VARIANTS if x.startswith("gcc-llm")):
        ratios, beside = [], []
        for one in measured.values():
            own = _ratio(one, name)
            if own is None:
                continue
            ratios.append(own)
            beside.append(own / max(_others(one, wider=VARIANTS[name].isa != "target")))
        if ratios:
            yield f"| {name} | {min(ratios):.2f} | {median(ratios):.2f} | {median(beside):.2f} |"


def _others(one: Measured, *, wider: bool) -> Sequence[float]:
    """Of builds that are no gcc-llm; those for this machine only where that is fair."""
    names = [
        x
        for x, variant in VARIANTS.items()
        if variant.kind != "gccllm" and x != CONTROL and (wider or not variant.wider)
    ]
    return [x for x in (_ratio(one, name) for name in names) if x is not None]


def _efforts(measured: Mapping[str, Measured]) -> Iterator[str]:
    yield "| project | variant | made in | searched | accepted | assurance | own tests |"
    yield "| --- | --- | ---: | ---: | --- | --- | --- |"
    for name, one in measured.items():
        for variant, built in one["built"].items():
            told = built["told"]
            if not told:
                continue
            share = told.get("considered")
            accepted = [x["function"] for x in told["functions"] if x["assurance"]]
            words = [
                name,
                variant,
                f"{built['seconds']:.0f} s",
                "" if share is None else f"{share:.0%}",
                ", ".join(accepted) or f"nothing ({told['reason']})",
                told["assurance"] or "–",
                f"{'pass' if built['suite'] else 'FAIL'}: {PROJECTS[name].suite_is}",
            ]
            yield f"| {' | '.join(words)} |"
