"""make demo: build the example programs with gcc-llm and show what came of it.

Each program is built as a user would build it, from an empty store: the embedded model, the
templates (idioms) and other compilers' code are asked, as gcc-llm does by default; --alone asks
each of them alone, too. Every figure in the table was measured in this very run: speedups over
gcc -O3 are medians of interleaved pairs with their 95% interval, and the control is gcc's program
against a copy of itself in the same pairs (what noise alone is worth). The assurance is what
examining each rewrite came to (see docs/ASSURANCE.md). Programs and store stay in build/demo.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gccllm.judge.statistics import geometric_mean

ROOT = Path(__file__).resolve().parent.parent
OPTIMIZED = ("optimized", "applied")
SHORT = ("popcount", "strhash", "primes", "collatz", "quickselect", "closest", "digits", "floyd")
"""what is built unless other names or --all are given: a few minutes"""
ALONE = ("model", "idioms", "compilers")
TOGETHER = ",".join(ALONE)
Report = dict[str, Any]


def build(
    source: Path, out: Path, report: Path, proposers: str, arguments: argparse.Namespace
) -> None:
    """One example as a user would build it: ``gcc-llm -O3 NAME.c -o NAME``."""
    front = Path(sys.executable).parent / "gcc-llm"
    command = [
        str(front),
        "-O3",
        f"-fllm-isa={arguments.isa}",
        f"-fllm-budget={arguments.budget}",
        f"-fllm-assurance={arguments.assurance}",
        f"-fllm-proposers={proposers}",
        f"-fllm-model={arguments.model}",
        f"-fllm-report={report}",
        str(source),
        "-lm",
        "-o",
        str(out),
    ]
    subprocess.run(command, check=True)


def told(report: Report) -> str:
    """What came of one build, in a line."""
    if report["outcome"] not in OPTIMIZED:
        return f"left as gcc made it: {report['reason']}"
    won = [x for x in report["functions"] if x["verdict"] == "accepted"]
    names = "; ".join(f"{x['proposer']}: {x['label']}" for x in won)
    return f"{report['speedup']:.2f} times as fast, {report['assurance']} ({names})"


def short(report: Report) -> str:
    """A cell: the speedup, or nothing where gcc's own was kept."""
    return f"{report['speedup']:.2f}" if report["outcome"] in OPTIMIZED else "–"


def row(name: str, reports: dict[str, Report], alone: Sequence[str], last: str) -> list[str]:
    """One line of the table."""
    cells = [name, *(short(reports[x]) for x in alone)]
    report = reports[last]
    counts = ", ".join(f"{n} {kind}" for kind, n in report["counts"].items())
    if report["outcome"] not in OPTIMIZED:
        return [*cells, "1.00", "", "", f"gcc's own: {report['reason']}", counts]
    functions = [x for x in report["functions"] if x["verdict"] == "accepted"]
    control = report["control"]["speedup"]
    return [
        *cells,
        f"{report['speedup']:.2f} ({report['speedup_low']:.2f}–{report['speedup_high']:.2f})",
        f"{control:.3f}" if control else "",
        report["assurance"],
        "; ".join(f"{x['proposer']}: {x['function']}: {x['label']}" for x in functions),
        counts,
    ]


def summary(name: str, reports: Sequence[Report]) -> str:
    """How one list of proposers did."""
    won = [x for x in reports if x["outcome"] in OPTIMIZED]
    ratios = [x["speedup"] for x in won] + [1.0] * (len(reports) - len(won))
    controls = [x["control"]["speedup"] for x in won if x["control"]["speedup"]]
    noise = f", control {geometric_mean(controls):.3f}" if controls else ""
    levels = Counter(x["assurance"] for x in won)
    reached = ", ".join(f"{n} {level}" for level, n in sorted(levels.items()))
    return (
        f"{name}: geometric mean {geometric_mean(ratios):.3f}× over {len(ratios)} programs, "
        f"{len(won)} faster, {len(ratios) - len(won)} left as gcc made them{noise}"
        f"{f'; {reached}' if reached else ''}"
    )


def main() -> int:
    """Build, print, and exit 1 if a program was not built or fails its recordings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", help="names of examples [default: some]")
    parser.add_argument("--all", action="store_true", help="all examples: about ten minutes")
    parser.add_argument(
        "--alone", action="store_true", help="each proposer alone, too: takes four times as long"
    )
    parser.add_argument("--isa", default="native", choices=["target", "native"])
    parser.add_argument("--budget", default=60.0, type=float, help="seconds a build")
    parser.add_argument("--assurance", default="fuzzed", help="what a rewrite needs")
    parser.add_argument("--proposers", default=TOGETHER, help="who is asked")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--json", type=Path, help="also write all reports here")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "demo", help="made anew")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    sources = sorted((ROOT / "examples").glob("*.c"))
    names = arguments.programs or ([x.stem for x in sources] if arguments.all else SHORT)
    unknown = sorted(set(names) - {x.stem for x in sources})
    if unknown:
        parser.error(f"no such example: {', '.join(unknown)}")
    chosen = [x for x in sources if x.stem in names]
    last = arguments.proposers
    alone = ALONE if arguments.alone else ()
    started = time.monotonic()
    reports: dict[str, dict[str, Report]] = {}
    out = arguments.out
    shutil.rmtree(out, ignore_errors=True)
    # Programs are built from a copy, as a user's would be, with the recordings beside them.
    shutil.copytree(ROOT / "examples", out)
    for number, source in enumerate(chosen, 1):
        reports[source.stem] = {}
        for proposers in (*alone, last):
            # What one list found must not be there for the next to apply.
            os.environ["GCCLLM_STORE"] = str(store := out / f"store-{proposers.replace(',', '-')}")
            began = time.monotonic()
            asked = f", {proposers} alone" if proposers in alone else ""
            console.print(f"[dim]{number}/{len(chosen)}[/dim] gcc-llm -O3 {source.name}{asked} …")
            report = out / f"{source.stem}.json"
            build(out / source.name, out / source.stem, report, proposers, arguments)
            found = reports[source.stem][proposers] = json.loads(report.read_text())
            console.print(f"    {told(found)}, {time.monotonic() - began:.0f} s")
    table = Table(
        "program", *(f"{x} alone" for x in alone), "together" if alone else "speedup", "control",
        "assurance", "what won", "verdicts on candidates",
        title=f"speedup over gcc -O3, -fllm-isa={arguments.isa}",
    )  # fmt: skip
    for name, records in reports.items():
        table.add_row(*row(name, records, alone, last))
    console.print(table)
    for proposers in (*alone, last):
        console.print(summary(proposers, [x[proposers] for x in reports.values()]))
    console.print(f"{time.monotonic() - started:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=1) + "\n")
    won = [x for x in reports if reports[x][last]["outcome"] in OPTIMIZED]
    if won:
        explain = Path(sys.executable).parent / "gccllm"
        console.print(f"see a rewrite: GCCLLM_STORE={store} {explain} explain {out / won[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
