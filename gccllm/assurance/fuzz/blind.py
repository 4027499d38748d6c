"""Mutations that know nothing of the format: tokens, lines, bytes, splices of two recordings."""

from __future__ import annotations

import random
from collections.abc import Callable

from gccllm.assurance.fuzz.numbers import Numbers
from gccllm.assurance.fuzz.text import Text, number_of

__all__ = ["BYTES", "LINES", "NUMBERS", "TOKENS", "WORDS", "Mutation", "spliced"]

Mutation = Callable[[Text, Numbers, random.Random], "tuple[Text, str] | None"]
"""(text, numbers, random) → the changed text and one line of how, or None where it can't be done"""

_LENGTHS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)


def change_number(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """One number becomes another."""
    places = text.numbers()
    if not places:
        return None
    # the first few numbers are the ones that steer
    index = rng.choice(places[:4] if rng.random() < 0.3 else places)
    old = number_of(text.tokens[index]) or 0
    new, kind = numbers.other(old, rng)
    return text.with_token(index, b"%d" % new), f"number {index}: {old} to {new} ({kind})"


def change_many(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """Several numbers become others of one kind."""
    places = text.numbers()[1:]
    if len(places) < 2:
        return None
    tokens = list(text.tokens)
    chosen = rng.sample(places, rng.randrange(2, min(len(places), 12) + 1))
    for index in chosen:
        tokens[index] = b"%d" % numbers.other(number_of(tokens[index]) or 0, rng)[0]
    return Text(tuple(tokens), text.gaps), f"{len(chosen)} numbers"


def drop_token(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    if not text.tokens:
        return None
    index = rng.randrange(len(text.tokens))
    return text.replaced(index, index + 1, []), f"token {index} dropped"


def repeat_token(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    if not text.tokens:
        return None
    index = rng.randrange(len(text.tokens))
    token = text.tokens[index]
    return text.replaced(index, index + 1, [token, token]), f"token {index} twice"


def swap_tokens(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    if len(text.tokens) < 2:
        return None
    one, other = rng.sample(range(len(text.tokens)), 2)
    tokens = list(text.tokens)
    tokens[one], tokens[other] = tokens[other], tokens[one]
    return Text(tuple(tokens), text.gaps), f"tokens {one} and {other} swapped"


def copy_token(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """One token becomes equal to another."""
    if len(text.tokens) < 2:
        return None
    one, other = rng.sample(range(len(text.tokens)), 2)
    return text.with_token(one, text.tokens[other]), f"token {one} as {other}"


def cut_end(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """The input ends early."""
    if not text.tokens:
        return None
    stop = rng.randrange(len(text.tokens))
    return Text(text.tokens[:stop], (*text.gaps[:stop], b"\n")), f"ends after token {stop}"


def change_word(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """A word gets another length, case, or characters."""
    places = [i for i, token in enumerate(text.tokens) if number_of(token) is None]
    if not places:
        return None
    index = rng.choice(places)
    word = bytearray(text.tokens[index])
    how = rng.choice(("length", "case", "character", "reversed", "same", "run", "run"))
    if how == "length":
        length = rng.choice((*_LENGTHS, max(1, len(word) - 1), len(word) + 1))
        word = bytearray((bytes(word) * (length // len(word) + 1))[:length])
    elif how == "case":
        word = bytearray(bytes(word).swapcase())
    elif how == "character":
        for _ in range(rng.randrange(1, 4)):
            word[rng.randrange(len(word))] = rng.randrange(33, 127)
    elif how == "reversed":
        word.reverse()
    elif how == "run":
        mined = numbers.constant(rng) if rng.random() < 0.3 else None
        length = rng.randrange(2, 20) if mined is None else 1 + mined % 64
        at = rng.randrange(len(word))
        word[at : at + 1] = bytes([word[at]]) * length
    else:
        word = bytearray(bytes([rng.choice(word)]) * len(word))
    return text.with_token(index, bytes(word)), f"word {index}: {how}"


def change_lines(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """Lines swapped, repeated, dropped, or in the opposite order."""
    lines = text.data.split(b"\n")
    if len(lines) < 3:
        return None
    how = rng.choice(("swapped", "repeated", "dropped", "reversed"))
    one, other = rng.randrange(len(lines) - 1), rng.randrange(len(lines) - 1)
    if how == "swapped":
        lines[one], lines[other] = lines[other], lines[one]
    elif how == "repeated":
        lines.insert(one, lines[one])
    elif how == "dropped":
        del lines[one]
    else:
        lines[1:-1] = lines[1:-1][::-1]
    return Text.of(b"\n".join(lines)), f"lines {how}"


def change_bytes(text: Text, numbers: Numbers, rng: random.Random) -> tuple[Text, str] | None:
    """A byte flipped, written over, inserted or deleted; a piece repeated or deleted."""
    data = bytearray(text.data)
    if not data:
        return Text.of(bytes([rng.randrange(256)])), "a byte inserted"
    at = rng.randrange(len(data))
    length = rng.randrange(1, 9)
    how = rng.choice(("flipped", "written", "inserted", "deleted", "piece twice", "piece gone"))
    if how == "flipped":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "written":
        data[at] = rng.choice((0, 9, 10, 32, 45, 48, 57, 65, 122, 127, 128, 255))
    elif how == "inserted":
        data.insert(at, rng.randrange(256))
    elif how == "deleted":
        del data[at]
    elif how == "piece twice":
        data[at:at] = data[at : at + length]
    else:
        del data[at : at + length]
    return Text.of(bytes(data)), f"byte {at}: {how}"


def spliced(one: Text, other: Text, rng: random.Random) -> tuple[Text, str]:
    """The beginning of one text and the end of another, cut between tokens."""
    head, tail = rng.randrange(len(one.tokens) + 1), rng.randrange(len(other.tokens) + 1)
    tokens = one.tokens[:head] + other.tokens[tail:]
    gaps = (*one.gaps[:head], *other.gaps[tail:])
    if head and tail < len(other.tokens):
        gaps = (*one.gaps[:head], other.gaps[tail] or b" ", *other.gaps[tail + 1 :])
    return Text(tokens, gaps), f"spliced at {head} and {tail}"


NUMBERS: tuple[Mutation, ...] = (change_number, change_number, change_many)
TOKENS: tuple[Mutation, ...] = (drop_token, repeat_token, swap_tokens, copy_token, cut_end)
LINES: tuple[Mutation, ...] = (change_lines,)
WORDS: tuple[Mutation, ...] = (change_word,)
BYTES: tuple[Mutation, ...] = (change_bytes,)
