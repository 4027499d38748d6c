"""gcc-llm on software that people run, beside other compilers, PGO and BOLT, as a Markdown table.

    python -m bench.projects [--work DIR] [--budget SECONDS] [--rounds 20] [--core 1]
                             [--variants NAME,…] [--write FILE] [PROJECT …]

A figure is a speedup over gcc -O3: the median over interleaved rounds of user+sys of all timed
runs, with its 95% interval. The workload that trains (recordings, PGO, BOLT) and the inputs that
are timed differ. gcc-llm's program is the one that a later build makes from what the search has
stored.
What was measured stays in the work folder: projects can be measured one by one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench.headroom import processor, version
from bench.projects.building import (
    BASELINE,
    CONTROL,
    VARIANTS,
    Built,
    Unbuilt,
    build_variant,
    shell,
)
from bench.projects.catalogue import PROJECTS
from bench.projects.inputs import make_inputs
from bench.projects.table import load, table
from bench.projects.timing import interleaved, outputs
from gccllm.paths import cache_dir
from gccllm.process import run

ROOT = Path(__file__).resolve().parents[2]
FETCH_SECONDS = 300.0
TEST_SECONDS = 600.0


def fetch(package: str) -> tuple[Path, str]:
    """The unpacked Debian source and its version. Raises Unbuilt."""
    script = str(ROOT / "scripts" / "fetch-debian-source")
    done = run([script, package, str(cache_dir() / "sources")], timeout=FETCH_SECONDS)
    if not done.ok:
        raise Unbuilt(done.error_line())
    folder = Path(done.stdout.decode().strip())
    return folder, folder.name.rpartition("-")[2]


def measure(
    name: str, variants: list[str], work: Path, budget: float | None, rounds: int, core: int
) -> None:
    """Build all variants of a project, check that they do the same, time them on ``core``; writes
    NAME.json. Leaves this process on that core. Raises Unbuilt where gcc -O3 can't be had."""
    project = PROJECTS[name]
    seconds = project.budget if budget is None else budget
    place = work / name
    inputs = place / "inputs"
    shutil.rmtree(place, ignore_errors=True)
    make_inputs(inputs)
    source, release = fetch(project.package)
    built: dict[str, Built] = {}
    unbuilt: dict[str, str] = {}
    for variant in dict.fromkeys([BASELINE, *(x for x in variants if x != CONTROL)]):
        started = time.monotonic()
        try:
            built[variant] = build_variant(project, variant, source, inputs, place, seconds)
        except Unbuilt as error:
            if variant == BASELINE:
                raise
            unbuilt[variant] = str(error)
        made = built.get(variant)
        said = unbuilt[variant] if made is None else f"tests {'pass' if made.suite else 'fail'}"
        print(f"{name}: {variant}: {time.monotonic() - started:.0f} s: {said}", file=sys.stderr)
        if variant == BASELINE:
            tree = place / "gcc-O3"
            done = shell(project.prepare, tree, {**os.environ, "IN": str(inputs)}, TEST_SECONDS)
            if not done.ok:
                raise Unbuilt(f"inputs: {done.error_line()}")
    programs = {x: one.program for x, one in built.items()}
    expected = outputs(project, programs[BASELINE], inputs)
    for variant in list(programs):
        if outputs(project, programs[variant], inputs) != expected:
            unbuilt[variant] = "gives other outputs"
            del programs[variant]
    if CONTROL in variants:
        copy = place / "control"
        shutil.copy2(programs[BASELINE], copy)
        programs[CONTROL] = copy
    os.sched_setaffinity(0, {core})
    times = interleaved(project, programs, inputs, rounds, seed=1)
    record = {
        "version": release,
        "times": times,
        "built": {x: {**asdict(one), "program": str(one.program)} for x, one in built.items()},
        "unbuilt": unbuilt,
        "rounds": rounds,
        "budget": seconds,
    }
    (work / f"{name}.json").write_text(json.dumps(record, indent=1))


def main() -> int:
    """Measure what is named, and print the table of all that was measured so far."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=cache_dir() / "bench-projects")
    parser.add_argument("--budget", type=float, help="of each search (default: the project's own)")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("projects", nargs="*", help="default: all; 'none' prints what there is")
    options = parser.parse_args()
    variants = [x.strip() for x in options.variants.split(",")]
    unknown = set(variants) - set(VARIANTS)
    if unknown:
        parser.error(f"no variant {sorted(unknown)[0]!r}; there are {', '.join(VARIANTS)}")
    chosen = [x for x in options.projects or PROJECTS if x != "none"]
    wrong = set(chosen) - set(PROJECTS)
    if wrong:
        parser.error(f"no project {sorted(wrong)[0]!r}; there are {', '.join(PROJECTS)}")
    options.work.mkdir(parents=True, exist_ok=True)
    all_cores = os.sched_getaffinity(0)
    for name in chosen:
        try:
            measure(name, variants, options.work, options.budget, options.rounds, options.core)
        except Unbuilt as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
        finally:
            os.sched_setaffinity(0, all_cores)
    measured = load(options.work)
    rounds = sorted({x["rounds"] for x in measured.values()})
    head = (
        f"`python -m bench.projects`, {'/'.join(map(str, rounds))} rounds, on {processor()}; "
        f"{version('gcc')}; {version('clang-19')}."
    )
    text = "\n".join([head, "", *table(measured)]) + "\n"
    print(text)
    if options.write is not None:
        options.write.write_text(f"# Projects\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
