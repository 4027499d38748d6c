"""Lanes of ``gccllm optimize`` on the nodes of a Ray cluster.

    python -m trainer.optimize_lanes [--address ADDRESS] [--wait SECONDS]

starts ``gccllm lane --forever`` once for every unit of the resource ``gccllm_timing`` that the
cluster has; nodes are started with as many as they have cores for timing. The store (GCCLLM_STORE),
the build and its recordings lie in folders that all nodes see. A lane only works for searches that
run on its own CPU model. Ends, and ends them all, at Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import ray
from ray.exceptions import RayError

from gccllm import process
from gccllm.errors import UsageError
from trainer.on_verl.lanes import TIMING

__all__ = ["lane_command", "main", "start_lanes"]

LONG_SECONDS = 20 * 24 * 3600.0
"""poll(2) counts milliseconds in 31 bits"""
_PASSED_ON = ("GCCLLM_", "XDG_CACHE_HOME", "HOME", "PATH")


def lane_command(wait: float) -> list[str]:
    """What a node runs."""
    return [sys.executable, "-m", "gccllm.cli", "lane", "--wait", str(wait), "--forever"]


def start_lanes(command: Sequence[str], environment: Mapping[str, str]) -> list[ray.ObjectRef]:
    """One for each timing resource of the cluster that is connected; each gives, at its end, exit
    status and stdout. Raises UsageError where the cluster has no such resource."""
    number = int(ray.cluster_resources().get(TIMING, 0))
    if not number:
        raise UsageError(f"no node of the Ray cluster has the resource {TIMING}")
    serve = ray.remote(num_cpus=0, resources={TIMING: 1}, max_retries=-1)(_serve)
    return [serve.remote(list(command), dict(environment)) for _ in range(number)]


def _serve(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    done = process.run(command, timeout=LONG_SECONDS, env={**os.environ, **environment})
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main() -> int:
    """The command line; returns when all lanes have ended, which is never by themselves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--address", default="auto", help="of the Ray cluster")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds between two looks")
    options = parser.parse_args()
    ray.init(address=options.address, log_to_driver=False)
    own = {x: value for x, value in os.environ.items() if x.startswith(_PASSED_ON)}
    lanes = start_lanes(lane_command(options.wait), own)
    print(f"{len(lanes)} lanes", flush=True)
    try:
        with suppress(RayError):
            ray.get(lanes)
    except KeyboardInterrupt:
        for lane in lanes:
            ray.cancel(lane, force=True)
    finally:
        ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
