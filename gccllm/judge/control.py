"""A/A: the timing rule on identical programs. What it calls faster there is noise.

Used by ``gccllm doctor`` (is this machine quiet enough?) and by the benchmark that counts false
accepts over hundreds of trials.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from gccllm import process
from gccllm.errors import ToolchainError
from gccllm.judge.timing import Decision, Rule, TimedCase, measure
from gccllm.sandbox.base import RunInput, RunLimits, RunResult, Sandbox
from gccllm.toolchain import Toolchain

__all__ = ["control_ratios", "control_trial", "workload"]

# About 20 ms of branches, loads and integer work, not to be optimised away.
_SOURCE = """
#include <stdio.h>
static unsigned table[4096];
int main(int argc, char **argv) {
    unsigned x = 12345u + (unsigned)argc, sum = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 4096; i++) {
            x = x * 1103515245u + 12345u;
            table[(x >> 16) & 4095] += x >> 8;
            if (table[i] & 64) sum += table[i] % 7; else sum ^= x;
        }
    printf("%u %s\\n", sum, argv[0] ? "" : "-");
    return 0;
}
"""


def workload(toolchain: Toolchain, folder: Path, rounds: int = 600) -> Path:
    """Build the program whose copies are compared. Raises ToolchainError."""
    source, out = folder / "workload.c", folder / "workload"
    source.write_text(_SOURCE)
    argv = [toolchain.cc, "-O2", f"-DROUNDS={rounds}", str(source), "-o", str(out)]
    done = process.run(argv, timeout=60.0)
    if not done.ok:
        raise ToolchainError(f"can't build the timer's workload: {done.error_line()}")
    return out


def control_ratios(
    toolchain: Toolchain, sandbox: Sandbox, folder: Path, core: int | None, pairs: int
) -> list[float]:
    """Per-pair ratios of a program against a copy of itself, without early stopping."""
    program = workload(toolchain, folder)
    ratios, _ = control_trial(sandbox, program, folder, core, Rule(), 0, pairs, early_stop=False)
    return ratios


def control_trial(
    sandbox: Sandbox,
    program: Path,
    folder: Path,
    core: int | None,
    rule: Rule,
    seed: int,
    pairs: int | None = None,
    *,
    early_stop: bool = True,
) -> tuple[list[float], Decision]:
    """One trial of the rule on two copies of a program: the ratios and what it decided."""
    copy = folder / "copy"
    if not copy.exists():
        shutil.copy2(program, copy)

    def check(case: int, result: RunResult) -> str:
        return "" if result.code == 0 and case == 0 else f"status {result.code}"

    programs = {"baseline": program, "candidate": copy}
    with sandbox.open(programs, [RunInput()], limits=RunLimits(), core=core) as session:
        measured, decision = measure(
            session,
            "baseline",
            "candidate",
            [TimedCase(0)],
            check,
            rule,
            random.Random(seed),
            most_pairs=pairs,
            early_stop=early_stop,
        )
    return measured.ratios, decision
