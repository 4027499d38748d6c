"""Packed rows: every pair once an epoch, and each as if it stood alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainer.attention import use_packed
from trainer.packing import Position, batches, collate, digest, encode_pairs, evened
from trainer.pairs import read_pairs

ROWS, LENGTH = 4, 256


@pytest.fixture
def tokenizer(tokenizer_folder: Path) -> Any:
    from trainer.tokenizer import load

    return load(tokenizer_folder)


def test_a_pair_as_tokens(tokenizer: Any, data: Path) -> None:
    pairs = list(read_pairs(data))
    encoded, dropped = encode_pairs(tokenizer, pairs, 10_000)
    assert (len(encoded), dropped) == (len(pairs), 0)
    for pair, tokens in zip(pairs, encoded, strict=True):
        answer = "<|keep|>" if pair.keeps else pair.answer
        assert tokenizer.decode(tokens.tokens) == f"{pair.prompt}<|answer|>{answer}<|end|>"
        assert tokenizer.decode(tokens.tokens[: tokens.prompt]) == f"{pair.prompt}<|answer|>"


def test_long_pairs_are_left_out_whole(tokenizer: Any, data: Path) -> None:
    pairs = list(read_pairs(data))
    every, _ = encode_pairs(tokenizer, pairs, 10_000)
    limit = sorted(len(x) for x in every)[len(every) // 2]
    some, dropped = encode_pairs(tokenizer, pairs, limit)
    assert len(some) + dropped == len(pairs)
    assert digest(some) == digest([x for x in every if len(x) <= limit]) != digest(every)


def test_an_epoch_has_every_pair_once(tokenizer: Any, data: Path) -> None:
    encoded, _ = encode_pairs(tokenizer, read_pairs(data), LENGTH)
    stream = batches(encoded, rows=ROWS, length=LENGTH, seed=5, start=Position())
    used, place = 0, Position()
    seen: list[bytes] = []
    while place.epoch == 0:
        batch, place = next(stream)
        assert 0 < batch.used == int((batch.pieces >= 0).sum()) <= ROWS * LENGTH
        used += batch.used
        for row in range(ROWS):
            for number in range(int(batch.pieces[row].max()) + 1):
                seen.append(batch.tokens[row][batch.pieces[row] == number].numpy().tobytes())
    first = [x.tokens.astype("int64").tobytes() for x in encoded]
    assert sorted(seen[: len(first)]) == sorted(first)
    assert used == sum(map(len, encoded)) + sum(len(x) // 8 for x in seen[len(first) :])


def test_a_place_is_all_that_is_needed_to_go_on(tokenizer: Any, data: Path) -> None:
    encoded, _ = encode_pairs(tokenizer, read_pairs(data), LENGTH)
    stream = batches(encoded, rows=ROWS, length=LENGTH, seed=5, start=Position())
    course = [next(stream) for _ in range(60)]
    assert course[-1][1].epoch > 0
    for at in (0, 7, 58):
        again, place = next(batches(encoded, rows=ROWS, length=LENGTH, seed=5, start=course[at][1]))
        assert place == course[at + 1][1]
        assert bool((again.tokens == course[at + 1][0].tokens).all())


@pytest.mark.parametrize("by_pairs", [False, True])
def test_packed_pairs_are_as_alone(tokenizer: Any, data: Path, by_pairs: bool) -> None:
    """Logits in a packed row equal those of each pair in a plain call of the model, whether a mask
    or attention a pair at a time keeps them apart."""
    import torch

    from trainer.model import create, size_of

    model = create(size_of("nano"), tokenizer, seed=3).eval()
    encoded, _ = encode_pairs(tokenizer, read_pairs(data), LENGTH // 2)
    packed = [encoded[:2], encoded[2:3]]
    batch = collate(packed, LENGTH, 0.0)
    with torch.inference_mode():
        alone = [
            [model(torch.from_numpy(x.tokens.astype("int64"))[None]).logits[0] for x in pairs]
            for pairs in packed
        ]
        if by_pairs:
            use_packed(model)
        apart = {"piece_sizes": batch.sizes()} if by_pairs else {"attention_mask": batch.mask()}
        together = model(input_ids=batch.tokens, position_ids=batch.positions, **apart).logits
        for row, pairs in enumerate(packed):
            for number in range(len(pairs)):
                assert torch.allclose(
                    together[row][batch.pieces[row] == number],
                    alone[row][number],
                    atol=1e-5,
                    rtol=1e-4,
                )


def test_sizes_are_those_of_pairs_and_padding(tokenizer: Any, data: Path) -> None:
    encoded, _ = encode_pairs(tokenizer, read_pairs(data), LENGTH // 2)
    first, second, third = (len(x) for x in encoded[:3])
    batch = collate([encoded[:2], encoded[2:3]], LENGTH, 0.0)
    assert batch.sizes() == [first, second, LENGTH - first - second, third, LENGTH - third]


@pytest.mark.parametrize("prompt_weight", [0.0, 0.25])
def test_what_counts(tokenizer: Any, data: Path, prompt_weight: float) -> None:
    pair = encode_pairs(tokenizer, read_pairs(data), LENGTH)[0][0]
    batch = collate([[pair]], LENGTH, prompt_weight)
    answer = len(pair) - pair.prompt
    assert int((batch.weights == 1).sum()) == answer
    assert batch.targets[batch.weights == 1].tolist() == pair.tokens[pair.prompt :].tolist()
    expected = answer + prompt_weight * (pair.prompt - 1)
    assert float(batch.weights.sum()) == pytest.approx(expected)


def test_rare_families_come_more_often(tokenizer: Any, data: Path) -> None:
    encoded, _ = encode_pairs(tokenizer, read_pairs(data), 10_000)
    sizes = {"one": 1, "few": 20, "median": 50, "also": 50, "many": 90}
    named = [f for f, n in sizes.items() for _ in range(n)]
    families = [*named, *[""] * (len(encoded) - len(named))]
    mixed = [
        replace(x, pair=replace(x.pair, family=f)) for x, f in zip(encoded, families, strict=True)
    ]
    assert evened(mixed, 0) == mixed
    even = evened(mixed, 1)
    counts = Counter(x.pair.family for x in even)
    assert counts == {"one": 4, "few": 50, "median": 50, "also": 50, "many": 90, "": counts[""]}
    assert counts[""] == families.count("")
    assert {id(x) for x in even} == {id(x) for x in mixed}
    half = Counter(x.pair.family for x in evened(mixed, 0.5))
    assert half["few"] == 32
