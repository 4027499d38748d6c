# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""The parts that verl loads by name: how an answer is asked for, what it earns, when to stop.

verl's own parts do the rest. ``RegionAgent`` is its single-turn agent, except that a row may ask
for the greedy answer; ``RegionRewards`` is its reward manager, except that special tokens are kept
(``<|keep|>`` is an answer) and that the reward comes from the service beside Ray;
``end_when_asked`` makes its trainer end when the time is over, ``keep_order`` go on with the very
prompts that a run which never stopped would have.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.trainer.ppo.ray_trainer import RayPPOTrainer

from trainer.on_verl.names import (
    NUMBER,
    ROLLOUT,
    SOCKET_VARIABLE,
    STOP_VARIABLE,
    TCP,
    UNTIL_VARIABLE,
)
from trainer.ppo.reward import SCORE_KEYS, unjudged
from trainer.ppo.text import answer_of

__all__ = ["RegionAgent", "RegionRewards", "end_when_asked", "keep_order"]

MOST_LINE = 1 << 20
ASK_SECONDS = 3600.0
"""for one answer, behind all that wait for the same lane"""


class RegionAgent(SingleTurnAgentLoop):
    """One prompt, one answer; ``extra_info["greedy"]`` asks for the likeliest one."""

    async def run(self, sampling_params: dict[str, Any], priority: int = 0, **row: Any) -> Any:
        """See verl's ``AgentLoopBase.run``; ``row`` are the fields of the dataset. ``priority`` is
        the row's place in its batch."""
        if self.rollout_config.name == ROLLOUT:
            sampling_params = {**sampling_params, NUMBER: int(priority)}
        if (row.get("extra_info") or {}).get("greedy"):
            sampling_params = {**sampling_params, "temperature": 0.0, "top_p": 1.0, "top_k": -1}
        return await super().run(sampling_params, priority, **row)


class RegionRewards(RewardManagerBase):
    """Asks the reward service. Never raises: what can't be asked is unjudged."""

    def __init__(
        self, config: Any, tokenizer: Any, compute_score: Any = None, **others: object
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        del others
        self._socket = os.environ[SOCKET_VARIABLE]

    async def run_single(self, data: Any) -> dict[str, Any]:
        """The reward of the one answer in ``data``, with what stands behind it."""
        item = data[-1:][0]
        ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-ids.shape[-1] :].sum())
        task = str(item.non_tensor_batch["reward_model"]["ground_truth"]).split(" ", 1)[-1]
        try:
            answer = self.answer(ids[:length].tolist())
            asked = self._ask({"task": task, "answer": answer})
            found = await asyncio.wait_for(asked, ASK_SECONDS)
        except Exception as error:
            # verl asks again after an exception, and the run stops where one gets through.
            found = unjudged(f"{type(error).__name__}: {error}")
        return {
            "reward_score": float(found["score"]),
            "reward_extra_info": {key: found[key] for key in SCORE_KEYS},
        }

    def answer(self, ids: list[int]) -> str:
        """The text that is judged, of the tokens of an answer."""
        return answer_of(self.tokenizer, ids)

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._socket.startswith(TCP):
            host, port, token = self._socket.removeprefix(TCP).split(" ")
            question = {**question, "token": token}
            reader, writer = await asyncio.open_connection(host, int(port), limit=MOST_LINE)
        else:
            reader, writer = await asyncio.open_unix_connection(self._socket, limit=MOST_LINE)
        try:
            writer.write(json.dumps(question).encode() + b"\n")
            await writer.drain()
            found = json.loads(await reader.readuntil(b"\n"))
        finally:
            writer.close()
        if not isinstance(found, dict) or not set(SCORE_KEYS) <= found.keys():
            raise ValueError("the reward service answered nonsense")
        return found


def end_when_asked() -> None:
    """Give verl's trainer, in this process, a last step: that in which the time is over or it was
    asked to stop. On its own class, for verl's runner has a name of its own for that."""

    def steps(self: Any) -> int:
        """How many steps there are in all; the current one when this is to be the last."""
        step: int = getattr(self, "global_steps", 0)
        until = float(os.environ.get(UNTIL_VARIABLE) or "inf")
        stop = os.environ.get(STOP_VARIABLE)
        if step and (time.time() > until or (stop and Path(stop).exists())):
            return min(step, int(self._steps))
        return int(self._steps)

    def set_steps(self: Any, steps: int) -> None:
        self._steps = steps

    RayPPOTrainer.total_training_steps = property(steps, set_steps)


def keep_order() -> None:
    """Let verl's trainer, in this process, go on from a checkpoint at the end of an epoch with the
    next epoch's order. By itself it begins anew with the first one's there: it does not load the
    state of a loader that is used up."""
    load = "_load_checkpoint"
    original = getattr(RayPPOTrainer, load)

    def loaded(self: Any) -> None:
        original(self)
        epochs, rest = divmod(int(getattr(self, "global_steps", 0)), len(self.train_dataloader))
        if not rest:
            for _ in range(epochs):
                list(self.train_dataloader.sampler)

    setattr(RayPPOTrainer, load, loaded)
