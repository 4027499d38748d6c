"""Mutations of data that is no text: bytes, words of 2, 4 and 8 bytes, stretches of them.

Samples of sound, pixels, archives: what a program does with extreme values, with silence, with the
same again and again and with an end in the middle of an element is behind branches that ordinary
data hardly ever takes.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable

from gccllm.assurance.fuzz.numbers import Numbers

__all__ = ["BINARY", "BinaryMutation", "is_binary"]

BinaryMutation = Callable[[bytes, Numbers, random.Random], "tuple[bytes, str]"]
"""(data, numbers, random) → the changed data and one line of how"""

MOST_FILLED = 1 << 17
"""bytes; what is behind them stays"""
_LOOKED_AT = 4096
_TEXT = frozenset((*range(32, 127), *b"\t\n\r\f\v"))
_WIDTHS = (1, 2, 2, 4, 8)
_LENGTHS = (1, 2, 4, 8, 13, 16, 33, 40, 64, 128, 160, 256, 320, 512, 1024, 4096, 65536)


def is_binary(data: bytes) -> bool:
    """Whether more than one byte in eight of its beginning is none of ASCII text."""
    head = data[:_LOOKED_AT]
    return 8 * sum(x not in _TEXT for x in head) > len(head)


def change_words(data: bytes, numbers: Numbers, rng: random.Random) -> tuple[bytes, str]:
    """A few elements become edges, constants of the programs, neighbours."""
    width, changed, kinds = rng.choice(_WIDTHS), bytearray(data), []
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = _place(len(data), width, rng)
        old = int.from_bytes(data[at : at + width], "little", signed=True)
        new, kind = numbers.other(old, rng) if rng.random() < 0.6 else (_edge(width, rng), "edge")
        changed[at : at + width] = _coded(new, width, big=rng.random() < 0.25)
        kinds.append(kind)
    return bytes(changed), f"{len(kinds)} words of {width} bytes ({kinds[0]})"


def fill(data: bytes, numbers: Numbers, rng: random.Random) -> tuple[bytes, str]:
    """A stretch, or all of it, gets a pattern: equal, alternating edges, a wave, noise, a ramp."""
    width = rng.choice(_WIDTHS[:4])
    start = 0 if rng.random() < 0.3 else _place(len(data), width, rng)
    length = len(data) if rng.random() < 0.4 else rng.choice(_LENGTHS) * width
    count = max(1, min(length, max(len(data) - start, width), MOST_FILLED) // width)
    how = rng.choice(("equal", "alternating", "square", "noise", "ramp", "loud", "sparse"))
    period = rng.choice((1, 2, 3, 5, 8, 20, 40, 57, 160))
    one, other = _edge(width, rng), _edge(width, rng)
    constant = numbers.constant(rng)
    if how == "equal" and constant is not None and rng.random() < 0.5:
        one = constant
    most = 1 << (8 * width - 1)
    step = rng.choice((1, 7, most // 64 + 1))
    made = bytearray()
    for i in range(count):
        value = {
            "equal": one,
            "alternating": other if i % 2 else one,
            "square": other if i // period % 2 else one,
            "noise": rng.randrange(-most, most),
            "ramp": one + i * step,
            "loud": rng.choice((-most, most - 1)),
            "sparse": 0 if i % (period + 1) else one,
        }[how]
        made += _coded(value, width)
    changed = data[:start] + bytes(made) + data[start + len(made) :]
    return changed, f"{count} words of {width} bytes from {start}: {how}"


def scale(data: bytes, numbers: Numbers, rng: random.Random) -> tuple[bytes, str]:
    """The elements of two bytes louder or softer, held to their range."""
    by, start = rng.choice((-4, -1, 2, 4, 16, 64, 0.5, 0.1)), rng.randrange(2)
    stop = start + (min(len(data), MOST_FILLED) - start) // 2 * 2
    words = array("h", data[start:stop])
    louder = array("h", [max(-32768, min(32767, int(by * x))) for x in words])
    changed = data[:start] + louder.tobytes() + data[stop:]
    return changed, f"words of 2 bytes from {start} times {by}"


def change_bits(data: bytes, numbers: Numbers, rng: random.Random) -> tuple[bytes, str]:
    changed = bytearray(data)
    count = rng.choice((1, 1, 2, 8, 32))
    for _ in range(count):
        at = _place(len(data), 1, rng)
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed), f"{count} bits"


def cut(data: bytes, numbers: Numbers, rng: random.Random) -> tuple[bytes, str]:
    """It ends early, or its beginning is missing."""
    length = rng.choice(_LENGTHS) + rng.randrange(-1, 2) if rng.random() < 0.6 else len(data)
    length = min(length, rng.randrange(len(data)))
    if rng.random() < 0.2:
        return data[length:], f"without the first {length} bytes"
    return data[:length], f"the first {length} bytes"


def move(data: bytes, numbers: Numbers, rng: random.Random) -> tuple[bytes, str]:
    """A stretch twice, gone, in another place, or many times over."""
    start, length = _place(len(data), 1, rng), rng.choice(_LENGTHS)
    piece, how = data[start : start + length], rng.choice(("twice", "gone", "moved", "many times"))
    if how == "twice":
        return data[:start] + piece + data[start:], f"{length} bytes from {start} twice"
    rest = data[:start] + data[start + length :]
    if how == "gone":
        return rest, f"{length} bytes from {start} gone"
    if how == "moved":
        at = rng.randrange(len(rest) + 1)
        return rest[:at] + piece + rest[at:], f"{length} bytes from {start} moved to {at}"
    times = min(rng.choice((4, 64, 300)), 1 + 65536 // len(piece))
    return data[:start] + times * piece + data[start:], f"{length} bytes from {start} {times} times"


def _place(length: int, width: int, rng: random.Random) -> int:
    """Where an element starts; every third time in the first bytes, where headers are."""
    most = max(1, length // width)
    return width * rng.randrange(min(most, 16) if rng.random() < 0.33 else most)


def _edge(width: int, rng: random.Random) -> int:
    most = 1 << (8 * width - 1)
    return rng.choice((0, 1, -1, most - 1, -most, -most + 1, most // 2, -most // 2, most >> 4, 2))


def _coded(value: int, width: int, *, big: bool = False) -> bytes:
    return (value & ((1 << (8 * width)) - 1)).to_bytes(width, "big" if big else "little")


BINARY: tuple[BinaryMutation, ...] = (
    *(change_words, change_words, fill, fill, fill, scale),
    *(change_bits, cut, move),
)
"""for data that is not empty"""
