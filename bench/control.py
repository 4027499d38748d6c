"""A/A benchmark: how often does the rule of acceptance call an identical program faster?

    .venv/bin/python -m bench.control --trials 200

Each trial is the judge's whole timing: first measurement with early stopping, then the fresh one
that has to confirm it. Prints both counts; exit status 1 when a trial was accepted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from gccllm.judge.control import control_trial, workload
from gccllm.judge.statistics import speedup
from gccllm.judge.timing import Decision, Rule
from gccllm.lanes import lane_cores
from gccllm.sandbox.choice import choose
from gccllm.toolchain import Toolchain


def main() -> int:
    """Run the trials and print a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=600, help="size of the workload")
    arguments = parser.parse_args()
    sandbox, toolchain, rule = choose(), Toolchain(), Rule()
    core = lane_cores()[0]
    first = confirmed = 0
    medians: list[float] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gccllm-control-") as name:
        folder = Path(name)
        program = workload(toolchain, folder, arguments.rounds)
        for trial in range(arguments.trials):
            ratios, decision = control_trial(sandbox, program, folder, core, rule, trial)
            medians.append(speedup(ratios).ratio)
            if decision is Decision.FASTER:
                first += 1
                _, again = control_trial(
                    sandbox, program, folder, core, rule, trial + 1_000_000, early_stop=False
                )
                confirmed += again is Decision.FASTER
    medians.sort()
    print(
        json.dumps(
            {
                "trials": arguments.trials,
                "accepted_at_first": first,
                "accepted": confirmed,
                "median_ratio": round(medians[len(medians) // 2], 4),
                "p99_ratio": round(medians[int(0.99 * (len(medians) - 1))], 4),
                "most": round(medians[-1], 4),
                "sandbox": sandbox.name,
                "seconds": round(time.monotonic() - started, 1),
            }
        )
    )
    return 1 if confirmed else 0


if __name__ == "__main__":
    raise SystemExit(main())
