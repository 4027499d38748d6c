# mypy: disallow-subclassing-any=False
"""``python -m trainer.on_verl.sft CONFIG``: verl's supervised training, one process a GPU.

CONFIG is a JSON file as for :mod:`trainer.on_verl.run`. Run by :mod:`trainer.programs.sft` through
torchrun, which sets RANK and its like.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from verl.trainer.sft_trainer import SFTTrainer
from verl.utils.distributed import initialize_global_process_group

from trainer.on_verl.names import STOP_VARIABLE
from trainer.on_verl.run import compose_config

__all__ = ["Trainer", "main"]


class Trainer(SFTTrainer):
    """verl's, which ends after the step in which it is asked to, and goes on behind it."""

    def _asked_to_stop(self) -> bool:
        """Whether any process saw the file; all have to know, or they wait for each other."""
        stop = os.environ.get(STOP_VARIABLE)
        seen = torch.tensor(int(bool(stop and Path(stop).exists())))
        distributed.all_reduce(seen, op=distributed.ReduceOp.MAX)
        return bool(seen)

    @property
    def total_training_steps(self) -> int:
        """How many steps there are; none are left when it is to end."""
        return 0 if self._asked_to_stop() else self._steps

    @total_training_steps.setter
    def total_training_steps(self, steps: int) -> None:
        self._steps = steps

    def _build_ckpt_handler(self) -> None:
        super()._build_ckpt_handler()
        load, handler = "_load_dataloader_state", self.ckpt_handler
        original = getattr(handler, load)

        def loaded(path: str) -> None:
            # A loader at the end of its epoch is used up, and the next epoch would be left out. Its
            # order follows from its number.
            if int(handler.resume_global_step) % self.steps_per_epoch:
                original(path)

        setattr(handler, load, loaded)


def main(path: Path) -> None:
    """Train as the file says; returns when it is done."""
    overrides: dict[str, Any] = json.loads(path.read_text())
    name = overrides.pop("config")
    config = compose_config(overrides, name, overrides.pop("given", ()))
    if config.trainer.device == "cpu":
        distributed.init_process_group("cpu:gloo")
    else:
        initialize_global_process_group()
    Trainer(config=config).fit()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
