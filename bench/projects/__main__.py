"""gcc-llm on software that people run, beside other compilers, PGO and BOLT, as a Markdown table.

    python -m bench.projects [--projects NAME,…] [--variants NAME,…] [--budget SECONDS]
                             [--proposers NAME,…] [--rounds 20] [--core 1] [--work DIR] [--again]
                             [--write FILE]

A figure is a speedup over gcc -O3: the median over interleaved rounds of user+sys of all timed
runs, with its 95% interval. The workload that trains (recordings, PGO, BOLT) and the inputs that
are timed differ. gcc-llm's program is the one that a later build makes from what the search has
stored.
What was built and measured stays in the work folder, and a run goes on from there: projects can be
measured one by one, variants be added. What can't be had is said in the table.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.headroom import processor, version
from bench.projects.building import VARIANTS, Effort, Unbuilt
from bench.projects.catalogue import PROJECTS
from bench.projects.measuring import Plan, measure
from bench.projects.record import Record, load_all
from bench.projects.table import table
from gccllm.paths import cache_dir
from gccllm.process import run

ROOT = Path(__file__).resolve().parents[2]
FETCH_SECONDS = 300.0


def fetch(package: str) -> tuple[Path, str]:
    """The unpacked Debian source and its version. Raises Unbuilt."""
    script = str(ROOT / "scripts" / "fetch-debian-source")
    done = run([script, package, str(cache_dir() / "sources")], timeout=FETCH_SECONDS)
    if not done.ok:
        raise Unbuilt(done.error_line())
    folder = Path(done.stdout.decode().strip())
    return folder, folder.name.rpartition("-")[2]


def main() -> int:
    """Measure what is named, and print the table of all that was measured so far."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=cache_dir() / "bench-projects")
    parser.add_argument("--projects", default="", metavar="NAME,…", help="as the arguments")
    parser.add_argument("--variants", default=",".join(VARIANTS), metavar="NAME,…")
    parser.add_argument("--budget", type=float, help="of each search (default: the project's own)")
    parser.add_argument("--proposers", default="", metavar="NAME,…", help="of each search")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--again", action="store_true", help="build anew what is there already")
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument(
        "names", nargs="*", metavar="PROJECT", help="default: all; 'none' prints what there is"
    )
    options = parser.parse_args()
    variants = [x.strip() for x in options.variants.split(",")]
    named = [*options.names, *(x.strip() for x in options.projects.split(",") if x.strip())]
    chosen = [x for x in named or PROJECTS if x != "none"]
    for kind, unknown, known in (
        ("variant", [x for x in variants if x not in VARIANTS], VARIANTS),
        ("project", [x for x in chosen if x not in PROJECTS], PROJECTS),
    ):
        if unknown:
            parser.error(f"no {kind} '{unknown[0]}'; there are {', '.join(known)}")
    options.work.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        project = PROJECTS[name]
        budget = project.budget if options.budget is None else options.budget
        effort = Effort(budget, options.proposers)
        plan = Plan(
            variants, effort, options.rounds, options.core, options.work, again=options.again
        )
        try:
            source, release = fetch(project.package)
            measure(name, project, source, release, plan)
        except Unbuilt as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            kept = options.work / f"{name}.json"
            record = Record.load(kept)
            record.failed = str(error)
            record.save(kept)
    head = f"`python -m bench.projects` on {processor()}; {version('gcc')}; {version('clang-19')}."
    text = "\n".join([head, "", *table(load_all(options.work))]) + "\n"
    print(text)
    if options.write is not None:
        options.write.write_text(f"# Projects\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
