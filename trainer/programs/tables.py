"""From judged and measured answers to the paper's tables, a line a program, and curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gccllm.types import Json
from trainer.evaluation.cells import percent, plain, ratio, table
from trainer.evaluation.intervals import geometric_mean_of, percentiles, rate
from trainer.folders import replace_file
from trainer.programs.pictures import draw_pictures

__all__ = ["BASELINE", "C_ONLY", "counts_up_to", "prefixes", "results_of", "write_tables"]

BASELINE = "baseline"
"""the key of what gcc's own program was measured to be"""
C_ONLY = ", c-only"
"""ends the names of systems that were not shown the assembly"""
PAPERS_CONTROL = (
    "Clipping at 1 turns noise into speedup: read the paper's averages beside that of the A/A row."
)
CSV = (
    "program system protocol answers compiles passes speedup ratio low high faster verdict control"
)
Entry = Mapping[str, Any]


def counts_up_to(most: int) -> list[int]:
    """1, 2, 4, … and ``most`` itself; nothing for 0."""
    found = []
    count = 1
    while count < most:
        found.append(count)
        count *= 2
    return [*found, most] if most else []


def prefixes(answers: Sequence[Entry]) -> list[int]:
    """How many answers are looked at together: for the curve over the first round, and at the end
    of each round."""
    first = sum(x["round"] == 0 for x in answers)
    rounds = {x["round"] for x in answers}
    ends = [sum(x["round"] <= r for x in answers) for r in rounds]
    return sorted({*counts_up_to(first), *ends})


def best_of(answers: Sequence[Entry], first: int) -> int:
    """The index of the best of the ``first`` answers by a glance; -1 where none is right."""
    right = [i for i, x in enumerate(answers[:first]) if x["passes"]]
    return max(right, key=lambda i: (answers[i]["glance"], -i), default=-1)


def results_of(
    settings: Mapping[str, Json],
    entries: Mapping[str, Entry],
    systems: Sequence[str],
    protocols: Sequence[str],
    ablation: Sequence[str],
) -> dict[str, Any]:
    """What ``results.json`` holds, of the ledger's entries (by "PROGRAM SYSTEM")."""
    programs = [k.removesuffix(f" {BASELINE}") for k in entries if k.endswith(f" {BASELINE}")]
    bases = {x: entries[f"{x} {BASELINE}"] for x in programs}
    dropped = {k.split(" ", 1)[0]: str(x["dropped"]) for k, x in entries.items() if "dropped" in x}
    found: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for system in systems:
        own = {x: entries[f"{x} {system}"] for x in programs if f"{x} {system}" in entries}
        samples = max((_first_round(x) for x in own.values()), default=0)
        rounds = max((x["round"] for e in own.values() for x in e["answers"]), default=0)
        by_protocol: dict[str, Any] = {}
        for protocol in protocols:
            curve = {
                str(n): _summary([_problem(x, n, protocol) for x in own.values()])
                for n in counts_up_to(samples) or [1]
            }
            refined = {
                str(r): _summary([_problem(x, _until(x, r), protocol) for x in own.values()])
                for r in range(1, rounds + 1)
            }
            by_protocol[protocol] = {"curve": curve, "refined": refined}
            for program, entry in own.items():
                rows += _lines(program, system, protocol, entry, bases[program])
        found[system] = {
            "protocols": by_protocol,
            "samples": samples,
            "seconds": round(sum(float(x["seconds"]) for x in own.values()), 1),
            "failures": sorted({x["failure"] for x in own.values() if x["failure"]}),
        }
    controls = {
        x: _summary([_problem_of(base["control"][x]) for base in bases.values()]) for x in protocols
    }
    return {
        "settings": dict(settings),
        "programs": programs,
        "dropped": dropped,
        "systems": found,
        "control": controls,
        "ablation": list(ablation),
        "lines": rows,
    }


def write_tables(out: Path, results: Mapping[str, Any]) -> None:
    """``results.md``, ``programs.csv`` and the pictures, beside ``results.json``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV.split(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(results["lines"])
    replace_file(out / "programs.csv", lambda part: part.write_text(text.getvalue()))
    replace_file(out / "results.md", lambda part: part.write_text(render_tables(results)))
    draw_pictures(out, results)


def render_tables(results: Mapping[str, Any]) -> str:
    """The document for people."""
    lines = ["# Whole programs", ""]
    lines += [f"- {key}: `{x}`" for key, x in sorted(results["settings"].items())]
    lines += [f"- programs: {len(results['programs'])}"]
    lines += [f"- dropped: {name}: {why}" for name, why in sorted(results["dropped"].items())]
    lines += [
        "",
        "Compile pass: assembled, linked, and refused by no gate. Test pass: right on every"
        " recorded test. Failures and what is slower count as 1; so does what leaves gcc's code."
        " Intervals are 95%, by bootstrap over programs.",
        "",
    ]
    for protocol, base in results["control"].items():
        lines += _table_2(protocol, base, results["systems"])
    if results["ablation"]:
        lines += _table_3(results)
    pairs = [x for x in results["systems"] if f"{x}{C_ONLY}" in results["systems"]]
    if pairs:
        lines += _table_4(pairs, results)
    lines += _curves(results)
    for name, system in results["systems"].items():
        lines += [f"- {name}: {x}" for x in system["failures"]]
    return "\n".join(lines) + "\n"


def _table_2(protocol: str, base: Entry, systems: Mapping[str, Any]) -> list[str]:
    about = {
        "paper": "means of 10 sequential runs after 3 warm-ups, clipped at 1 test by test",
        "honest": "the rule of acceptance on fresh interleaved pairs; what it rejects counts as 1",
    }
    heads = ["system", "answers", "compile pass", "test pass", "25th", "50th", "75th", "average"]
    heads += ["geometric mean", "called faster"]
    rows = [["A/A: gcc's own against a copy", "–", *_cells(base)]]
    for name, system in systems.items():
        curve = system["protocols"][protocol]["curve"]
        for count in dict.fromkeys(["1", list(curve)[-1]]):
            rows.append([name, count, *_cells(curve[count])])
    lines = [f"## Table 2, protocol {protocol}", "", f"{about[protocol].capitalize()}.", ""]
    return [*lines, *table(heads, rows), "", *([PAPERS_CONTROL, ""] * (protocol == "paper"))]


def _cells(s: Entry) -> list[str]:
    return [
        percent(s["compile_pass"]),
        percent(s["test_pass"]),
        *(plain(x) for x in s["percentiles"] or (None,) * 3),
        ratio(s["average"]),
        ratio(s["geometric_mean"]),
        percent(s["faster"]),
    ]


def _table_3(results: Mapping[str, Any]) -> list[str]:
    lines = ["## Table 3, rewards", ""]
    for protocol in results["control"]:
        rows = []
        for name in results["ablation"]:
            s = results["systems"][name]["protocols"][protocol]["curve"]["1"]
            rows.append(
                [name, percent(s["compile_pass"]), percent(s["test_pass"]), ratio(s["average"])]
            )
        heads = [f"method ({protocol})", "compile pass", "test pass", "average"]
        lines += [*table(heads, rows), ""]
    return lines


def _table_4(pairs: Sequence[str], results: Mapping[str, Any]) -> list[str]:
    lines = ["## Table 4, with and without gcc's assembly in the prompt", ""]
    for protocol in results["control"]:
        heads = [f"method ({protocol})"]
        heads += [f"{x}, {y}" for x in ("compile", "test", "average") for y in ("with", "without")]
        rows = []
        for name in pairs:
            both = [
                results["systems"][x]["protocols"][protocol]["curve"]["1"]
                for x in (name, f"{name}{C_ONLY}")
            ]
            row = [percent(s["compile_pass"]) for s in both]
            row += [percent(s["test_pass"]) for s in both]
            rows.append([name, *row, *(ratio(s["average"]) for s in both)])
        lines += [*table(heads, rows), ""]
    return lines


def _curves(results: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for protocol in results["control"]:
        for kind, title in (("curve", "Best of N"), ("refined", "After rounds of refinement")):
            found = {n: s["protocols"][protocol][kind] for n, s in results["systems"].items()}
            counts = sorted({int(x) for curve in found.values() for x in curve})
            if (kind == "curve" and counts == [1]) or not counts:
                continue
            rows = [
                [n, *(ratio(c[str(x)]["average"]) if str(x) in c else "–" for x in counts)]
                for n, c in found.items()
                if c
            ]
            heads = ["average speedup", *(str(x) for x in counts)]
            lines += [f"## {title}, protocol {protocol}", "", *table(heads, rows), ""]
    return lines


def _first_round(entry: Entry) -> int:
    return sum(x["round"] == 0 for x in entry["answers"])


def _until(entry: Entry, round_: int) -> int:
    return sum(x["round"] <= round_ for x in entry["answers"])


def _problem(entry: Entry, first: int, protocol: str) -> dict[str, Any]:
    """One program's outcome when the best of the ``first`` answers is taken. A system that goes
    function by function and offers nothing leaves gcc's program, which passes."""
    answers = entry["answers"][:first]
    if not answers:
        kept = not entry["chats"]
        return {"compiles": kept, "passes": kept, "speedup": 1.0, "ratio": 1.0, "faster": False}
    best = best_of(answers, first)
    measured = entry["measured"].get(str(best), {}).get(protocol)
    found = _problem_of(measured or {"speedup": 1.0, "ratio": 1.0, "faster": False})
    return {
        **found,
        "compiles": any(x["compiles"] for x in answers),
        "passes": best >= 0,
        "verdict": answers[max(best, 0)]["verdict"],
    }


def _problem_of(measured: Entry) -> dict[str, Any]:
    return {"compiles": True, "passes": True, **measured}


def _summary(problems: Sequence[Entry]) -> dict[str, Any]:
    """The paper's metrics (section 4, 'Metrics'), and those that are not moved by a few."""
    speedups = [float(x["speedup"]) for x in problems]

    def share(name: str) -> Any:
        return _json(rate([(float(x[name]), 1) for x in problems]))

    return {
        "programs": len(problems),
        "compile_pass": share("compiles"),
        "test_pass": share("passes"),
        "percentiles": percentiles(speedups),
        "average": _json(rate([(x, 1) for x in speedups])),
        "geometric_mean": _json(geometric_mean_of(speedups)),
        "unclipped": _json(geometric_mean_of([max(1e-3, float(x["ratio"])) for x in problems])),
        "faster": share("faster"),
    }


def _lines(
    program: str, system: str, protocol: str, entry: Entry, base: Entry
) -> list[dict[str, Any]]:
    """The CSV's lines: one for each number of answers that was looked at."""
    lines = []
    for first in prefixes(entry["answers"]) or [0]:
        problem = _problem(entry, first, protocol)
        lines.append(
            {
                "program": program,
                "system": system,
                "protocol": protocol,
                "answers": first,
                "verdict": problem.get("verdict", "none"),
                "control": base["control"][protocol]["speedup"],
                **{x: problem.get(x) for x in ("compiles", "passes", "faster")},
                **{x: problem.get(x) for x in ("speedup", "ratio", "low", "high")},
            }
        )
    return lines


def _json(interval: Any) -> dict[str, Any] | None:
    return None if interval is None else vars(interval)
