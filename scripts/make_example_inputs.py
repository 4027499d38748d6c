"""Write the recordings of examples/: every input from fixed seeds, every output from gcc -O0.

    python scripts/make_example_inputs.py            write examples/NAME.tests/
    python scripts/make_example_inputs.py --check    change nothing; status 1 if a file differs

The outputs of gcc -O0 must be those of gcc -O3 and, where there is one, of clang -O3. A case
whose name starts with ``large`` is there to be timed; the others are small.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gccllm.process import run

__all__ = ["main"]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CLANGS = ("clang", "clang-19")
MAX_INPUT_BYTES = 64 * 1024
INT_MAX = 2**31 - 1

Cases = dict[str, str]


def lines(*rows: Iterable[object]) -> str:
    return "".join(" ".join(str(x) for x in row) + "\n" for row in rows)


def listed(header: tuple[int, ...], numbers: Iterable[int]) -> str:
    """An input with its numbers written out: the header, seed 0, then the numbers."""
    return lines((*header, 0), numbers)


def queries(*rows: tuple[int, ...]) -> str:
    return lines((len(rows),), *rows)


def sequence(rng: random.Random, n: int, low: int, high: int) -> list[int]:
    return [rng.randint(low, high) for _ in range(n)]


def word(rng: random.Random, n: int, letters: str = "abcdefghijklmnopqrstuvwxyz") -> str:
    return "".join(rng.choice(letters) for _ in range(n))


def popcount(rng: random.Random) -> Cases:
    top = 2**64 - 1
    return {
        "empty": lines((0, 0)),
        "one-zero": listed((1,), [0]),
        "extremes": listed((5,), [top, 2**63, 1, 0, top // 3]),
        "powers": listed((64,), [2**k for k in range(64)]),
        "mixed": listed((37,), sequence(rng, 37, 0, top)),
        "generated": lines((1001, 5)),
        "large": lines((1500000, 7)),
    }


def binsearch(rng: random.Random) -> Cases:
    values = sequence(rng, 100, -1000, 1000)
    return {
        "empty": listed((0, 3), [5, -5, 0]),
        "one": listed((1, 3), [7, 6, 7, 8]),
        "equal": listed((9, 3), [4] * 9 + [3, 4, 5]),
        "extremes": listed((4, 4), [INT_MAX, -INT_MAX - 1, 0, -1, -INT_MAX - 1, -1, 1, INT_MAX]),
        "mixed": listed((100, 201), values + sequence(rng, 201, -1100, 1100)),
        "generated": lines((777, 1001, 5)),
        "large": lines((50000, 600000, 7)),
    }


def quickselect(rng: random.Random) -> Cases:
    return {
        "empty": lines((0, 3, 0)),
        "one": listed((1, 1), [-9, 0]),
        "two": listed((2, 2), [3, -3, 0, 1]),
        "equal": listed((33, 3), [5] * 33 + [0, 16, 32]),
        "ascending": listed((50, 3), [*range(-25, 25), 0, 25, 49]),
        "mixed": listed((101, 40), sequence(rng, 101, -500, 500) + sequence(rng, 40, 0, 100)),
        "generated": lines((1003, 10, 5)),
        "large": lines((500000, 10, 7)),
    }


def bubble(rng: random.Random) -> Cases:
    return {
        "empty": lines((0, 0)),
        "one": listed((1,), [-1]),
        "two": listed((2,), [2, 1]),
        "ascending": listed((40,), range(-20, 20)),
        "descending": listed((41,), range(20, -21, -1)),
        "equal": listed((17,), [3] * 17),
        "extremes": listed((5,), [INT_MAX, -INT_MAX - 1, 0, INT_MAX, -INT_MAX - 1]),
        "mixed": listed((99,), sequence(rng, 99, -1000, 1000)),
        "generated": lines((103, 5)),
        "bad": lines((-1, 0)),
        "large": lines((6000, 7)),
    }


def collatz(rng: random.Random) -> Cases:
    starts = sequence(rng, 20, 1, 2**40)
    return {
        "none": queries(),
        "one": queries((1, 1)),
        "small": queries((1, 2), (2, 3), (1, 10), (27, 27)),
        "powers": queries(*((2**k, 2**k) for k in range(0, 60, 7))),
        "wide": queries(*((x, x + 3) for x in starts)),
        "bad": queries((0, 5)),
        "large": queries((1, 200000), (10**9, 10**9 + 40000)),
    }


def digits(rng: random.Random) -> Cases:
    starts = sequence(rng, 20, 1, 4 * 10**9 - 100)
    return {
        "none": queries(),
        "one": queries((1, 1)),
        "small": queries((1, 9), (10, 99), (11, 11), (1, 1000)),
        "extremes": queries((3999999990, 4000000000), (999999999, 1000000001)),
        "wide": queries(*((x, x + 50) for x in starts)),
        "bad": queries((5, 4000000001)),
        "large": queries((1, 2000000), (3000000000, 3002000000)),
    }


def primes(rng: random.Random) -> Cases:
    starts = sequence(rng, 20, 0, 10**6)
    return {
        "none": queries(),
        "tiny": queries((0, 0), (1, 1), (2, 2), (3, 3), (4, 4)),
        "small": queries((0, 30), (24, 28), (90, 96)),
        "squares": queries((46327**2, 46327**2), (9409, 9409), (25, 25), (49, 49)),
        "top": queries((INT_MAX - 20, INT_MAX - 1)),
        "wide": queries(*((x, x + 40) for x in starts)),
        "large": queries((0, 300000), (1000000000, 1000010000)),
    }


def strhash(rng: random.Random) -> Cases:
    cases = {f"tail-{n}": lines((n, 3, 0), (word(rng, n),)) for n in (7, 8, 9, 31, 67)}
    return {
        "empty": lines((0, 5, 0)),
        "one": lines((1, 1, 0), "a"),
        "never": lines((3, 0, 0), ("abc",)),
        **cases,
        "generated": lines((1003, 3, 5)),
        "large": lines((50003, 1000, 7)),
    }


def knapsack(rng: random.Random) -> Cases:
    items = [(rng.randint(1, 60), rng.randint(0, 500)) for _ in range(33)]
    return {
        "empty": lines((0, 10, 0)),
        "no-room": lines((2, 0, 0), (1, 5), (2, 7)),
        "weightless": lines((2, 3, 0), (0, 5), (3, 7)),
        "exact": lines((3, 6, 0), (1, 10), (2, 15), (3, 40)),
        "mixed": lines((33, 307, 0), *items),
        "generated": lines((20, 1003, 5)),
        "large": lines((1200, 100003, 7)),
    }


def matmul(rng: random.Random) -> Cases:
    cases = {
        f"size-{n}": listed((n,), sequence(rng, 2 * n * n, 0, 2**32 - 1)) for n in (2, 7, 9, 17)
    }
    return {
        "empty": lines((0, 0)),
        "one": listed((1,), [65537, 65535]),
        **cases,
        "generated": lines((33, 5)),
        "large": lines((601, 7)),
    }


def floyd(rng: random.Random) -> Cases:
    edges = [(rng.randrange(25), rng.randrange(25), rng.randint(0, 10000)) for _ in range(60)]
    chain = [(k, k + 1, 10000) for k in range(40)]
    return {
        "empty": lines((0, 0, 0)),
        "one": lines((1, 1, 0), (0, 0, 5)),
        "unconnected": lines((9, 0, 0)),
        "parallel": lines((2, 3, 0), (0, 1, 9), (0, 1, 4), (0, 1, 6)),
        "chain": lines((41, 40, 0), *chain),
        "mixed": lines((25, 60, 0), *edges),
        "generated": lines((35, 150, 5)),
        "large": lines((411, 4000, 7)),
    }


def life(rng: random.Random) -> Cases:
    def board(rows: int, columns: int, generations: int) -> str:
        text = [(word(rng, columns, "..#"),) for _ in range(rows)]
        return lines((rows, columns, generations, 0), *text)

    blinker = [(".....",), ("..#..",), ("..#..",), ("..#..",), (".....",)]
    return {
        "one": lines((1, 1, 3, 0), "#"),
        "still": board(6, 17, 0),
        "blinker": lines((5, 5, 3, 0), *blinker),
        "row": board(1, 33, 4),
        "column": board(31, 1, 4),
        "mixed": board(19, 67, 5),
        "generated": lines((21, 35, 6, 5)),
        "large": lines((509, 507, 40, 7)),
    }


def closest(rng: random.Random) -> Cases:
    corners = [(-10000, -10000), (10000, 10000), (-10000, 10000), (10000, -10000)]
    points = [(rng.randint(-10000, 10000), rng.randint(-10000, 10000)) for _ in range(71)]
    return {
        "empty": lines((0, 0)),
        "one": lines((1, 0), (3, 4)),
        "two": lines((2, 0), (0, 0), (3, -4)),
        "corners": lines((4, 0), *corners),
        "same": lines((9, 0), *[(5, 5)] * 9),
        "mixed": lines((71, 0), *points),
        "generated": lines((101, 5)),
        "large": lines((14003, 7)),
    }


def polynomial(rng: random.Random) -> Cases:
    return {
        "constants": listed((1, 1), [65537, 65535]),
        "scaled": listed((9, 1), [*sequence(rng, 9, 0, 2**32 - 1), 3]),
        "short": listed((2, 33), sequence(rng, 35, 0, 2**32 - 1)),
        "zero": listed((5, 4), [0] * 9),
        "mixed": listed((67, 45), sequence(rng, 112, 0, 2**32 - 1)),
        "generated": lines((101, 77, 5)),
        "bad": lines((0, 4, 0)),
        "large": lines((17003, 17001, 7)),
    }


def runs(rng: random.Random) -> Cases:
    return {
        "empty": lines((0, 2, 0)),
        "one": lines((1, 3, 0), [-5]),
        "negative": lines((20, 1, 0), sequence(rng, 20, -1000, -1)),
        "ascending": lines((33, 2, 0), range(-16, 17)),
        "descending": lines((33, 2, 0), range(16, -17, -1)),
        "extremes": lines((6, 2, 0), [1000, -1000, 1000, 1000, -1000, -1000]),
        "mixed": lines((131, 7, 0), sequence(rng, 131, -1000, 1000)),
        "generated": lines((1003, 3, 5)),
        "large": lines((50003, 200, 7)),
    }


def vowels(rng: random.Random) -> Cases:
    alphabet = "abcdefghijklmnopqrstuvwxyz" + " " * 5
    cases = {
        f"tail-{n}": lines((n, 5, 0), (word(rng, n, alphabet),)) for n in (15, 16, 17, 33, 131)
    }
    return {
        "empty": lines((0, 3, 0), ()),
        "one": lines((1, 30, 0), "z"),
        "spaces": lines((9, 2, 0), (" " * 9,)),
        **cases,
        "generated": lines((1003, 4, 5)),
        "large": lines((50003, 150, 7)),
    }


PROGRAMS: Mapping[str, Callable[[random.Random], Cases]] = {
    make.__name__: make
    for make in (
        popcount,
        binsearch,
        quickselect,
        bubble,
        collatz,
        digits,
        primes,
        strhash,
        knapsack,
        matmul,
        floyd,
        life,
        closest,
        polynomial,
        runs,
        vowels,
    )
}


def recording_files(name: str, folder: Path) -> dict[str, bytes]:
    """The files of a program's recording by name; its executables are built in folder."""
    commands = [["gcc", "-O0"], ["gcc", "-O3"]]
    commands += [[clang, "-O3"] for clang in CLANGS if shutil.which(clang)]
    executables = []
    for k, command in enumerate(commands):
        executable = folder / f"{name}.{k}"
        source = str(EXAMPLES / f"{name}.c")
        built = run([*command, "-o", str(executable), source], timeout=60)
        if not built.ok:
            raise SystemExit(f"{name}: {' '.join(command)}: {built.error_line()}")
        executables.append(executable)
    files: dict[str, bytes] = {}
    for case, text in PROGRAMS[name](random.Random(name)).items():
        stdin = text.encode()
        if len(stdin) > MAX_INPUT_BYTES:
            raise SystemExit(f"{name}/{case}: the input has {len(stdin)} bytes")
        results = [run([str(x)], timeout=60, stdin=stdin) for x in executables]
        if len({(x.returncode, x.stdout, x.timed_out) for x in results}) != 1:
            raise SystemExit(f"{name}/{case}: the compilers' programs disagree")
        expected = results[0]
        if expected.timed_out or expected.returncode not in (0, 1) or expected.stderr:
            raise SystemExit(f"{name}/{case}: {expected.error_line()}")
        if (expected.returncode == 1) != (case == "bad"):
            raise SystemExit(f"{name}/{case}: unexpected exit status {expected.returncode}")
        files[f"{case}.in"] = stdin
        files[f"{case}.out"] = expected.stdout
        if expected.returncode != 0:
            files[f"{case}.exit"] = f"{expected.returncode}\n".encode()
    return files


def main() -> int:
    """Write or check all recordings; the status is 1 if --check finds a difference."""
    parser = argparse.ArgumentParser(description="Write the recordings of examples/.")
    parser.add_argument("--check", action="store_true", help="only compare with what is there")
    parser.add_argument("names", nargs="*", help="programs (default: all)")
    options = parser.parse_args()
    differing: list[str] = []
    for name in options.names or PROGRAMS:
        with tempfile.TemporaryDirectory() as temporary:
            wanted = recording_files(name, Path(temporary))
        folder = EXAMPLES / f"{name}.tests"
        present = {x.name: x.read_bytes() for x in folder.glob("*")} if folder.is_dir() else {}
        names = sorted(wanted.keys() | present.keys())
        differing += [f"{name}.tests/{x}" for x in names if wanted.get(x) != present.get(x)]
        if not options.check:
            folder.mkdir(exist_ok=True)
            for x in present.keys() - wanted.keys():
                (folder / x).unlink()
            for x, data in wanted.items():
                (folder / x).write_bytes(data)
    for x in differing:
        print(f"{'differs' if options.check else 'written'}: examples/{x}")
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
