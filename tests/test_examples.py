"""Every example compiles cleanly, does what its recording says, and the recording is right."""

from __future__ import annotations

import importlib.util
import math
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from types import ModuleType

import pytest

from gccllm.process import Completed, run
from gccllm.recordings import Case, load

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
NAMES = sorted(x.stem for x in EXAMPLES.glob("*.c"))
HANDS = sorted(x.stem for x in (EXAMPLES / "hand").glob("*.c"))
MOD32 = 2**32

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def stdin_of(case: Case) -> bytes:
    return case.given.stdin.read_bytes() if case.given.stdin is not None else b""


def cases_of(name: str) -> tuple[Case, ...]:
    return load(EXAMPLES / f"{name}.tests").cases


def small_cases(name: str) -> list[Case]:
    return [x for x in cases_of(name) if not x.name.startswith("large")]


def built(folder: Path, name: str, *options: str, source: Path | None = None) -> Path:
    """The example's executable; asserts that the compiler has nothing to say about it."""
    executable = folder / name
    unit = str(source or EXAMPLES / f"{name}.c")
    done = run(["gcc", *options, "-o", str(executable), unit], timeout=60)
    assert done.ok, done.error_line()
    assert done.stderr == b""
    return executable


def assert_as_recorded(executable: Path, cases: Sequence[Case]) -> None:
    for case in cases:
        done: Completed = run([str(executable)], timeout=60, stdin=stdin_of(case))
        assert not done.timed_out, case.name
        assert done.stderr == b"", case.name
        assert done.stdout == case.expected.stdout, case.name
        assert done.returncode == case.expected.exit_status, case.name


@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_warnings_and_passes_its_recording(name: str, tmp_path: Path) -> None:
    executable = built(tmp_path, name, "-O3", "-Wall", "-Wextra")
    assert_as_recorded(executable, cases_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_has_a_timed_case_small_cases_and_small_files(name: str) -> None:
    assert "large" in {x.name for x in cases_of(name)}
    assert len(small_cases(name)) >= 5
    for path in (EXAMPLES / f"{name}.tests").iterdir():
        assert path.stat().st_size < 64 * 1024, path
    assert f"| {name} |" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_small_cases_have_no_undefined_behaviour(name: str, tmp_path: Path) -> None:
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    linked = run(["gcc", *sanitize, "-o", str(tmp_path / "probe"), str(probe)], timeout=60)
    if not linked.ok or not run([str(tmp_path / "probe")], timeout=60).ok:
        pytest.skip("no sanitizer here")
    executable = built(tmp_path, name, "-O1", "-g", *sanitize)
    assert_as_recorded(executable, small_cases(name))


def headroom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("headroom", ROOT / "bench" / "headroom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", HANDS)
def test_functions_by_hand_pass_the_recording(name: str, tmp_path: Path) -> None:
    text = headroom().splice(
        (EXAMPLES / f"{name}.c").read_text(), (EXAMPLES / "hand" / f"{name}.c").read_text()
    )
    source = tmp_path / f"{name}.c"
    source.write_text(text)
    executable = built(tmp_path, name, "-O3", "-Wall", "-Wextra", source=source)
    assert_as_recorded(executable, cases_of(name))


def test_splice_refuses_a_function_that_the_source_lacks() -> None:
    with pytest.raises(ValueError, match="0 definitions of other"):
        headroom().splice("int f(int x)\n{\n    return x;\n}\n", "int other(int x)\n{\n}\n")
    with pytest.raises(ValueError, match="no function"):
        headroom().splice("int f(int x)\n{\n}\n", "/* nothing */\n")


def test_a_best_speedup_below_the_least_counts_as_one() -> None:
    bench = headroom()
    assert bench.best({"A/A": 2.0, "hand": 9.0, "O2": 1.04}) == 1.0
    assert bench.best({"A/A": 2.0, "hand": 9.0, "O2": 1.04, "clang": 1.5}) == 1.5
    assert bench.best({"clang": 1.5, "native": 3.0}, native=False) == 1.5
    rows = bench.table({"a": (0.05, {"clang": 2.0}), "b": (0.05, {"clang": 8.0})})
    assert rows[-1].endswith("| 4.00 | 4.00 |")


@pytest.mark.slow
def test_recordings_are_what_the_script_writes() -> None:
    script = ROOT / "scripts" / "make_example_inputs.py"
    done = run([sys.executable, str(script), "--check"], timeout=280, cwd=ROOT)
    assert done.ok, done.stdout.decode()


# What the programs compute, once more and as plainly as possible.


class Input:
    """The numbers of an input; with a seed, the generator's numbers instead of listed ones."""

    multiplier = 1664525
    increment = 1013904223

    def __init__(self, text: str, header: int) -> None:
        words = text.split()
        self.header = [int(x) for x in words[:header]]
        self.seed = int(words[header]) if len(words) > header else 0
        self.words = iter(words[header + 1 :])
        self.state = self.seed

    def draw(self, generated: Callable[[int], int]) -> int:
        """The next number: listed, or made of the next state of the 32-bit generator."""
        if self.seed == 0:
            return int(next(self.words))
        self.state = (self.state * self.multiplier + self.increment) % MOD32
        return generated(self.state)

    def draw64(self) -> int:
        if self.seed == 0:
            return int(next(self.words))
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state ^ (self.state >> 29)

    def draws(self, n: int, generated: Callable[[int], int]) -> list[int]:
        return [self.draw(generated) for _ in range(n)]


def polynomial_hash(numbers: Sequence[int], factor: int = 31, modulus: int = MOD32) -> int:
    h = 0
    for x in numbers:
        h = (h * factor + x) % modulus
    return h


def query_rows(text: str) -> Iterator[tuple[int, int]]:
    numbers = [int(x) for x in text.split()[1:]]
    yield from zip(numbers[::2], numbers[1::2], strict=True)


def popcount(text: str) -> str:
    given = Input(text, 1)
    ones = [given.draw64().bit_count() for _ in range(given.header[0])]
    return f"{sum(ones)} {max(ones, default=0)} {polynomial_hash(ones, modulus=2**64)}\n"


def binsearch(text: str) -> str:
    given = Input(text, 2)
    n, q = given.header
    values, keys = given.draws(n, lambda s: s >> 4), given.draws(q, lambda s: s >> 4)
    answers = [sum(x < key for x in values) for key in keys]
    return f"{sum(answers)} {polynomial_hash(answers, 1000003, 2**64)}\n"


def quickselect(text: str) -> str:
    given = Input(text, 2)
    n, q = given.header
    values = sorted(given.draws(n, lambda s: (s >> 3) - 250000000))
    picks = given.draws(q, lambda s: (s >> 2) % n) if n else []
    return "".join(f"{values[k]}\n" for k in picks)


def bubble(text: str) -> str:
    given = Input(text, 1)
    given.multiplier, given.increment = 1103515245, 12345
    v = given.draws(given.header[0], lambda s: (s >> 8) - 8000000)
    inversions = sum(x > y for x, y in combinations(v, 2))
    v.sort()
    middle = f"{v[0]} {v[len(v) // 2]} {v[-1]}\n" if v else ""
    return f"{inversions}\n{middle}{polynomial_hash(v)}\n"


def collatz(text: str) -> str:
    def length(x: int) -> int:
        steps = 0
        while x != 1:
            x = 3 * x + 1 if x % 2 else x // 2
            steps += 1
        return steps

    answer = ""
    for low, high in query_rows(text):
        lengths = {x: length(x) for x in range(low, high + 1)}
        best = max(lengths, key=lambda x: lengths[x])
        answer += f"{best} {lengths[best]} {sum(lengths.values())}\n"
    return answer


def digits(text: str) -> str:
    answer = ""
    for low, high in query_rows(text):
        sums = {n: sum(map(int, str(n))) for n in range(low, high + 1)}
        harshad = [n for n, s in sums.items() if n % s == 0]
        answer += f"{len(harshad)} {sum(sums.values())} {max(harshad, default=0)}\n"
    return answer


def primes(text: str) -> str:
    def is_prime(n: int) -> bool:
        return n > 1 and all(n % d for d in range(2, math.isqrt(n) + 1))

    answer = ""
    for low, high in query_rows(text):
        found = [n for n in range(low, high + 1) if is_prime(n)]
        answer += f"{len(found)} {sum(found)} {max(found, default=0)}\n"
    return answer


def strhash(text: str) -> str:
    given = Input(text, 2)
    n, repetitions = given.header
    if given.seed == 0:
        letters = [ord(x) for x in next(given.words, "")]
    else:
        letters = given.draws(n, lambda s: ord("a") + (s >> 16) % 26)
    mixed = 0
    for k in range(1, repetitions + 1):
        mixed ^= polynomial_hash(letters * k)
    return f"{polynomial_hash(letters * repetitions)} {mixed}\n"


def knapsack(text: str) -> str:
    given = Input(text, 2)
    n, capacity = given.header
    best = [0] * (capacity + 1)
    for _ in range(n):
        weight = given.draw(lambda s: 1 + (s >> 8) % 1000)
        value = given.draw(lambda s: (s >> 8) % 10000)
        best = [max(x, best[c - weight] + value) if c >= weight else x for c, x in enumerate(best)]
    return f"{best[-1]} {sum(best)}\n"


def matmul(text: str) -> str:
    given = Input(text, 1)
    n = given.header[0]
    a = [given.draws(n, lambda s: s >> 12) for _ in range(n)]
    b = [given.draws(n, lambda s: s >> 12) for _ in range(n)]
    columns = list(zip(*b, strict=True))
    c = [[sum(x * y for x, y in zip(r, k, strict=True)) % MOD32 for k in columns] for r in a]
    trace = sum(c[i][i] for i in range(n)) % MOD32
    corners = f"{c[0][0]} {c[-1][-1]}\n" if n else ""
    return f"{trace} {polynomial_hash([x for row in c for x in row])}\n{corners}"


def floyd(text: str) -> str:
    given = Input(text, 2)
    n, m = given.header
    edges = []
    for _ in range(m):
        ends = given.draws(2, lambda s: (s >> 8) % n)
        edges.append((*ends, given.draw(lambda s: (s >> 8) % 10000)))
    distances: list[int] = []
    for start in range(n):
        reached = {start: 0}
        for _ in range(n):  # Bellman-Ford: another way to the same distances
            for x, y, length in edges:
                if x in reached:
                    reached[y] = min(reached.get(y, 10**9), reached[x] + length)
        distances += [d for vertex, d in reached.items() if vertex != start]
    return f"{len(distances)} {max(distances, default=0)} {sum(distances)}\n"


def life(text: str) -> str:
    given = Input(text, 3)
    rows, columns, generations = given.header
    if given.seed == 0:
        board = [[int(x == "#") for x in next(given.words)] for _ in range(rows)]
    else:
        board = [given.draws(columns, lambda s: int(s >> 30 == 0)) for _ in range(rows)]
    around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    for _ in range(generations):
        counts = [
            [
                sum(board[(r + i) % rows][(c + j) % columns] for i, j in around)
                for c in range(columns)
            ]
            for r in range(rows)
        ]
        board = [
            [int(k == 3 or (k == 2 and x == 1)) for k, x in zip(*both, strict=True)]
            for both in zip(counts, board, strict=True)
        ]
    cells = [x for row in board for x in row]
    return f"{sum(cells)} {polynomial_hash(cells)}\n"


def closest(text: str) -> str:
    given = Input(text, 1)
    flat = given.draws(2 * given.header[0], lambda s: (s >> 8) % 20001 - 10000)
    points = list(zip(flat[::2], flat[1::2], strict=True))
    squares = [(a - c) ** 2 + (b - d) ** 2 for (a, b), (c, d) in combinations(points, 2)]
    return f"{min(squares, default=0)} {max(squares, default=0)}\n"


def polynomial(text: str) -> str:
    given = Input(text, 2)
    n, m = given.header
    p, q = given.draws(n, lambda s: s >> 8), given.draws(m, lambda s: s >> 8)
    product = [0] * (n + m - 1)
    for k in range(len(product)):
        low, high = max(0, k - m + 1), min(n, k + 1)
        product[k] = sum(p[i] * q[k - i] for i in range(low, high)) % MOD32
    return f"{product[len(product) // 2]} {polynomial_hash(product)}\n"


def runs(text: str) -> str:
    given = Input(text, 2)
    n, repetitions = given.header
    v = given.draws(n, lambda s: (s >> 8) % 2001 - 1000)
    totals = [0, 0, 0]
    for _ in range(repetitions):
        best = total = length = climb = drop = 0
        for x in v:
            total = max(total + x, 0)
            best = max(best, total)
        for k in range(n):
            length = length + 1 if k > 0 and v[k] >= v[k - 1] else 1
            climb = max(climb, length)
        highest = v[0] if v else 0
        for x in v:
            highest = max(highest, x)
            drop = max(drop, highest - x)
        totals = [x + y for x, y in zip(totals, (best, climb, drop), strict=True)]
        v = [int(math.fmod(3 * x + 1, 1001)) for x in v]
    return "{} {} {}\n".format(*totals)


def vowels(text: str) -> str:
    header, _, line = text.partition("\n")
    given = Input(header, 2)
    n, rotations = given.header
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    if given.seed != 0:
        drawn = given.draws(n, lambda s: (s >> 16) % 31)
        line = "".join(alphabet[k] if k < 26 else " " for k in drawn)
    line = line[:n]
    found = words = 0
    for _ in range(rotations):
        found += sum(x in "aeiou" for x in line)
        words += len(line.split())
        line = line.translate(str.maketrans(alphabet, alphabet[1:] + "a"))
    often = Counter(line)
    most = max(alphabet, key=lambda x: often[x])
    return f"{found} {words} {most} {often[most]}\n"


REFERENCES: dict[str, Callable[[str], str]] = {
    x.__name__: x
    for x in (
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


@pytest.mark.parametrize("name", NAMES)
def test_recorded_outputs_are_those_of_another_implementation(name: str) -> None:
    for case in small_cases(name):
        if case.name == "bad" or (name, case.name) == ("primes", "top"):
            continue
        expected = REFERENCES[name](stdin_of(case).decode())
        assert case.expected.stdout.decode() == expected, case.name


def test_refused_input_ends_with_status_one_and_no_output() -> None:
    refused = [x for name in NAMES for x in cases_of(name) if x.name == "bad"]
    assert len(refused) >= 3
    assert {(x.expected.exit_status, x.expected.stdout) for x in refused} == {(1, b"")}


def test_references_notice_a_wrong_output() -> None:
    rng = random.Random(3)
    numbers = [rng.randint(-50, 50) for _ in range(30)]
    text = f"{len(numbers)} 1 0\n" + " ".join(map(str, numbers))
    climbs = [y >= x for x, y in pairwise(numbers)]
    longest = max(len(x) for x in "".join("u" if c else "d" for c in climbs).split("d")) + 1
    assert runs(text).split()[1] == str(longest)
