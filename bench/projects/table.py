"""The figures as Markdown, from what was measured of each project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.projects.building import BASELINE, CONTROL, VARIANTS, Built
from bench.projects.catalogue import PROJECTS
from bench.projects.record import Record
from gccllm.judge.statistics import speedup

__all__ = ["table"]


def table(measured: Mapping[str, Record]) -> Iterator[str]:
    """The lines of the section."""
    timed = {name: one for name, one in measured.items() if one.times.get(BASELINE)}
    others = [x for x in VARIANTS if x != BASELINE]
    yield f"| project | rounds | {BASELINE}, s | {' | '.join(others)} |"
    yield f"| --- | ---: | ---: | {' | '.join('---:' for _ in others)} |"
    for name, one in timed.items():
        base = one.times[BASELINE]
        cells = [f"{name} {one.version}", str(len(base)), f"{median(base):.2f}"]
        yield f"| {' | '.join([*cells, *(_cell(one, x) for x in others)])} |"
    yield ""
    yield from _goals(timed)
    yield ""
    yield from _efforts(measured)
    yield from _missing(measured)


def _ratio(one: Record, variant: str) -> float | None:
    return median(_ratios(one, variant)) if one.times.get(variant) else None


def _ratios(one: Record, variant: str) -> list[float]:
    pairs = zip(one.times[BASELINE], one.times[variant], strict=True)
    return [a / b for a, b in pairs]


def _cell(one: Record, variant: str) -> str:
    if not one.times.get(variant):
        return "–"
    value = speedup(_ratios(one, variant))
    made = one.built.get(variant)
    tests = "" if made is None or made.suite else " tests fail"
    return f"{value.ratio:.2f} ({value.low:.2f}–{value.high:.2f}){tests}"


def _goals(measured: Mapping[str, Record]) -> Iterator[str]:
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


def _others(one: Record, *, wider: bool) -> Sequence[float]:
    """Of builds that are no gcc-llm; those for this machine only where that is fair."""
    names = [
        x
        for x, variant in VARIANTS.items()
        if variant.kind != "gccllm" and x != CONTROL and (wider or not variant.wider)
    ]
    return [x for x in (_ratio(one, name) for name in names) if x is not None]


def _efforts(measured: Mapping[str, Record]) -> Iterator[str]:
    """What each build took, what the project's tests say to it, and what gcc-llm found."""
    yield "| project | variant | made in | own tests | budget | searched | accepted | assurance |"
    yield "| --- | --- | ---: | --- | ---: | ---: | --- | --- |"
    for name, one in measured.items():
        for variant in (x for x in VARIANTS if x in one.built):
            made = one.built[variant]
            tests = f"{'pass' if made.suite else 'FAIL'}: {PROJECTS[name].suite_is}"
            tests += f"; the same on {made.elsewhere}" if made.elsewhere else ""
            words = [name, variant, f"{made.seconds:.0f} s", tests, *_found(made)]
            yield f"| {' | '.join(words)} |"


def _found(made: Built) -> tuple[str, str, str, str]:
    """Budget, share of the run time that was searched, what was accepted, how sure it is."""
    told = made.told
    if made.effort is None or not told:
        return "", "", "", ""
    budget = f"{made.effort.budget:.0f} s {made.effort.proposers}".strip()
    share = told.get("considered")
    functions = told.get("functions")
    records = [x for x in functions if isinstance(x, dict)] if isinstance(functions, list) else []
    accepted = [str(x["function"]) for x in records if x.get("assurance")]
    return (
        budget,
        f"{share:.0%}" if isinstance(share, float) else "",
        ", ".join(accepted) or f"nothing ({told.get('reason')})",
        str(told.get("assurance") or "–"),
    )


def _missing(measured: Mapping[str, Record]) -> Iterator[str]:
    """Whatever could not be had, with its reason."""
    lines = [f"{name}: {one.failed}" for name, one in measured.items() if one.failed]
    lines += [
        f"{name}, {variant}: {why}"
        for name, one in measured.items()
        for variant, why in one.unbuilt.items()
    ]
    if lines:
        yield ""
        yield "Not there:"
        yield ""
        yield from (f"- {' '.join(line.split())}" for line in lines)
