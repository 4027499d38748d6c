"""Words between our parts in verl's processes, environment variables most of them."""

from __future__ import annotations

__all__ = [
    "CORES_VARIABLE",
    "NUMBER",
    "ROLLOUT",
    "SOCKET_VARIABLE",
    "STOP_VARIABLE",
    "TCP",
    "UNTIL_VARIABLE",
]

ROLLOUT = "cpu_hf"
"""what verl calls our sampling on a CPU"""
NUMBER = "number"
"""among its sampling parameters: a request's place in its batch"""

CORES_VARIABLE = "GCCLLM_ROLLOUT_CORES"
"""cores for sampling, "0,1": those on which nothing is timed meanwhile"""
SOCKET_VARIABLE = "GCCLLM_REWARD_SOCKET"
"""where the reward service is: a Unix socket's path, or TCP, host, port and token"""
TCP = "tcp "
UNTIL_VARIABLE = "GCCLLM_TRAIN_UNTIL"
"""time.time() after which the step that runs is the last one"""
STOP_VARIABLE = "GCCLLM_TRAIN_STOP"
"""a file; once it is there, the step that runs is the last one"""
