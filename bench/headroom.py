"""What other compilers, flags and hands win over gcc -O3 on examples/, as a Markdown table.

    python bench/headroom.py [--pairs 10] [--core 1] [--write examples/README.md] [NAME ...]

A figure is a speedup on the case ``large``: the median, over interleaved pairs in random order
on one core, of the user+sys time of gcc -O3 by that of the variant. Before it is timed, a
variant must give every recorded output. ``hand`` is examples/hand/NAME.c, a function spliced in
place of the example's own of that name, built as native. ``best`` is the largest figure of a
command line, so not of ``hand``, and ``best target`` of one without -march=native; as everywhere
in gccllm, less than 1.05 counts as 1. The largest of several noisy figures is biased upwards:
``A/A`` times gcc -O3 against itself.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import random
import re
import resource
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gccllm.process import run
from gccllm.recordings import Case, Recording, load

__all__ = ["build", "main", "passes", "splice", "table"]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TIMED_CASE = "large"
BASELINE = ("gcc", "-O3")
NATIVE = ("-O3", "-march=native", "-ffp-contract=off")
CONTROL = "A/A"
PROFILE = "PGO"
HAND = "hand"
LEAST_SPEEDUP = 1.05
RUN_SECONDS = 60.0
BEGIN, END = "<!-- headroom -->", "<!-- /headroom -->"

VARIANTS: Mapping[str, tuple[str, ...]] = {
    CONTROL: BASELINE,
    "O2": ("gcc", "-O2"),
    "novec": ("gcc", "-O3", "-fno-tree-vectorize"),
    "branchy": ("gcc", "-O3", "-fno-if-conversion", "-fno-if-conversion2", "-fno-split-paths"),
    PROFILE: BASELINE,
    "clang": ("clang-19", "-O3"),
    "native": ("gcc", *NATIVE),
    "native512": ("gcc", "-O3", "-march=native", "-mprefer-vector-width=512", "-funroll-loops"),
    "clang native": ("clang-19", *NATIVE),
    HAND: ("gcc", *NATIVE),
}


def splice(source: str, function: str) -> str:
    """C source with function (text that ends in a definition) in place of its namesake.

    Both are in the examples' layout: a definition starts and ends at the first column, its name
    and parameters on the first line. Raises ValueError where there is not exactly one namesake.
    """
    found = re.search(r"^\w[\w *]*?\b(\w+)\(", function, re.MULTILINE)
    if found is None:
        raise ValueError("no function definition at the first column")
    own = re.compile(
        rf"^\w[\w *]*\b{found[1]}\([^;{{]*\)\n\{{\n.*?^\}}\n", re.MULTILINE | re.DOTALL
    )
    changed, count = own.subn(lambda _: function, source)
    if count != 1:
        raise ValueError(f"{count} definitions of {found[1]}")
    return changed


def build(name: str, variant: str, folder: Path) -> Path | None:
    """The executable of a variant in folder; None where there is no such compiler or hand version.

    Raises RuntimeError where the compiler refuses the program.
    """
    command = VARIANTS[variant]
    source = EXAMPLES / f"{name}.c"
    executable = folder / f"{name}.{variant.replace(' ', '-').replace('/', '')}"
    if shutil.which(command[0]) is None:
        return None
    if variant == HAND:
        hand = EXAMPLES / "hand" / source.name
        if not hand.exists():
            return None
        spliced = folder / f"{name}.hand.c"
        spliced.write_text(splice(source.read_text(), hand.read_text()))
        source = spliced
    if variant == PROFILE:
        return build_profiled(source, executable)
    compile_(*command, "-o", str(executable), str(source))
    return executable


def build_profiled(source: Path, executable: Path) -> Path:
    """gcc -O3 with the profile of a run on the timed case."""
    unit = str(executable) + ".o"
    training = str(executable) + ".training"
    compile_(*BASELINE, "-fprofile-generate", "-c", "-o", unit, str(source))
    compile_(*BASELINE, "-fprofile-generate", "-o", training, unit)
    stdin = (source.with_suffix(".tests") / f"{TIMED_CASE}.in").read_bytes()
    run([training], timeout=RUN_SECONDS, stdin=stdin)
    use = ("-fprofile-use", "-Werror=missing-profile")
    compile_(*BASELINE, *use, "-c", "-o", unit, str(source))
    compile_(*BASELINE, "-o", str(executable), unit)
    return executable


def compile_(*argv: str) -> None:
    done = run(argv, timeout=RUN_SECONDS)
    if not done.ok:
        raise RuntimeError(f"{' '.join(argv)}: {done.error_line()}")


def stdin_of(case: Case) -> bytes:
    return case.given.stdin.read_bytes() if case.given.stdin is not None else b""


def passes(executable: Path, recording: Recording) -> bool:
    """Whether the program gives stdout and exit status of every case."""
    for case in recording.cases:
        done = run([str(executable)], timeout=RUN_SECONDS, stdin=stdin_of(case))
        expected = (case.expected.exit_status, case.expected.stdout, False)
        if (done.returncode, done.stdout, done.timed_out) != expected:
            return False
    return True


def cpu_seconds(executable: Path, stdin: bytes) -> float:
    """User+sys time of one run; no other child may end meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run([str(executable)], timeout=RUN_SECONDS, stdin=stdin)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def speedup(
    baseline: Path, variant: Path, stdin: bytes, pairs: int, rng: random.Random
) -> tuple[float, float]:
    """Median of the pairs' ratios, and median seconds of the baseline, after a warm-up of each."""
    cpu_seconds(baseline, stdin)
    cpu_seconds(variant, stdin)
    ratios: list[float] = []
    seconds: list[float] = []
    for _ in range(pairs):
        order = [baseline, variant]
        swapped = rng.random() < 0.5
        times = [cpu_seconds(x, stdin) for x in (order[::-1] if swapped else order)]
        first, second = times[::-1] if swapped else times
        ratios.append(first / second)
        seconds.append(first)
    return statistics.median(ratios), statistics.median(seconds)


def measure(
    name: str, pairs: int, rng: random.Random, folder: Path
) -> tuple[float, dict[str, float]]:
    """Seconds of the baseline, and the speedup of each variant that can be built and is right."""
    recording = load(EXAMPLES / f"{name}.tests")
    stdin = next(stdin_of(x) for x in recording.cases if x.name == TIMED_CASE)
    baseline = folder / f"{name}.baseline"
    compile_(*BASELINE, "-o", str(baseline), str(EXAMPLES / f"{name}.c"))
    if not passes(baseline, recording):
        raise RuntimeError(f"{name}: gcc -O3 does not give the recorded outputs")
    speedups: dict[str, float] = {}
    seconds: list[float] = []
    for variant in VARIANTS:
        executable = build(name, variant, folder)
        if executable is None:
            continue
        if not passes(executable, recording):
            print(f"{name}: {variant} does not give the recorded outputs", file=sys.stderr)
            continue
        speedups[variant], base = speedup(baseline, executable, stdin, pairs, rng)
        seconds.append(base)
    return statistics.median(seconds), speedups


def best(speedups: Mapping[str, float], *, native: bool = True) -> float:
    """The largest speedup of a command line; 1.0 where none is worth having."""
    names = speedups.keys() - {CONTROL, HAND}
    usable = [x for x in names if native or "-march=native" not in VARIANTS[x]]
    largest = max((speedups[x] for x in usable), default=1.0)
    return largest if largest >= LEAST_SPEEDUP else 1.0


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def table(measured: Mapping[str, tuple[float, Mapping[str, float]]]) -> list[str]:
    """The lines of the Markdown table; a dash where a variant does not exist."""

    def cell(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    def bests(speedups: Mapping[str, float]) -> tuple[float, float]:
        return best(speedups, native=False), best(speedups)

    rows = [
        ["example", "ms", *VARIANTS, "best target", "best"],
        ["---", *["---:"] * (len(VARIANTS) + 3)],
    ]
    for name, (seconds, speedups) in measured.items():
        cells = [cell(speedups.get(x)) for x in VARIANTS]
        rows.append([name, f"{seconds * 1e3:.0f}", *cells, *map(cell, bests(speedups))])
    means = []
    for variant in VARIANTS:
        values = [x[variant] for _, x in measured.values() if variant in x]
        means.append(cell(geometric_mean(values)) if len(values) == len(measured) else "")
    overall = map(geometric_mean, zip(*(bests(x) for _, x in measured.values()), strict=True))
    rows.append(["geometric mean", "", *means, *map(cell, overall)])
    return [f"| {' | '.join(row)} |" for row in rows]


def version(compiler: str) -> str:
    done = run([compiler, "--version"], timeout=RUN_SECONDS)
    return done.stdout.decode().partition("\n")[0] if done.ok else f"no {compiler}"


def processor() -> str:
    """The CPU's own name, or the architecture where /proc does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1] if found else platform.machine()


def main() -> int:
    """Measure, print the table, and put it between the markers of the --write file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("names", nargs="*", help="examples (default: all)")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    rng = random.Random(1)
    measured: dict[str, tuple[float, Mapping[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or sorted(x.stem for x in EXAMPLES.glob("*.c")):
            measured[name] = measure(name, options.pairs, rng, Path(folder))
            print(table({name: measured[name]})[2], file=sys.stderr, flush=True)
    command = f"python bench/headroom.py --pairs {options.pairs}"
    lines = [
        f"`{command}` on {processor()}; {version('gcc')}; {version('clang-19')}.",
        "",
        *table(measured),
    ]
    print("\n".join(lines))
    if options.write is not None:
        before, _, rest = options.write.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{options.write}: no lines {BEGIN} and {END}")
        text = "\n".join([before + BEGIN, *lines, END + after])
        options.write.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
