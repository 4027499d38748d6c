"""A model in this very process, by transformers: on a GPU where torch sees one, else on the CPU.

Spec ``local:DIR-or-hub-name``. Needs the extra ``gccllm[local]``; torch and transformers are
imported when the first candidate is asked for, and the model is loaded once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gccllm.errors import ProposerError
from gccllm.proposers.base import Task
from gccllm.proposers.chat import answer_tokens, as_candidate, messages, temperature
from gccllm.types import Candidate

if TYPE_CHECKING:
    import torch

__all__ = ["LocalProposer"]

BATCH = 8
"""samples generated at once; more only costs memory on the machines this is for"""


class LocalProposer:
    """Asks ``samples`` times: once greedily, then in batches with temperature.

    The n-th batch is seeded with n, so the same task gives the same candidates on one machine.
    """

    name = "model"
    refines = True

    def __init__(self, model: str) -> None:
        self.model = model
        self._loaded: _Model | None = None

    def propose(self, task: Task) -> Iterator[Candidate]:
        """Raises ProposerError when the packages are missing, the model can't be loaded, or the
        prompt leaves no room for an answer."""
        turns = messages(task, self.name)
        if turns is None or task.samples < 1:
            return
        warm = temperature()
        if self._loaded is None:
            self._loaded = _Model(self.model)
        done = 0
        while done < task.samples and time.monotonic() < task.deadline:
            count = 1 if done == 0 else min(BATCH, task.samples - done)
            heat = 0.0 if done == 0 else warm
            start = time.monotonic()
            answers = self._loaded.answers(
                turns, count, heat, answer_tokens(task), task.deadline, seed=done
            )
            seconds = (time.monotonic() - start) / count
            for answer, truncated in answers:
                done += 1
                kind = "greedy" if done == 1 else f"temperature {warm:g}"
                yield as_candidate(
                    task,
                    self.name,
                    answer,
                    label=f"sample {done} ({kind})",
                    seconds=seconds,
                    truncated=truncated,
                )


class _Model:
    """A loaded model and its tokenizer. torch and transformers have no types we could rely on."""

    def __init__(self, name: str) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise ProposerError(
                f"local:{name}: {error.name} is not installed: pip install 'gccllm[local]'"
            ) from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(name, dtype="auto")
            self._model: Any = model.to(device).eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ProposerError(f"local:{name} can't be loaded: {reason[0][:300]}") from error
        self._device = device
        self._end = self._tokenizer.eos_token_id

    def answers(
        self,
        turns: list[dict[str, str]],
        count: int,
        heat: float,
        most: int,
        deadline: float,
        *,
        seed: int,
    ) -> list[tuple[str, bool]]:
        """``count`` answers of at most ``most`` tokens, each with whether it was cut short (by
        that limit, by the model's context, or by the deadline)."""
        import torch
        import transformers

        prompt = self._encode(turns)
        length = int(prompt.shape[1])
        context = getattr(self._model.config, "max_position_embeddings", length + most)
        room = min(most, context - length)
        if room < 1:
            raise ProposerError(
                f"local:{self._model.name_or_path}: the prompt takes {length} tokens of a context "
                f"of {context}; it leaves no room for an answer"
            )

        def late(ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
            over = time.monotonic() >= deadline
            return torch.full((ids.shape[0],), over, device=ids.device, dtype=torch.bool)

        sampling = {"do_sample": True, "temperature": heat} if heat > 0 else {"do_sample": False}
        torch.manual_seed(seed)
        with torch.inference_mode():
            out = self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=room,
                num_return_sequences=count,
                pad_token_id=self._end if self._end is not None else 0,
                stopping_criteria=transformers.StoppingCriteriaList([late]),
                **sampling,
            )
        return [self._decode(row[length:].tolist()) for row in out]

    def _encode(self, turns: list[dict[str, str]]) -> Any:
        if getattr(self._tokenizer, "chat_template", None):
            text = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        else:
            text = "\n".join(turn["content"] for turn in turns)
        ids = self._tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        return ids.to(self._device)

    def _decode(self, ids: list[int]) -> tuple[str, bool]:
        ends = self._ends()
        stop = next((i for i, token in enumerate(ids) if token in ends), None)
        text = self._tokenizer.decode(ids if stop is None else ids[:stop], skip_special_tokens=True)
        return text, stop is None

    def _ends(self) -> set[int]:
        """Every token that ends an answer: chat models name one more in their generation config."""
        named = getattr(self._model.generation_config, "eos_token_id", None)
        more = named if isinstance(named, list) else [named]
        return {int(token) for token in (self._end, *more) if token is not None}
