"""make demo: build the example programs with gcc-llm and show what came of it.

Every figure in the table was measured in this very run: speedups over gcc -O3 are medians of
interleaved pairs with their 95% interval, and the control is gcc's program against a copy of
itself in the same pairs (what noise alone is worth).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gccllm.judge.statistics import geometric_mean

ROOT = Path(__file__).resolve().parent.parent
OPTIMIZED = ("optimized", "applied")


def build(source: Path, out: Path, report: Path, arguments: argparse.Namespace) -> None:
    """One example as a user would build it: ``gcc-llm -O3 NAME.c -o NAME``."""
    front = Path(sys.executable).parent / "gcc-llm"
    command = [
        str(front),
        "-O3",
        f"-fllm-isa={arguments.isa}",
        f"-fllm-budget={arguments.budget}",
        f"-fllm-proposers={arguments.proposers}",
        f"-fllm-model={arguments.model}",
        f"-fllm-report={report}",
        str(source),
        "-lm",
        "-o",
        str(out),
    ]
    subprocess.run(command, check=True)


def row(name: str, report: dict[str, Any]) -> list[str]:
    """One line of the table."""
    if report["outcome"] not in OPTIMIZED:
        counts = ", ".join(f"{n} {kind}" for kind, n in report["counts"].items())
        return [name, "", "", "1.00", "", f"gcc's own: {report['reason']}", "", counts]
    functions = [x for x in report["functions"] if x["verdict"] == "accepted"]
    control = report["control"]["speedup"]
    return [
        name,
        f"{1000 * report['baseline_seconds']:.1f}" if report["baseline_seconds"] else "",
        f"{1000 * report['optimized_seconds']:.1f}" if report["optimized_seconds"] else "",
        f"{report['speedup']:.2f} ({report['speedup_low']:.2f}–{report['speedup_high']:.2f})",
        f"{control:.3f}" if control else "",
        "; ".join(f"{x['function']}: {x['label']}" for x in functions),
        "+".join(dict.fromkeys(x["proposer"] for x in functions)),
        ", ".join(f"{n} {kind}" for kind, n in report["counts"].items()),
    ]


def main() -> int:
    """Build, print, and exit 1 if a program was not built or fails its recordings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", help="names of examples [default: all]")
    parser.add_argument("--isa", default="native", choices=["target", "native"])
    parser.add_argument("--budget", default=45.0, type=float, help="seconds a program")
    parser.add_argument("--proposers", default="model,idioms,compilers")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--json", type=Path, help="also write all reports here")
    parser.add_argument("--store", type=Path, help="keep the rewrites here [default: none kept]")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    sources = sorted((ROOT / "examples").glob("*.c"))
    chosen = [x for x in sources if not arguments.programs or x.stem in arguments.programs]
    started = time.monotonic()
    reports: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="gccllm-demo-") as temporary:
        folder = Path(temporary)
        os.environ["GCCLLM_STORE"] = str(arguments.store or folder / "store")
        # Programs are built from a copy, as a user's would be, with the recordings beside them.
        shutil.copytree(ROOT / "examples", folder / "examples")
        for number, source in enumerate(chosen, 1):
            report = folder / f"{source.stem}.json"
            console.print(f"[dim]{number}/{len(chosen)} gcc-llm -O3 {source.name}[/dim]")
            build(folder / "examples" / source.name, folder / source.stem, report, arguments)
            reports[source.stem] = json.loads(report.read_text())
    table = Table(
        "program", "gcc -O3 ms", "gcc-llm ms", "speedup (95%)", "control", "what won", "by",
        "verdicts on candidates",
        title=f"gcc-llm against gcc -O3, -fllm-isa={arguments.isa}",
    )  # fmt: skip
    for name, record in reports.items():
        table.add_row(*row(name, record))
    console.print(table)
    ratios = [x["speedup"] if x["outcome"] in OPTIMIZED else 1.0 for x in reports.values()]
    controls = [x["control"]["speedup"] for x in reports.values() if x["control"]["speedup"]]
    won = sum(1 for x in reports.values() if x["outcome"] in OPTIMIZED)
    console.print(
        f"geometric mean {geometric_mean(ratios):.3f}× over {len(ratios)} programs "
        f"({won} faster, {len(ratios) - won} left as gcc made them)"
    )
    if controls:
        console.print(
            f"control (gcc against itself): geometric mean {geometric_mean(controls):.3f}"
        )
    console.print(f"{time.monotonic() - started:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
