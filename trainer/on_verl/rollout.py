"""Sampling on a CPU for PPO: batched, with a key/value cache, finished answers leave the batch.

:func:`generate` is all of the arithmetic; it knows nothing of verl. :class:`Server` is what verl
calls: it gathers the requests of a step, samples them together and hands out each answer as soon as
it has ended, so that its reward can be found while the others are still being written.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.on_verl.names import CORES_VARIABLE, NUMBER

__all__ = ["Answer", "Server", "Wanted", "generate"]

MOST_AT_ONCE = 64
"""sequences of a batch: more gain little on a CPU, and the cache is copied at every token"""
SHRINK = 0.75
"""the batch is packed again when this share of it or less is still being written"""
GATHER_SECONDS = 0.05
"""a batch starts when no request has come for so long"""


@dataclass(frozen=True)
class Wanted:
    """One answer to be sampled: the prompt's tokens, a temperature (0 is greedy), a length.
    ``number``, its place in its batch, tells it from others to the same prompt."""

    prompt: tuple[int, ...]
    temperature: float
    most: int
    number: int = 0


@dataclass(frozen=True)
class Answer:
    """``tokens`` with the one that ended it, if one did, and the logarithm of each one's
    probability at the temperature that it was sampled at (at 1 for greedy ones)."""

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    ended: bool


def generate(
    model: Any,
    wanted: Sequence[Wanted],
    *,
    ends: frozenset[int],
    pad: int,
    seed: int,
    most_at_once: int = MOST_AT_ONCE,
) -> Iterator[tuple[int, Answer]]:
    """Sample every answer; yields (index in ``wanted``, answer) as they end.

    Prompts of like length are sampled together. What an answer draws depends on ``seed`` and on
    what is wanted alone (equal ones draw otherwise, in their order), not on what else is sampled
    with it: requests come in batches that no run repeats. Probabilities may differ in their last
    bits with the batch and the number of threads.
    """
    draws = _draws(wanted, seed)
    order = sorted(range(len(wanted)), key=lambda x: (len(wanted[x].prompt), x))
    for start in range(0, len(order), most_at_once):
        places = order[start : start + most_at_once]
        yield from _batch(model, wanted, places, ends, pad, draws)


def _draws(wanted: Sequence[Wanted], seed: int) -> list[Any]:
    """For each answer float64 [most] in [0, 1): a number a token."""
    import numpy as np

    seen: Counter[Wanted] = Counter()
    found = []
    for one in wanted:
        key = repr((seed, one.prompt, one.number, seen[one])).encode()
        seen[one] += 1
        digest = hashlib.blake2b(key, digest_size=16).digest()
        found.append(np.random.default_rng(int.from_bytes(digest, "big")).random(one.most))
    return found


def _batch(
    model: Any,
    wanted: Sequence[Wanted],
    places: list[int],
    ends: frozenset[int],
    pad: int,
    draws: Sequence[Any],
) -> Iterator[tuple[int, Answer]]:
    """Rows are left-padded [B, T]; ``alive`` are the rows still being written."""
    import torch

    longest = max(len(wanted[x].prompt) for x in places)
    padded = [[pad] * (longest - len(wanted[x].prompt)) + [*wanted[x].prompt] for x in places]
    current = torch.tensor(padded)
    mask = torch.tensor(
        [[len(wanted[x].prompt) >= longest - n for n in range(longest)] for x in places]
    )
    positions = (mask.long().cumsum(-1) - 1).clamp(min=0)
    temperatures = torch.tensor([wanted[x].temperature for x in places])
    tokens: dict[int, list[int]] = {x: [] for x in places}
    log_probs: dict[int, list[float]] = {x: [] for x in places}
    rows, cache = list(places), None
    alive = [True] * len(rows)
    with torch.inference_mode():
        while True:
            out = model(
                input_ids=current,
                attention_mask=mask.long(),
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = out.past_key_values
            drawn = torch.tensor([draws[x][min(len(tokens[x]), wanted[x].most - 1)] for x in rows])
            chosen, likely = _sample(out.logits[:, -1].float(), temperatures, drawn)
            for row, place in enumerate(rows):
                if not alive[row]:
                    continue
                token = int(chosen[row])
                tokens[place].append(token)
                log_probs[place].append(float(likely[row]))
                if token in ends or len(tokens[place]) >= wanted[place].most:
                    alive[row] = False
                    yield (
                        place,
                        Answer(tuple(tokens[place]), tuple(log_probs[place]), token in ends),
                    )
            if not any(alive):
                return
            mask = torch.cat([mask, torch.ones(len(rows), 1, dtype=torch.bool)], 1)
            current, positions = chosen[:, None], positions[:, -1:] + 1
            if sum(alive) <= SHRINK * len(rows):
                kept = torch.tensor([row for row, living in enumerate(alive) if living])
                cache.batch_select_indices(kept)
                current, mask, positions = current[kept], mask[kept], positions[kept]
                temperatures = temperatures[kept]
                rows = [place for place, living in zip(rows, alive, strict=True) if living]
                alive = [True] * len(rows)


def _sample(logits: Any, temperatures: Any, drawn: Any) -> tuple[Any, Any]:
    """int64 [B] tokens and float32 [B] log-probabilities from logits [B, V], with ``drawn`` float64
    [B] in [0, 1): the token in whose part of the probabilities, laid end to end, it falls."""
    import torch

    greedy = temperatures <= 0
    scale = torch.where(greedy, torch.ones_like(temperatures), temperatures)
    likely = torch.log_softmax(logits / scale[:, None], -1)
    ends = likely.double().exp().cumsum(-1)
    fallen = (ends <= drawn[:, None] * ends[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)
    chosen = torch.where(greedy, likely.argmax(-1), fallen)
    return chosen, likely.gather(1, chosen[:, None])[:, 0]


class Server:
    """A Ray actor that samples; verl's trainer sends requests and, after each step, weights.

    ``model_path`` is a Hugging Face folder, ``most`` the length of an answer where a request does
    not say, ``seed`` that of all sampling.
    """

    def __init__(self, model_path: str, most: int, seed: int = 0) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        cores = {int(x) for x in os.environ.get(CORES_VARIABLE, "").split(",") if x}
        if cores:
            os.sched_setaffinity(0, cores)
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self._model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
        config = self._model.config
        ends = config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])
        self._pad = config.pad_token_id or 0
        self._most = most
        self._seed = seed
        self._step = 0
        self._waiting: list[tuple[Wanted, asyncio.Future[Answer]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def ready(self) -> bool:
        """True once the model is loaded."""
        return True

    async def load_weights(self, weights: dict[str, Any], step: int | None) -> None:
        """Take over new weights. Raises ValueError for a name that the model has not."""
        result = self._model.load_state_dict(weights, strict=False)
        if result.unexpected_keys:
            raise ValueError(f"no such weights: {result.unexpected_keys[:4]}")
        if step is not None:
            self._step = step

    async def generate(
        self,
        request_id: str,
        *,
        prompt_ids: Sequence[int],
        sampling_params: dict[str, Any],
        **others: object,
    ) -> Any:
        """verl's call for one answer; → its ``TokenOutput``."""
        from verl.workers.rollout.replica import TokenOutput

        del request_id, others
        most = sampling_params.get("max_tokens") or sampling_params.get("max_new_tokens")
        wanted = Wanted(
            tuple(prompt_ids),
            float(sampling_params.get("temperature", 1.0) or 0.0),
            int(most or self._most),
            int(sampling_params.get(NUMBER, 0)),
        )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        answer = await future
        return TokenOutput(
            token_ids=list(answer.tokens),
            log_probs=list(answer.log_probs),
            stop_reason="completed",
            extra_fields={"global_steps": self._step},
        )

    async def _work(self) -> None:
        while self._waiting:
            count = -1
            while count != len(self._waiting):
                count = len(self._waiting)
                await asyncio.sleep(GATHER_SECONDS)
            # Requests come in no certain order; sampling must not depend on it.
            batch = sorted(self._waiting, key=lambda x: (x[0].prompt, x[0].number))
            self._waiting = []
            try:
                await asyncio.to_thread(self._generate, batch, asyncio.get_running_loop())
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    def _generate(
        self, batch: list[tuple[Wanted, asyncio.Future[Answer]]], loop: asyncio.AbstractEventLoop
    ) -> None:
        seed = self._seed * 1_000_003 + self._step
        wanted = [x for x, _ in batch]
        for place, answer in generate(
            self._model, wanted, ends=self._ends, pad=self._pad, seed=seed
        ):
            loop.call_soon_threadsafe(batch[place][1].set_result, answer)

    async def sleep(self) -> None:
        """Nothing to give back: there is no accelerator whose memory others want."""

    async def wake_up(self, tags: Sequence[str] | None = None) -> None:
        """As :meth:`sleep`."""

    async def clear_kv_cache(self) -> None:
        """The cache lives as long as a batch."""

    async def release_kv_cache(self) -> None:
        """As :meth:`clear_kv_cache`."""

    async def resume_kv_cache(self) -> None:
        """As :meth:`clear_kv_cache`."""

    async def abort_all_requests(self, reject_request: bool = False) -> dict[str, Any]:
        """verl calls it before it loads weights; by then every answer of a step has come."""
        return {}

    async def resume_generation(self) -> None:
        """Nothing was stopped."""

    async def start_profile(self, **options: object) -> None:
        """No profiler."""

    async def stop_profile(self) -> None:
        """No profiler."""
