"""The embedded model's cost: to load it, and to ask it 8 times about a function of some 60 lines.

    python -m bench.model [--model DIR] [--samples 8] [--runs 5] [--threads 1 2]

CPU seconds are user+sys of a fresh process, its children (the assembler) included, so what one
link pays without ``gccllm serve``. ``region``: the innermost loop alone; ``function``: all regions
that the proposer asks about, the samples shared among them as it does. The goals are 0.5 s to load,
0.5 CPU seconds to answer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gccllm.asm.unit import parse
from gccllm.families.layouts import layouts
from gccllm.process import run
from gccllm.proposers.answer_assembly import AnswerAssembler
from gccllm.proposers.answers import Sampling
from gccllm.proposers.decoding import Decoder
from gccllm.proposers.mini import TEMPERATURE, UNLIKELY, ask, questions
from gccllm.proposers.weights import FOLDER, check, present
from gccllm.toolchain import Toolchain

GOAL_LOAD, GOAL_CPU = 0.5, 0.5
LEVEL = "x86-64-v3"
SOURCE = """
int f(const unsigned *a, int n, unsigned key) {
    int found = 0;
    for (int i = 0; i < n; i++) {
        unsigned x = a[i];
        int bits = 0;
        while (x) { bits += x & 1; x >>= 1; }
        if (bits > 7) found += bits;
        unsigned y = a[i] ^ key;
        while (y >= 10) { found += y % 10; y /= 10; }
    }
    return found;
}
"""


def cpu() -> float:
    """user+sys of this process and its children so far."""
    used = [resource.getrusage(x) for x in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(x.ru_utime + x.ru_stime for x in used)


def prompts() -> tuple[list[str], int]:
    """What the proposer would ask about the function, and the function's instructions."""
    tools = Toolchain()
    argv = [tools.cc, "-O3", "-fno-tree-vectorize", "-S", "-x", "c", "-", "-o", "-"]
    unit = parse(run(argv, timeout=60.0, stdin=SOURCE.encode()).stdout.decode())
    with tempfile.TemporaryDirectory(prefix="gccllm-bench-") as folder:
        asked = questions(layouts(tools, unit, "f", Path(folder) / "unit.o"), LEVEL)
    lines = sum(unit.lines[i].startswith("\t") for i in unit.functions["f"].indices())
    return [x.prompt.text for x in asked], lines


def child(folder: Path, samples: int, threads: int, asked: list[str]) -> dict[str, float]:
    """Load and answer in this process; the caller has made it for that."""
    before, started = cpu(), time.perf_counter()
    check(folder)
    decoder = Decoder(folder, assembles=AnswerAssembler(Toolchain()).faults, threads=threads)
    found = {"load_cpu": cpu() - before, "load_wall": time.perf_counter() - started}
    before, started = cpu(), time.perf_counter()
    ask(decoder, asked, Sampling(samples, temperature=TEMPERATURE, least=UNLIKELY))
    found |= {"cpu": cpu() - before, "wall": time.perf_counter() - started}
    return found | {x: float(decoder.counts[x]) for x in ("tokens", "repaired", "given-up")}


def main() -> int:
    """Print a table; exit status 1 where one thread, as in the product, misses a goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, default=FOLDER)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        asked = json.loads(sys.stdin.read())
        print(json.dumps(child(chosen.model, chosen.samples, chosen.threads[0], asked)))
        return 0
    if not present(chosen.model):
        print(f"no weights in {chosen.model}: nothing to measure")
        return 0
    asked, lines = prompts()
    print(f"function of {lines} lines, {len(asked)} regions, {chosen.samples} samples")
    print(
        f"{'asked':10}{'threads':>8}{'load s':>9}{'load CPU':>10}{'s':>8}{'CPU s':>8}{'tokens':>8}"
    )
    missed = False
    for threads in chosen.threads:
        for name, texts in (("region", asked[:1]), ("function", asked)):
            argv = [sys.executable, "-m", "bench.model", "--child", name, "--model"]
            argv += [str(chosen.model), "--samples", str(chosen.samples)]
            rows = [
                json.loads(
                    subprocess.run(
                        [*argv, "--threads", str(threads)],
                        input=json.dumps(texts),
                        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
                        text=True,
                        check=True,
                        stdout=subprocess.PIPE,
                    ).stdout
                )
                for _ in range(chosen.runs)
            ]
            middle = {x: statistics.median(row[x] for row in rows) for x in rows[0]}
            print(
                f"{name:10}{threads:8}{middle['load_wall']:9.3f}{middle['load_cpu']:10.3f}"
                f"{middle['wall']:8.3f}{middle['cpu']:8.3f}{middle['tokens']:8.0f}"
            )
            over = middle["load_wall"] > GOAL_LOAD or middle["cpu"] > GOAL_CPU
            missed |= over and threads == 1
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
