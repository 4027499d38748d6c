"""Pairs as tokens, and several of them in each row of a batch.

A pair becomes ``prompt <|answer|> answer <|end|>``; the answer ``keep`` is ``<|keep|>`` alone. Rows
hold whole pairs only. Within a row attention is block-diagonal (no pair sees another) and positions
start from 0 with each pair, so a packed row gives what its pairs give on their own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from trainer.pairs import ANSWER, END, KEEP, Pair

__all__ = [
    "Batch",
    "Encoded",
    "Position",
    "answer_text",
    "batches",
    "collate",
    "digest",
    "encode_pairs",
    "evened",
]

_AT_ONCE = 1024
_MOST_COPIES = 4


@dataclass(frozen=True)
class Encoded:
    """The tokens of one pair; the first ``prompt`` of them (with ``<|answer|>``) are given."""

    tokens: Any
    """1-D uint16 or uint32 array"""
    prompt: int
    pair: Pair

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def keeps(self) -> bool:
        return self.pair.keeps


@dataclass(frozen=True)
class Position:
    """A place in the endless stream of shuffled epochs: ``index`` pairs of ``epoch`` are used."""

    epoch: int = 0
    index: int = 0


@dataclass(frozen=True)
class Batch:
    """Tensors of a batch of R rows and T tokens.

    ``tokens``, ``positions``, ``pieces`` int64 [R, T]: the inputs, their position in their pair,
    and which pair of the row they belong to (-1 is padding). ``targets`` int64 [R, T] are the next
    tokens and ``weights`` float32 [R, T] what each counts: 1 for an answer's, ``prompt_weight``
    for a prompt's, 0 where there is no next token.
    """

    tokens: Any
    positions: Any
    pieces: Any
    targets: Any
    weights: Any
    used: int
    """tokens that are not padding"""

    def mask(self) -> Any:
        """bool [R, 1, T, T], True where a token (row) may attend to another (column).

        Padding attends to itself, so that no row of the mask is empty.
        """
        import torch

        length = self.tokens.shape[1]
        same = self.pieces[:, :, None] == self.pieces[:, None, :]
        causal = torch.ones(length, length, dtype=torch.bool, device=same.device).tril()
        return (same & causal)[:, None]

    def sizes(self) -> list[int]:
        """The tokens of each pair and each row's padding, in order; they add up to R × T."""
        import torch

        marked = self.pieces + (self.pieces.shape[1] + 1) * torch.arange(
            len(self.pieces), device=self.pieces.device
        ).unsqueeze(1)
        return list(torch.unique_consecutive(marked.flatten(), return_counts=True)[1].tolist())

    def to(self, device: str) -> Batch:
        return Batch(
            self.tokens.to(device),
            self.positions.to(device),
            self.pieces.to(device),
            self.targets.to(device),
            self.weights.to(device),
            self.used,
        )


def answer_text(pair: Pair) -> str:
    """What the model has to write after ``<|answer|>``."""
    return (KEEP if pair.keeps else pair.answer) + END


def encode_pairs(tokenizer: Any, pairs: Iterable[Pair], longest: int) -> tuple[list[Encoded], int]:
    """``pairs`` as tokens, and how many were left out because they are over ``longest`` tokens.

    Nothing is ever cut: half a function would teach the wrong thing.
    """
    import numpy as np

    kind = np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32
    found: list[Encoded] = []
    dropped = 0
    for chunk in _chunks(pairs):
        prompts = tokenizer([x.prompt + ANSWER for x in chunk], add_special_tokens=False)
        answers = tokenizer([answer_text(x) for x in chunk], add_special_tokens=False)
        for pair, first, second in zip(
            chunk, prompts["input_ids"], answers["input_ids"], strict=True
        ):
            if len(first) + len(second) > longest:
                dropped += 1
                continue
            found.append(Encoded(np.array(first + second, kind), len(first), pair))
    return found, dropped


def evened(data: Sequence[Encoded], power: float) -> list[Encoded]:
    """``data`` with the pairs of rare families several times: (median / its size) ** ``power``.

    The median is over families; none comes more than four times, or less than once. What is left
    over of a whole number goes to the first pairs of the family.
    """
    sizes = Counter(x.pair.family for x in data if x.pair.family)
    if not power or not sizes:
        return list(data)
    middle = median(sizes.values())
    seen: Counter[str] = Counter()
    found: list[Encoded] = []
    for one in data:
        family = one.pair.family
        times = min(max((middle / sizes.get(family, middle)) ** power, 1.0), _MOST_COPIES)
        more = seen[family] < (times - int(times)) * sizes[family]
        seen[family] += 1
        found += [one] * (int(times) + more)
    return found


def digest(data: Sequence[Encoded]) -> str:
    """sha256 (hex) of all tokens: whether a run is resumed on the data that it began with."""
    summed = hashlib.sha256()
    for pair in data:
        summed.update(len(pair).to_bytes(4, "little"))
        summed.update(pair.prompt.to_bytes(4, "little"))
        summed.update(pair.tokens.tobytes())
    return summed.hexdigest()


def batches(
    data: Sequence[Encoded],
    *,
    rows: int,
    length: int,
    seed: int,
    start: Position,
    prompt_weight: float = 0.0,
    variant: Callable[[int, int], Encoded] | None = None,
) -> Iterator[tuple[Batch, Position]]:
    """Endless batches from ``start`` on, each with the place behind it.

    ``variant``: (index, epoch) → what stands there for that pair of ``data``.

    An epoch's order depends on ``seed`` and its number alone, and a batch on the place where it
    starts, so that a run can go on from a place as if it had never stopped. Pairs are taken in
    order into the first row with room; the first that fits in none begins the next batch.
    """
    import numpy as np

    here = start
    order = np.random.default_rng((seed, here.epoch)).permutation(len(data))
    while True:
        packed: list[list[Encoded]] = [[] for _ in range(rows)]
        room = [length] * rows
        while True:
            if here.index == len(data):
                here = Position(here.epoch + 1, 0)
                order = np.random.default_rng((seed, here.epoch)).permutation(len(data))
            number = int(order[here.index])
            pair = data[number] if variant is None else variant(number, here.epoch)
            row = next((i for i in range(rows) if room[i] >= len(pair)), None)
            if row is None:
                break
            packed[row].append(pair)
            room[row] -= len(pair)
            here = Position(here.epoch, here.index + 1)
        yield collate(packed, length, prompt_weight), here


def collate(packed: Sequence[Sequence[Encoded]], length: int, prompt_weight: float) -> Batch:
    """Rows of pairs as tensors of ``length`` tokens; each row's pairs have to fit."""
    import torch

    shape = (len(packed), length)
    tokens = torch.zeros(shape, dtype=torch.int64)
    positions = torch.zeros(shape, dtype=torch.int64)
    pieces = torch.full(shape, -1, dtype=torch.int64)
    targets = torch.zeros(shape, dtype=torch.int64)
    weights = torch.zeros(shape, dtype=torch.float32)
    used = 0
    for row, pairs in enumerate(packed):
        at = 0
        for number, pair in enumerate(pairs):
            end = at + len(pair)
            ids = torch.from_numpy(pair.tokens.astype("int64"))
            tokens[row, at:end] = ids
            positions[row, at:end] = torch.arange(len(pair))
            pieces[row, at:end] = number
            targets[row, at : end - 1] = ids[1:]
            weights[row, at : end - 1] = 1.0
            weights[row, at : at + pair.prompt - 1] = prompt_weight
            at = end
        used += at
    return Batch(tokens, positions, pieces, targets, weights, used)


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    chunk: list[Pair] = []
    for pair in pairs:
        chunk.append(pair)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
