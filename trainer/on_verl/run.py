# mypy: disallow-subclassing-any=False
"""``python -m trainer.on_verl.run CONFIG``: verl's PPO with our parts, in a process of its own.

CONFIG is a JSON file of overrides for verl's ``ppo_trainer`` (dotted key → value), or for the
configuration of ours that its key ``config`` names; ``given`` are Hydra's own overrides. Run by
:mod:`trainer.ppo.verl_process`, which sets the environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError

__all__ = ["compose_config", "main"]

LOOK_SECONDS = 2.0
VERLS_OWN = "ppo_trainer"


def compose_config(
    overrides: Mapping[str, Any], name: str = VERLS_OWN, given: Sequence[str] = ()
) -> Any:
    """verl's own configuration, or one of ours over it (``trainer/configs/NAME.yaml``), with
    ``given`` (Hydra's ``key=value``) and ``overrides``; a key that verl lacks begins with "+".

    Raises AttributeError-like errors of omegaconf for a key that verl lacks without that sign, and
    Hydra's for a ``name`` or a ``given`` that makes no sense.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    # Found, not imported: verl loads plugins when it is.
    spec = importlib.util.find_spec("verl")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise UsageError("verl is missing; pip install 'gccllm[train]'")
    verls = Path(folders[0]) / "trainer" / "config"
    ours = Path(__file__).resolve().parents[1] / "configs"
    with initialize_config_dir(str(verls if name == VERLS_OWN else ours), version_base=None):
        search = [] if name == VERLS_OWN else [f"hydra.searchpath=[file://{verls}]"]
        config = compose(name, overrides=[*search, *given])
    for key, value in overrides.items():
        OmegaConf.update(config, key.lstrip("+"), value, force_add=key.startswith("+"))
    return config


def main(path: Path) -> None:
    """Train as the file says; returns when it is done."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    overrides = json.loads(path.read_text())
    name = overrides.pop("config", VERLS_OWN)
    config = compose_config(overrides, name, overrides.pop("given", ()))

    import ray
    import verl.trainer.main_ppo_v0 as legacy
    from verl.trainer.main_ppo import run_ppo

    runner: Any = legacy.TaskRunner.__ray_metadata__.modified_class

    class Runner(runner):
        """verl's, whose trainer ends when it is asked to and goes on as if it had not."""

        def run(self, config: Any) -> None:
            from trainer.on_verl.parts import end_when_asked, keep_order

            end_when_asked()
            keep_order()
            super().run(config)

    run_ppo(config, task_runner_class=ray.remote(num_cpus=1)(Runner))


def _end_with(parent: int) -> None:
    """Without who started us there are no rewards; Ray's processes end with this one."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
