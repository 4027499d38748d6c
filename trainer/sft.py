"""Supervised training of the embedded model: pairs in, a model folder out, top to bottom.

Plain next-token training: Muon (:mod:`trainer.optimiser`), warm-up and cosine, gradients clipped,
packed rows (:mod:`trainer.packing`), loss on answers only unless ``prompt_weight`` says otherwise.
What differs from the usual recipe: the schedule runs over the share of the budget that is spent,
whether that is steps, tokens or hours; validation counts exact answers without generating any,
because a greedy answer is exactly right if and only if every token of it is the most likely one
after those before.

The folder ``out``: ``checkpoint.pt`` (everything needed to go on), ``metrics.jsonl``,
``tensorboard/``, ``curve.png`` and, at the end, ``model/``. The same command goes on where the
last checkpoint was made, and with a budget of steps or tokens ends with the same bits as if it had
never stopped (same machine, same number of threads). With hours the schedule follows the clock.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from gccllm.errors import GccllmError, UsageError
from trainer import tokenizer as tokenizers
from trainer.attention import use_packed, uses_packed
from trainer.folders import replace_file
from trainer.metrics import Metrics
from trainer.model import create, load_model, parameters, save_model, size_of
from trainer.optimiser import Optimiser
from trainer.packing import Batch, Encoded, Position, batches, collate, digest, encode_pairs, evened
from trainer.pairs import SPLITS, read_pairs
from trainer.plots import learning_curve
from trainer.recasting import recasting

__all__ = ["Budget", "Settings", "Spent", "answer_loss", "schedule", "train", "validate"]

CHECKPOINT = "checkpoint.pt"
_FORMAT = 2
_ROUND = 512
_LEAST = 0.05
"""the learning rate at the schedule's ends, as a share of its peak"""


@dataclass(frozen=True)
class Spent:
    """What a run has used: optimiser steps, tokens without padding, seconds of training."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Budget:
    """How long to train; exactly one of the three is given."""

    steps: int | None = None
    tokens: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        given = [x for x in (self.steps, self.tokens, self.hours) if x is not None]
        if len(given) != 1 or given[0] <= 0:
            raise UsageError("give a budget: one of --steps, --tokens and --hours, more than 0")

    def share(self, spent: Spent) -> float:
        """How much of it is spent, from 0; 1 or more is all."""
        if self.steps is not None:
            return spent.steps / self.steps
        if self.tokens is not None:
            return spent.tokens / self.tokens
        return spent.seconds / (3600.0 * (self.hours or 1.0))


@dataclass(frozen=True)
class Settings:
    """A run. ``learning_rate``, ``rows`` and ``length`` are the size's own if None.

    ``warmup`` is a share of the budget, ``sample`` how many pairs of each split validation uses.
    ``every`` is the number of steps between validations, each followed by a checkpoint.
    ``recast``: the share of pairs that are varied, anew each epoch (:mod:`trainer.recasting`).
    ``even``: how far pairs of rare families come more often (:func:`trainer.packing.evened`).
    ``precision`` is "bf16" (autocast, fp32 weights) or "fp32". ``init`` is a model folder to start
    from instead of random weights.
    """

    data: Path
    tokenizer: Path
    out: Path
    budget: Budget
    size: str = "mini"
    init: Path | None = None
    learning_rate: float | None = None
    rows: int | None = None
    length: int | None = None
    warmup: float = 0.02
    weight_decay: float = 0.1
    clip: float = 1.0
    prompt_weight: float = 0.0
    recast: float = 0.0
    even: float = 0.0
    precision: str = "bf16"
    seed: int = 0
    every: int = 100
    sample: int = 256

    def identity(self) -> str:
        """All that decides on the weights, but for the data, as JSON; see ``_resume``."""
        harmless = ("data", "tokenizer", "out", "every", "sample")
        chosen = {k: v for k, v in asdict(self).items() if k not in harmless}
        return json.dumps(chosen, default=str, sort_keys=True)


def train(
    settings: Settings,
    *,
    stop: Callable[[int], bool] = lambda step: False,
    say: Callable[[str], None] = lambda line: None,
) -> Spent:
    """Train until the budget is spent, or ``stop(step)`` is true after a step; → what was spent.

    Either way a checkpoint is left; only a run that is done leaves ``model/``. ``say`` gets lines
    for a person. Raises UsageError for settings, data or a checkpoint that can't be used, and
    GccllmError if the loss is no longer a number.
    """
    import torch

    size = size_of(settings.size)
    rows, length = settings.rows or size.rows, settings.length or size.length
    if length > size.shape["max_position_embeddings"]:
        raise UsageError(f"--length {length} is more than the model can attend to")
    device = "cuda" if torch.cuda.is_available() else "cpu"

    # Data: all pairs in memory, as tokens and as text.
    tokenizer = tokenizers.load(settings.tokenizer)
    data, dropped = encode_pairs(tokenizer, read_pairs(settings.data, "train"), length)
    if not data:
        raise UsageError(f"no pairs of the split train in {settings.data} fit in {length} tokens")
    held = _held_samples(settings, tokenizer, length)
    say(f"{len(data)} pairs, {sum(map(len, data))} tokens; {dropped} too long, left out")
    data = evened(data, settings.even)

    model = load_model(settings.init) if settings.init else create(size, tokenizer, settings.seed)
    if model.config.vocab_size != len(tokenizer):
        raise UsageError(f"{settings.init} was made with another tokeniser")
    model = model.to(device).train()
    if device == "cpu":
        use_packed(model)
    optimiser = Optimiser(model, weight_decay=settings.weight_decay)
    peak = settings.learning_rate or size.learning_rate
    torch.manual_seed(settings.seed)
    say(f"{parameters(model)} weights on {device}, {settings.precision}")

    # Where the last checkpoint was made, or the beginning.
    fingerprint = {"settings": settings.identity(), "data": digest(data)}
    settings.out.mkdir(parents=True, exist_ok=True)
    checkpoint = settings.out / CHECKPOINT
    spent, position = Spent(), Position()
    if checkpoint.exists():
        spent, position = _resume(checkpoint, fingerprint, model, optimiser)
        say(f"going on from step {spent.steps}")
    before, started = spent.seconds, time.monotonic()
    stream = batches(
        data,
        rows=rows,
        length=length,
        seed=settings.seed,
        start=position,
        prompt_weight=settings.prompt_weight,
        variant=recasting(
            tokenizer, data, share=settings.recast, seed=settings.seed, longest=length
        ),
    )

    with Metrics(settings.out, spent.steps) as metrics:
        halted = False
        while settings.budget.share(spent) < 1 and not halted:
            share = settings.budget.share(spent)
            rate = peak * schedule(share, settings.warmup)
            batch, position = next(stream)
            loss = answer_loss(model, batch.to(device), settings.precision)
            loss.backward()
            norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip))
            if not math.isfinite(norm):
                raise GccllmError(f"step {spent.steps + 1}: the loss is not a number; lower --lr")
            optimiser.step(rate)
            now = before + time.monotonic() - started
            row: dict[str, float] = {
                "loss": float(loss.detach()),
                "lr": rate,
                "norm": norm,
                "filled": batch.used / (rows * length),
                "tokens_per_second": batch.used / max(now - spent.seconds, 1e-9),
            }
            spent = Spent(spent.steps + 1, spent.tokens + batch.used, now)
            metrics.add("train", spent.steps, spent.tokens, row)
            halted = stop(spent.steps)
            done = settings.budget.share(spent) >= 1
            if spent.steps % settings.every == 0 or done or halted:
                say(f"step {spent.steps}: loss {row['loss']:.3f}, {share:.0%} of the budget")
                for split, sample in held.items():
                    found = validate(model, sample, rows, length, settings.precision)
                    metrics.add(split, spent.steps, spent.tokens, found)
                    say(f"  {split}: loss {found['loss']:.3f}, exact {found['exact']:.1%}")
                _save(checkpoint, fingerprint, model, optimiser, spent, position)

    learning_curve(settings.out / "metrics.jsonl", settings.out / "curve.png")
    if settings.budget.share(spent) >= 1:
        save_model(model, tokenizer, settings.out / "model")
    return spent


def schedule(share: float, warmup: float) -> float:
    """The learning rate as a share of its peak when ``share`` of the budget is spent."""
    if share < warmup:
        return _LEAST + (1 - _LEAST) * share / warmup
    rest = min((share - warmup) / max(1 - warmup, 1e-9), 1.0)
    return _LEAST + (1 - _LEAST) * (1 + math.cos(math.pi * rest)) / 2


def answer_loss(model: Any, batch: Batch, precision: str) -> Any:
    """Weighted mean cross-entropy (nats a token) of a batch, as a tensor with gradients."""
    import torch

    weights = batch.weights[batch.weights > 0]
    losses = torch.nn.functional.cross_entropy(
        _logits(model, batch, precision), batch.targets[batch.weights > 0], reduction="none"
    )
    return (losses * weights).sum() / weights.sum()


def validate(
    model: Any, sample: Sequence[Encoded], rows: int, length: int, precision: str
) -> dict[str, float]:
    """Over ``sample``: ``loss`` (nats an answer token), ``exact`` (share of answers that greedy
    decoding gets right), ``exact_changed`` and ``exact_kept`` (of those that are not, or are,
    ``keep``; left out where there are none)."""
    import torch

    total, count = 0.0, 0
    right: dict[bool, list[bool]] = {False: [], True: []}
    model.eval()
    with torch.inference_mode():
        for packed in _in_rows(sample, rows, length):
            batch = collate(packed, length, 0.0).to(str(model.device))
            logits = _logits(model, batch, precision)
            wanted = batch.targets[batch.weights > 0]
            total += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
            count += len(wanted)
            hits = torch.ones_like(batch.tokens, dtype=torch.bool)
            hits[batch.weights > 0] = logits.argmax(-1) == wanted
            for row, pairs in enumerate(packed):
                for number, pair in enumerate(pairs):
                    right[pair.keeps].append(bool(hits[row][batch.pieces[row] == number].all()))
    model.train()
    both = right[False] + right[True]
    found = {"loss": total / max(count, 1), "exact": sum(both) / max(len(both), 1)}
    for name, kept in (("exact_changed", False), ("exact_kept", True)):
        if right[kept]:
            found[name] = sum(right[kept]) / len(right[kept])
    return found


def _logits(model: Any, batch: Batch, precision: str) -> Any:
    """float32 [N, vocabulary] for the N places that count; the head is not run for the others."""
    import torch

    kind = str(batch.tokens.device.type)
    packed = uses_packed(model)
    apart = {"piece_sizes": batch.sizes()} if packed else {"attention_mask": batch.mask()}
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=precision == "bf16"):
        hidden = model.model(
            input_ids=batch.tokens,
            position_ids=batch.positions,
            use_cache=False,
            **apart,
        ).last_hidden_state
        chosen = (batch.weights > 0).flatten().nonzero().squeeze(1)
        # Padded: for every new size oneDNN generates code, which takes its time, and keeps it.
        count = len(chosen)
        padded = torch.nn.functional.pad(chosen, (0, -count % _ROUND))
        return model.lm_head(hidden.flatten(0, 1)[padded])[:count].float()


def _held_samples(settings: Settings, tokenizer: Any, length: int) -> dict[str, list[Encoded]]:
    """A fixed sample of every split that is there and not trained on."""
    import numpy as np

    found: dict[str, list[Encoded]] = {}
    for split in SPLITS:
        if split == "train":
            continue
        pairs, _ = encode_pairs(tokenizer, read_pairs(settings.data, split), length)
        if pairs:
            order = np.random.default_rng(0).permutation(len(pairs))[: settings.sample]
            found[split] = [pairs[int(i)] for i in order]
    return found


def _in_rows(sample: Sequence[Encoded], rows: int, length: int) -> list[list[list[Encoded]]]:
    """``sample`` in its order as batches of rows of pairs."""
    packed: list[list[Encoded]] = [[]]
    room = length
    for pair in sample:
        if len(pair) > room:
            packed.append([])
            room = length
        packed[-1].append(pair)
        room -= len(pair)
    return [packed[i : i + rows] for i in range(0, len(packed), rows)]


def _save(
    path: Path,
    fingerprint: Mapping[str, str],
    model: Any,
    optimiser: Optimiser,
    spent: Spent,
    position: Position,
) -> None:
    import torch

    content = {
        "format": _FORMAT,
        "fingerprint": dict(fingerprint),
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "spent": asdict(spent),
        "position": asdict(position),
        "random": torch.get_rng_state(),
    }
    replace_file(path, lambda part: torch.save(content, part))


def _resume(
    path: Path, fingerprint: Mapping[str, str], model: Any, optimiser: Optimiser
) -> tuple[Spent, Position]:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != _FORMAT:
            raise UsageError(f"{path} was written by another version; give another --out")
        for name, value in fingerprint.items():
            if content["fingerprint"][name] != value:
                raise UsageError(f"{path} is of a run with other {name}; give another --out")
        model.load_state_dict(content["model"])
        optimiser.load_state_dict(content["optimiser"])
        torch.set_rng_state(content["random"])
        return Spent(**content["spent"]), Position(**content["position"])
    except (
        OSError,
        EOFError,
        UnpicklingError,
        RuntimeError,
        LookupError,
        TypeError,
        ValueError,
    ) as x:
        why = (str(x).splitlines() or [type(x).__name__])[0]
        raise UsageError(f"{path} can't be read: {why}; give another --out") from x
