"""The order of prompts in a run that goes on is that of one that never stopped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

loaders = pytest.importorskip("torchdata.stateful_dataloader")
pytest.importorskip("verl")
SIZE, BATCH, STEPS = 7, 2, 12
EPOCH = SIZE // BATCH


def loader() -> Any:
    """As verl makes it."""
    from omegaconf import OmegaConf
    from verl.trainer.ppo.utils import create_rl_sampler

    data = list(range(SIZE))
    sampler = create_rl_sampler(OmegaConf.create({"shuffle": True, "seed": 3}), data)
    return loaders.StatefulDataLoader(
        dataset=data, batch_size=BATCH, drop_last=True, sampler=sampler, collate_fn=list
    )


def asked(source: Any, began: int) -> tuple[list[list[int]], list[Any]]:
    """The prompts of the steps behind ``began``, and the loader's state after each."""
    prompts: list[list[int]] = []
    states: list[Any] = []
    while began + len(prompts) < STEPS:
        for batch in source:
            prompts.append(batch)
            states.append(source.state_dict())
            if began + len(prompts) == STEPS:
                break
    return prompts, states


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_going_on_is_going_on_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    from verl.trainer.ppo.ray_trainer import RayPPOTrainer

    from trainer.on_verl.parts import keep_order

    def verls(self: Any) -> None:
        if self.global_steps % EPOCH:
            self.train_dataloader.load_state_dict(self.saved)

    monkeypatch.setattr(RayPPOTrainer, "_load_checkpoint", verls)
    keep_order()
    load: Any = vars(RayPPOTrainer)["_load_checkpoint"]
    whole, states = asked(loader(), 0)
    assert whole[:EPOCH] != whole[EPOCH : 2 * EPOCH], "each epoch has an order of its own"
    for began in range(STEPS):
        later = loader()
        load(SimpleNamespace(global_steps=began, train_dataloader=later, saved=states[began - 1]))
        assert asked(later, began)[0] == whole[began:]
