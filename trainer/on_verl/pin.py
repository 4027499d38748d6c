"""Which verl, and the environment that its processes need. Imports nothing of it."""

from __future__ import annotations

import importlib.metadata

from gccllm.errors import UsageError

__all__ = ["VERSION", "check_version", "cpu_environment"]

VERSION = "0.9.1"
"""trainer/on_verl/cpu.py leans on what is private in verl, so on this version alone"""


def check_version() -> None:
    """Raises UsageError unless verl is installed in exactly :data:`VERSION`."""
    try:
        found = importlib.metadata.version("verl")
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError("verl is missing; pip install 'gccllm[train]'") from error
    if found != VERSION:
        raise UsageError(f"verl {found} is installed; PPO here is made for verl=={VERSION}")


def cpu_environment() -> dict[str, str]:
    """Variables that make verl's processes load the CPU plugin and use it."""
    return {
        "VERL_USE_EXTERNAL_MODULES": "trainer.on_verl.cpu",
        "VERL_USE_EXTERNAL_PLUGINS": "none",
        "VERL_PLATFORM": "cpu",
        # The FSDP engine is registered for cuda and npu; it runs on a CPU all the same.
        "VERL_ENGINE_DEVICE": "cuda",
    }
