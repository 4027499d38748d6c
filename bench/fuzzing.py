"""Program fuzzing measured: runs a second, planted bugs found, false alarms on right variants.

    python -m bench.fuzzing speed [--runs 400] [--rounds 9]
    python -m bench.fuzzing planted [--seeds 3] [--inputs 600]
    python -m bench.fuzzing right [--seconds 10] [--program runs ...] [--alone]

``speed`` runs a program that adds up a few numbers, linked dynamically and statically, one run a
command and many; figures are CPU time (the tool, the runner and the programs), since a shared
machine's wall time says little. ``planted`` fuzzes the wrong variants of tests/assurance/planted,
which their recordings do not find. ``right`` fuzzes gcc's and clang's own variants of examples/
against gcc -O3: each refutation is a false alarm. Witness is gcc -O1 with -fsanitize=undefined,
trapping; ``--alone`` leaves it out.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from gccllm.assurance.fuzz import fuzz
from gccllm.assurance.levels import Standing
from gccllm.recordings import load
from gccllm.sandbox import choose
from gccllm.sandbox.base import RunInput, RunLimits, Sandbox, Trial
from tests.assurance.planted_programs import FOLDER, NAMES, build, record

__all__ = ["main"]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ADDER = r"""
#include <stdio.h>
int main(void)
{
    int n, x;
    long sum = 0;
    if (scanf("%d", &n) != 1)
        return 1;
    while (n-- > 0 && scanf("%d", &x) == 1)
        sum += x;
    printf("%ld\n", sum);
    return 0;
}
"""
VARIANTS = {
    "O1": ("-O1",),
    "O2": ("-O2",),
    "Os": ("-Os",),
    "novec": ("-O3", "-fno-tree-vectorize"),
    "native": ("-O3", "-march=native", "-ffp-contract=off"),
    "unrolled": ("-O3", "-funroll-loops", "-fno-if-conversion"),
}
WITNESS = ("-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")


def _cpu() -> float:
    """User+sys seconds of this process and of the children that have ended."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


def _each(sandbox: Sandbox, program: Path, stdin: Path, runs: int, many: bool) -> float:
    """CPU seconds of one run, the session's start included."""
    began = _cpu()
    inputs = [RunInput(stdin=stdin)]
    with sandbox.open({"adder": program}, inputs, limits=RunLimits()) as session:
        if many:
            trials = [Trial(b"3\n1 2 %d\n" % x) for x in range(runs)]
            answers = [x.stdout for x in session.run_many("adder", trials)]
            assert answers == [b"%d\n" % (x + 3) for x in range(runs)]
        else:
            for _ in range(runs):
                assert session.run("adder", 0).stdout == b"6\n"
    return (_cpu() - began) / runs


def _speed(options: argparse.Namespace, folder: Path) -> None:
    sandbox = choose()
    source = folder / "adder.c"
    source.write_text(ADDER)
    stdin = folder / "in"
    stdin.write_bytes(b"3\n1 2 3\n")
    ways = [(kind, many) for kind in ("dynamic", "static") for many in (False, True)]
    for kind, how in (("dynamic", ()), ("static", ("-static",))):
        command = ["gcc", "-O2", *how, "-o", str(folder / kind), str(source)]
        subprocess.run(command, check=True, timeout=60)
    times: dict[tuple[str, bool], list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for kind, many in ways:  # in turn, so that the machine's moods meet all alike
            times[kind, many].append(_each(sandbox, folder / kind, stdin, options.runs, many))
    print(f"| {sandbox.name} | ms a run, median | least | runs/s, median | most |")
    print("|---|---|---|---|---|")
    for kind, many in ways:
        name = f"{kind}, {'many' if many else 'one'} a command"
        middle, least = median(times[kind, many]), min(times[kind, many])
        figures = f"{1e3 * middle:.2f} | {1e3 * least:.2f} | {1 / middle:.0f} | {1 / least:.0f}"
        print(f"| {name} | {figures} |")


def _planted(options: argparse.Namespace, folder: Path) -> None:
    sandbox = choose()
    found: Counter[str] = Counter()
    for name in NAMES:
        place = folder / name
        place.mkdir()
        right = build(FOLDER / f"{name}.c", place, "right", "-O2")
        wrong = build(FOLDER / f"{name}.c", place, "wrong", "-O2", "-DWRONG")
        recording = record(name, right.executable, place / "recording")
        shown = []
        for seed in range(options.seeds):
            done = fuzz(
                sandbox, right, wrong, recording, seconds=60, seed=seed, inputs=options.inputs
            )
            found[name] += done.standing is Standing.REFUTED
            inputs = done.evidence["inputs"]
            kind = done.evidence.get("kind", "–")
            shown.append(f"{done.standing.value} after {inputs} ({kind}, {done.seconds:.1f} s)")
        print(f"{name}: {'; '.join(shown)}", flush=True)
    total = len(NAMES) * options.seeds
    print(f"{found.total()} of {total} found within {options.inputs} inputs")


def _right(options: argparse.Namespace, folder: Path) -> None:
    sandbox = choose()
    standings: Counter[str] = Counter()
    inputs = 0
    for source in sorted(EXAMPLES.glob("*.c")):
        if options.program and source.stem not in options.program:
            continue
        place = folder / source.stem
        place.mkdir()
        recording = load(EXAMPLES / f"{source.stem}.tests")
        right = build(source, place, "right", "-O3")
        witness = build(source, place, "witness", *WITNESS)
        witnesses = {} if options.alone else {"undefined": witness.executable}
        for name, how in VARIANTS.items():
            other = build(source, place, name, *how)
            done = fuzz(
                sandbox,
                right,
                other,
                recording,
                seconds=options.seconds,
                seed=len(name),
                inputs=options.inputs,
                witnesses=witnesses,
            )
            standings[done.standing.value] += 1
            count = done.evidence["inputs"]
            inputs += count if isinstance(count, int) else 0
            skipped = done.evidence["skipped"]
            answers = done.evidence["distinct_answers"]
            print(
                f"{source.stem} {name}: {done.standing.value}, {count} inputs, {answers} answers, "
                f"{skipped}, {done.seconds:.1f} s"
                + (f": {done.detail}" if done.standing is not Standing.PASSED else ""),
                flush=True,
            )
    print(f"{dict(standings)}; {inputs} inputs compared")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    kinds = parser.add_subparsers(required=True)
    speed = kinds.add_parser("speed")
    speed.add_argument("--runs", type=int, default=400)
    speed.add_argument("--rounds", type=int, default=9)
    speed.set_defaults(measure=_speed)
    planted = kinds.add_parser("planted")
    planted.add_argument("--seeds", type=int, default=3)
    planted.add_argument("--inputs", type=int, default=600)
    planted.set_defaults(measure=_planted)
    right = kinds.add_parser("right")
    right.add_argument("--seconds", type=float, default=10.0)
    right.add_argument("--inputs", type=int, default=600)
    right.add_argument("--program", action="append", help="only these examples")
    right.add_argument("--alone", action="store_true", help="without a witness")
    right.set_defaults(measure=_right)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="gccllm-bench-") as name:
        options.measure(options, Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
