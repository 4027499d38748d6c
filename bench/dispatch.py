"""What the run-time check of ``-fllm-isa=dispatch`` costs a call: nanoseconds over the same code
without one, measured side by side in one process.

Four copies of a function that does next to nothing: without a check, the same again (control), with
a check that the processor passes (the new version runs), with one that it fails (gcc's runs). Each
is called in a chain (each call waits for the last) and in a row (calls overlap), in turns, in an
order drawn anew for each round; times are CPU time.

    python -m bench.dispatch --rounds 40 --json dispatch.json
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.dispatching.placing import Placed, place
from gccllm.dispatching.processor import CHECKABLE
from gccllm.toolchain import Toolchain

__all__ = ["GOAL_NS", "KINDS", "Row", "measure"]

GOAL_NS = 1.0
KINDS = ("plain", "control", "passes", "fails")
ALIGNED = "-falign-functions=64"
"""where code lies would decide more than a check does"""
WORK = "unsigned long %s(unsigned long x) { return x * 3 + 1; }\n"
MAIN = """#include <stdio.h>
#include <stdlib.h>
#include <time.h>
%(declared)s
static volatile unsigned long sink;
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}
#define BOTH(f) static void time_##f(long n) { \\
    unsigned long x = 1, sum = 0; \\
    double start = now(); \\
    for (long i = 0; i < n; i++) x = f(x); \\
    double middle = now(); \\
    for (long i = 0; i < n; i++) sum += f(i); \\
    double end = now(); \\
    sink = x + sum; \\
    printf("%%.4f %%.4f\\n", (middle - start) / n, (end - middle) / n); }
%(timed)s
int main(int argc, char **argv) {
    long n = atol(argv[1]);
    for (int i = 2; i < argc; i++) switch (atoi(argv[i])) {
%(cases)s
    }
    return 0;
}
"""


@dataclass(frozen=True)
class Row:
    """One kind called in one manner. ``ns`` a call (median of the rounds); ``over_ns`` the median
    of the rounds' differences from ``plain`` and ``low``, ``high`` its interval at 95%
    (bootstrap); ``ratio`` the quotient of the medians."""

    kind: str
    manner: str
    rounds: int
    ns: float
    over_ns: float
    low: float
    high: float
    ratio: float


def program(folder: Path, toolchain: Toolchain) -> Path:
    """The executable with the four copies. Raises CalledProcessError."""
    here = toolchain.isa("native", ()).features
    needs = {"passes": frozenset({"SSE3"}), "fails": frozenset({min(CHECKABLE - here)})}
    objects = []
    for kind in KINDS:
        argv = [toolchain.cc, "-O3", ALIGNED, "-S", "-x", "c", "-", "-o", "-"]
        source = (WORK % kind).encode()
        base = subprocess.run(argv, input=source, capture_output=True, check=True).stdout.decode()
        done = splice(parse(base), parse(base), [kind], tag="0badcafe")
        if not isinstance(done, Spliced):
            raise RuntimeError(f"{kind}: {done.detail}")
        text = done.text
        if kind in needs:
            placed = place(parse(base), parse(text), {kind: needs[kind]})
            if not isinstance(placed, Placed):
                raise RuntimeError(f"{kind}: {placed.detail}")
            text = placed.text
        out = folder / f"{kind}.o"
        toolchain.assemble(text, out)
        objects.append(str(out))
    source_file = folder / "main.c"
    source_file.write_text(
        MAIN
        % {
            "declared": "\n".join(f"unsigned long {x}(unsigned long);" for x in KINDS),
            "timed": "\n".join(f"BOTH({x})" for x in KINDS),
            "cases": "\n".join(f"    case {i}: time_{x}(n); break;" for i, x in enumerate(KINDS)),
        }
    )
    target = folder / "calls"
    argv = [toolchain.cc, "-O2", ALIGNED, "-falign-loops=64", str(source_file), *objects]
    subprocess.run([*argv, "-o", str(target)], check=True)
    return target


def measure(rounds: int, calls: int, seed: int = 0) -> list[Row]:
    """Run the rounds; two rows a kind."""
    times: dict[tuple[str, str], list[float]] = {}
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="gccllm-") as name:
        target = program(Path(name), Toolchain())
        for _ in range(rounds):
            order = rng.sample(range(len(KINDS)), len(KINDS))
            argv = [str(target), str(calls), *map(str, order)]
            done = subprocess.run(argv, capture_output=True, check=True, text=True)
            for number, line in zip(order, done.stdout.splitlines(), strict=True):
                for manner, value in zip(("chain", "row"), line.split(), strict=True):
                    times.setdefault((KINDS[number], manner), []).append(float(value))
    return [_row(kind, manner, times, rng) for manner in ("chain", "row") for kind in KINDS]


def _row(
    kind: str, manner: str, times: dict[tuple[str, str], list[float]], rng: random.Random
) -> Row:
    mine, plain = times[kind, manner], times["plain", manner]
    over = [x - y for x, y in zip(mine, plain, strict=True)]
    medians = sorted(statistics.median(rng.choices(over, k=len(over))) for _ in range(2000))
    ratio = statistics.median(mine) / statistics.median(plain)
    middle = statistics.median(over)
    return Row(
        kind, manner, len(mine), statistics.median(mine), middle, medians[50], medians[1949], ratio
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; 1 where a check costs more than the goal."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=5_000_000, help="of each kind in a round")
    parser.add_argument("--json", type=Path, help="write the rows to a file")
    given = parser.parse_args(arguments)
    rows = measure(given.rounds, given.calls)
    print(f"{'calls':8}{'version':10}{'ns':>8}{'over, ns':>10}{'95%':>18}{'ratio':>8}")
    for row in rows:
        interval = f"{row.low:.3f} to {row.high:.3f}"
        print(
            f"{row.manner:8}{row.kind:10}{row.ns:8.3f}{row.over_ns:10.3f}{interval:>18}"
            f"{row.ratio:8.3f}"
        )
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(x) for x in rows], indent=1) + "\n")
    worst = max(x.over_ns for x in rows if x.kind in ("passes", "fails"))
    print(f"at most {worst:.3f} ns a call; the goal is {GOAL_NS:g}")
    return 1 if worst > GOAL_NS else 0


if __name__ == "__main__":
    raise SystemExit(main())
