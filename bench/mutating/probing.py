"""Inputs made by hand for each program, to find out which mutants are wrong: the ladder's own
inputs can't tell what the ladder misses.

Programs that answer line by line get very many lines at once; the others get every small length
with all kinds of contents. Only what a program takes as well-formed is tried.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["probes"]

EDGES = (
    *(0, 1, -1, 2, -2, 3, 5, 7, 8, 9, 15, 16, 31, 32, 99, 100, 101, 127, 128, 255, 256, 400, 500),
    *(501, 1000, 5000, 5001, 20000, 20001, 31500, 31501, 32767, -32767, -32768, 32768, 65535),
    *(2147483647, -2147483647, -2147483648, 65536, 46341, -46341, 1 << 30, -(1 << 30)),
)
_WIDE = (0, 1, 2, 3, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63)
LENGTHS = (*range(41), 47, 48, 63, 64, 65, 100, 127, 128, 129, 200)


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


def _pairs(low: int, high: int, rng: random.Random) -> list[tuple[int, int]]:
    values = [x for x in EDGES if low <= x <= high]
    chosen = [(a, b) for a in values for b in values]
    for span in (10, 1000, high):
        chosen += [
            (rng.randint(max(low, -span), min(high, span)), rng.randint(low, high))
            for _ in range(2000)
        ]
    return chosen


def _fill(length: int, how: str, rng: random.Random, low: int, high: int) -> list[int]:
    """Numbers of one kind."""
    if how == "equal":
        return [rng.randint(low, high)] * length
    if how == "up":
        return sorted(rng.randint(low, high) for _ in range(length))
    if how == "down":
        return sorted((rng.randint(low, high) for _ in range(length)), reverse=True)
    if how == "few":
        return [rng.randint(-1 if low < 0 else 0, 1) for _ in range(length)]
    if how == "edges":
        edges = [x for x in (*EDGES, low, high) if low <= x <= high]
        return [rng.choice(edges) for _ in range(length)]
    if how == "small":
        return [rng.randint(max(low, -9), min(high, 9)) for _ in range(length)]
    return [rng.randint(low, high) for _ in range(length)]


_HOWS = ("equal", "up", "down", "few", "edges", "small", "any")


def _vectors(low: int, high: int, rng: random.Random) -> Iterator[list[int]]:
    for length in LENGTHS:
        for how in _HOWS:
            yield _fill(length, how, rng, low, high)


def _one_vector(low: int, high: int) -> Callable[[random.Random], Iterator[bytes]]:
    def made(rng: random.Random) -> Iterator[bytes]:
        for values in _vectors(low, high, rng):
            yield _lines([[len(values)], values])

    return made


def _bits(rng: random.Random) -> Iterator[bytes]:
    values = [*_WIDE, *(1 << n for n in range(64)), *((1 << n) - 1 for n in range(65))]
    values += [rng.getrandbits(rng.randrange(1, 65)) for _ in range(20000)]
    yield _lines([[x] for x in values if x < 1 << 64])


def _calendar(rng: random.Random) -> Iterator[bytes]:
    years = [*range(-810, 2410), 2147483647, -2147483648, 2147483600, -2147483600]
    for month in (*range(-2, 15), 2147483647, -2147483648):
        rows = [(y, month, d) for y in years for d in (1, 28, 31)]
        days = (0, -1, 2, 29, 30, 32, 33, 2147483647, -2147483648)
        rows += [(y, month, d) for y in (1, 4, 100, 400, 0, 2000) for d in days]
        yield _lines(rows)


def _grade(rng: random.Random) -> Iterator[bytes]:
    weights = sorted({x + d for x in (*EDGES, 31500) for d in (-1, 0, 1) if abs(x) < 1 << 31})
    weights = [x for x in weights if -(1 << 31) <= x < 1 << 31]
    others = (-(1 << 31), -1, 0, 1, 2, 3, 4, 5, 6, 7, 100, 40000000, (1 << 31) - 1)
    # Beyond these the price overflows, which C leaves undefined.
    zones = [x for x in others if x < 1000]
    for zone in zones:
        yield _lines([(w, zone, d) for w in weights for d in others])


def _divisor(rng: random.Random) -> Iterator[bytes]:
    edges = [x % (1 << 32) for x in EDGES]
    rows = [(a, b) for a in edges for b in edges]
    rows += [(rng.getrandbits(rng.randrange(1, 33)), rng.getrandbits(32)) for _ in range(5000)]
    rows += [(rng.randrange(60), rng.randrange(60)) for _ in range(3000)]
    yield _lines(rows)


def _power(rng: random.Random) -> Iterator[bytes]:
    edges = [x % (1 << 32) for x in EDGES]
    rows = [(a, b, c) for a in edges for b in edges[:24] for c in edges if c]
    for _ in range(20000):
        a, b, c = (rng.getrandbits(rng.randrange(1, 33)) for _ in range(3))
        rows.append((a, b, c | 1))
    yield _lines(rows)


def _root(rng: random.Random) -> Iterator[bytes]:
    squares = [n * n + d for n in range(65536) for d in (-1, 0, 1) if 0 <= n * n + d < 1 << 32]
    yield _lines([[x] for x in [*squares, (1 << 32) - 1, 1 << 31, (1 << 31) - 1]])


def _distance(rng: random.Random) -> Iterator[bytes]:
    # One pair a run would be slow; sums of two hide nothing that differs in one.
    rows = _pairs(-(1 << 31), (1 << 31) - 1, rng)
    for start in range(0, len(rows), 40):
        yield _lines([[40], *rows[start : start + 40]])
    for row in rows[:1500]:
        yield _lines([[1], row])


def _saturate(rng: random.Random) -> Iterator[bytes]:
    rows = _pairs(-32768, 32767, rng)
    rows += [(32767 - d, e) for d in range(20) for e in range(-5, 60)]
    rows += [(-32768 + d, -e) for d in range(20) for e in range(-5, 60)]
    yield _lines([[len(rows)], *rows])


def _texts(alphabet: str, most: int) -> Callable[[random.Random], Iterator[bytes]]:
    def made(rng: random.Random) -> Iterator[bytes]:
        for length in (x for x in LENGTHS if x <= most):
            for size in (1, 2, 3, len(alphabet)):
                few = rng.sample(alphabet, min(size, len(alphabet)))
                rows = ["".join(rng.choice(few) for _ in range(length)) for _ in range(6)]
                yield "\n".join(rows).encode("latin-1") + b"\n"

    return made


def _parse(rng: random.Random) -> Iterator[bytes]:
    words = ["-", "+", "0", "-0", "+7", "--1", "2147483647", "2147483648", "2147483649"]
    words += ["-2147483648", "-2147483649", "99999999999999999999", "7fffffff", "80000000"]
    words += ["FFFFFFFF", "-80000000", "-80000001", "/", ":", "@", "G", "g", "`", "aA", "12.5"]
    digits = "0123456789abcdefABCDEFgG-+"
    words += ["".join(rng.choice(digits) for _ in range(rng.randrange(1, 12))) for _ in range(900)]
    for base in range(2, 17):
        yield _lines([(base, word) for word in words])


def _merge(rng: random.Random) -> Iterator[bytes]:
    for n in (*range(20), 33, 64):
        for m in (0, 1, 2, 3, 4, 7, 8, 9, 16, 17, 33):
            for how in ("few", "any", "edges", "equal"):
                one = sorted(_fill(n, how, rng, -(1 << 31), (1 << 31) - 1))
                two = sorted(_fill(m, how, rng, -(1 << 31), (1 << 31) - 1))
                yield _lines([(n, m), one, two])


def _dot(rng: random.Random) -> Iterator[bytes]:
    for length in LENGTHS:
        for how in _HOWS:
            one = _fill(length, how, rng, -(1 << 31), (1 << 31) - 1)
            two = _fill(length, rng.choice(_HOWS), rng, -(1 << 20), 1 << 20)
            yield _lines([[length], one, two])


def _horner(rng: random.Random) -> Iterator[bytes]:
    values = ("0", "-0", "1", "-1", "0.1", "1e300", "-1e300", "1e-310", "inf", "nan", "3.25", "7")
    for length in LENGTHS:
        for x in ("0", "1", "-1", "0.5", "2", "1e30", "-0.1"):
            yield _lines([(length, x), [rng.choice(values) for _ in range(length)]])


def _utf8(rng: random.Random) -> Iterator[bytes]:
    yield from (bytes([x]) for x in range(256))
    yield from (bytes([x, y]) for x in range(0x78, 256) for y in (0, 0x7F, 0x80, 0xBF, 0xC0, 0xFF))
    for _ in range(1500):
        text = bytearray("aé€😀z".encode() * rng.randrange(1, 4))
        for _ in range(rng.randrange(3)):
            text[rng.randrange(len(text))] = rng.choice((0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xF4, 0xFF))
        yield bytes(text[: rng.randrange(len(text) + 1)])


def _seeded(*first: Iterable[int]) -> Callable[[random.Random], Iterator[bytes]]:
    """For programs of examples/ that make up their own data: all sizes, several seeds."""

    def made(rng: random.Random) -> Iterator[bytes]:
        rows: list[tuple[int, ...]] = [()]
        for choices in map(tuple, first):
            rows = [(*row, x) for row in rows for x in choices]
        rng.shuffle(rows)
        for row in rows[:400]:
            yield _lines([(*row, rng.randrange(1, 1 << 31))])
        for row in rows[:40]:
            yield _lines([(*row, 1 << rng.randrange(32))])

    return made


def _bubble(rng: random.Random) -> Iterator[bytes]:
    for values in _vectors(-(1 << 31), (1 << 31) - 1, rng):
        yield _lines([(len(values), 0), values])
    for seed in (1, *(1 << n for n in range(32)), (1 << 32) - 1):
        yield from (_lines([(n, seed)]) for n in (0, 1, 2, 5, 40))
    yield from (_lines([(n, 1)]) for n in (20001, 20002, -1))


def _runs(rng: random.Random) -> Iterator[bytes]:
    for values in _vectors(-1000, 1000, rng):
        yield _lines([(len(values), rng.randrange(4), 0), values])


def _quickselect(rng: random.Random) -> Iterator[bytes]:
    for values in _vectors(-(1 << 31), (1 << 31) - 1, rng):
        wanted = [rng.randrange(len(values)) for _ in range(6)] if values else []
        yield _lines([(len(values), len(wanted), 0), values, wanted])


_SIZES = (*range(20), 23, 31, 32, 33, 40, 63, 64, 65)

PROBES: Mapping[str, Callable[[random.Random], Iterator[bytes]]] = {
    "bits": _bits,
    "calendar": _calendar,
    "crc16": _texts("".join(map(chr, (*range(1, 10), *range(11, 256)))), 190),
    "distance": _distance,
    "divisor": _divisor,
    "dot": _dot,
    "extremes": _one_vector(-(1 << 31), (1 << 31) - 1),
    "grade": _grade,
    "horner": _horner,
    "insertion": _one_vector(-(1 << 31), (1 << 31) - 1),
    "merge": _merge,
    "parse": _parse,
    "power": _power,
    "rle": _texts("abcdefgh", 190),
    "root": _root,
    "saturate": _saturate,
    "smooth": _one_vector(-32768, 32767),
    "utf8": _utf8,
    "words": _texts("ab \t\r.z", 250),
    "x_bubble": _bubble,
    "x_floyd": _seeded(range(1, 24), (0, 1, 3, 10, 40, 200)),
    "x_life": _seeded(_SIZES[1:], _SIZES[1:], (0, 1, 2, 5)),
    "x_matmul": _seeded((*_SIZES, *range(-2, 70), 500, 501, 512, 513)),
    "x_quickselect": _quickselect,
    "x_runs": _runs,
    "x_strhash": _seeded((*range(130), 200, 255, 256, 257), (0, 1, 2, 5)),
    "x_vowels": _seeded((*range(130), 200, 255, 256, 257), (0, 1, 2, 5, 26)),
}


def probes(name: str, seed: int = 0) -> Iterator[bytes]:
    """stdin by stdin; none for a program that has no maker of its own."""
    maker = PROBES.get(name)
    if maker is not None:
        yield from maker(random.Random(seed))
