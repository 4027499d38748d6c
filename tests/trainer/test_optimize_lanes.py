"""Lanes of ``gccllm optimize`` as tasks of a Ray cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gccllm.errors import UsageError

ray = pytest.importorskip("ray")


@pytest.mark.slow
def test_every_timing_core_gets_a_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.on_verl.lanes import TIMING
    from trainer.optimize_lanes import lane_command, start_lanes

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    ray.init(
        num_cpus=1, num_gpus=0, resources={TIMING: 2}, include_dashboard=False, log_to_driver=False
    )
    try:
        program = "import os; print(os.environ['GCCLLM_STORE'])"
        lanes = start_lanes([sys.executable, "-c", program], {"GCCLLM_STORE": "/shared"})
        assert ray.get(lanes, timeout=60) == [(0, "/shared\n")] * 2
        # the very command, with nothing to be done; this machine may have one core for timing
        command = [x for x in lane_command(0.0) if x != "--forever"]
        assert (0, "judged 0 layers\n") in ray.get(start_lanes(command, {}), timeout=120)
    finally:
        ray.shutdown()
    ray.init(num_cpus=1, num_gpus=0, include_dashboard=False, log_to_driver=False)
    try:
        with pytest.raises(UsageError, match="no node"):
            start_lanes(["true"], {})
    finally:
        ray.shutdown()
