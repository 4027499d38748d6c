"""Terms that are simplified as they are built mean what the operations mean, and so does their
text for the solvers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from gccllm.assurance.proof import bits, compare, memory, shifts, sums
from gccllm.assurance.proof.evaluate import Evaluation, evaluate
from gccllm.assurance.proof.node import Term, const, make, mask, signed, var
from gccllm.assurance.proof.rebuild import Replacing, solved
from gccllm.assurance.proof.smtlib import script
from gccllm.assurance.proof.solvers import Solvers, installed

Values = Mapping[str, int]
Meaning = Callable[[Values], int]
Built = tuple[Term, Meaning]

WIDTHS = (1, 8, 16, 32, 64)


def leaf(rng: random.Random, width: int) -> Built:
    if rng.random() < 0.35:
        number = rng.choice([0, 1, -1, 2, 1 << width - 1, rng.getrandbits(width)]) & mask(width)
        return const(number, width), lambda _: number
    name = f"{rng.choice('xyz')}{width}"
    return var(name, width), lambda v: v[name]


def tree(rng: random.Random, width: int, depth: int) -> Built:
    """A random term of ``width`` bits, and what it should be for given values."""
    if depth == 0 or rng.random() < 0.1:
        return leaf(rng, width)
    kind = rng.randrange(9)
    if kind == 0:
        return two(rng, width, depth)
    if kind == 1:
        wide = rng.choice([w for w in WIDTHS if w >= width])
        a, f = tree(rng, wide, depth - 1)
        low = rng.randrange(wide - width + 1)
        return bits.extract(a, low + width - 1, low), lambda v: f(v) >> low & mask(width)
    if kind == 2 and width > 1:
        narrow = rng.choice([w for w in WIDTHS if w < width])
        a, f = tree(rng, narrow, depth - 1)
        if rng.random() < 0.5:
            return bits.zext(a, width), f
        return bits.sext(a, width), lambda v: signed(f(v), narrow) & mask(width)
    if kind == 3 and width > 1:
        cut = rng.randrange(1, width)
        (a, f), (b, g) = tree(rng, 64, depth - 1), tree(rng, 64, depth - 1)
        upper = mask(width - cut)
        pieces = (bits.extract(a, width - cut - 1, 0), bits.extract(b, cut - 1, 0))
        return bits.concat(*pieces), lambda v: (f(v) & upper) << cut | g(v) & mask(cut)
    if kind == 4:
        (c, h) = tree(rng, 1, depth - 1)
        (a, f), (b, g) = tree(rng, width, depth - 1), tree(rng, width, depth - 1)
        return bits.ite(c, a, b), lambda v: f(v) if h(v) else g(v)
    if kind == 5 and width == 1:
        return order(rng, depth)
    if kind == 6 and width > 1:
        return shifted(rng, width, depth)
    if kind == 7 and width > 1:
        return divided(rng, width, depth)
    return two(rng, width, depth)


def two(rng: random.Random, width: int, depth: int) -> Built:
    (a, f), (b, g) = tree(rng, width, depth - 1), tree(rng, width, depth - 1)
    whole = mask(width)
    choices: list[Built] = [
        (sums.add(a, b), lambda v: f(v) + g(v) & whole),
        (sums.subtract(a, b), lambda v: f(v) - g(v) & whole),
        (bits.product(a, b), lambda v: f(v) * g(v) & whole),
        (bits.bit_and(a, b), lambda v: f(v) & g(v)),
        (bits.bit_or(a, b), lambda v: f(v) | g(v)),
        (bits.bit_xor(a, b), lambda v: f(v) ^ g(v)),
        (bits.bit_not(a), lambda v: f(v) ^ whole),
        (sums.scaled(a, 12), lambda v: 12 * f(v) & whole),
    ]
    return rng.choice(choices)


def order(rng: random.Random, depth: int) -> Built:
    width = rng.choice(WIDTHS)
    (a, f), (b, g) = tree(rng, width, depth - 1), tree(rng, width, depth - 1)
    choices: list[Built] = [
        (compare.equal(a, b), lambda v: int(f(v) == g(v))),
        (compare.less_unsigned(a, b), lambda v: int(f(v) < g(v))),
        (compare.less_signed(a, b), lambda v: int(signed(f(v), width) < signed(g(v), width))),
    ]
    return rng.choice(choices)


def shifted(rng: random.Random, width: int, depth: int) -> Built:
    a, f = tree(rng, width, depth - 1)
    by = rng.randrange(width)
    n, whole = const(by, width), mask(width)
    choices: list[Built] = [
        (shifts.shift_left(a, n), lambda v: f(v) << by & whole),
        (shifts.shift_right(a, n), lambda v: f(v) >> by),
        (shifts.shift_right_signed(a, n), lambda v: signed(f(v), width) >> by & whole),
    ]
    return rng.choice(choices)


def divided(rng: random.Random, width: int, depth: int) -> Built:
    a, f = tree(rng, width, depth - 1)
    d = rng.choice([1, 2, 3, 5, 7, 10, 100]) if width > 7 else 1
    divisor, whole = const(d, width), mask(width)

    def towards_zero(v: Values) -> int:
        x = signed(f(v), width)
        return abs(x) // d * (-1 if x < 0 else 1)

    choices: list[Built] = [
        (compare.quotient(a, divisor, is_signed=False), lambda v: f(v) // d),
        (compare.remainder(a, divisor, is_signed=False), lambda v: f(v) % d),
        (compare.quotient(a, divisor, is_signed=True), lambda v: towards_zero(v) & whole),
        (
            compare.remainder(a, divisor, is_signed=True),
            lambda v: signed(f(v), width) - d * towards_zero(v) & whole,
        ),
    ]
    return rng.choice(choices)


def assignment(rng: random.Random) -> dict[str, int]:
    found = {}
    for width in WIDTHS:
        for letter in "xyz":
            edges = [0, 1, mask(width), 1 << width - 1, rng.getrandbits(width)]
            found[f"{letter}{width}"] = rng.choice(edges)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_simplified_terms_mean_the_same(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(80):
        width = rng.choice(WIDTHS)
        term, meaning = tree(rng, width, 4)
        assert term.width == width
        for _ in range(6):
            values = assignment(rng)
            assert evaluate([term], values) == [meaning(values)]


def test_replaced_terms_mean_the_same() -> None:
    rng = random.Random(5)
    for _ in range(80):
        term, meaning = tree(rng, 32, 4)
        new, value = tree(rng, 64, 2)
        values = assignment(rng)
        put = Replacing({var("x64", 64): new})
        assert evaluate([put.of(term)], values) == [meaning({**values, "x64": value(values)})]


def test_a_condition_that_fixes_a_variable_is_true_once_it_is_put_in() -> None:
    x, y, keep = var("x64", 64), var("y64", 64), var("rsp", 64)
    for condition in (
        compare.equal(sums.add(x, sums.scaled(y, 4)), const(20, 64)),
        compare.equal(bits.extract(x, 40, 9), const(77, 32)),
        bits.bit_not(bits.extract(x, 5, 5)),
    ):
        found = solved((condition,), keep)
        assert found
        assert Replacing(found).of(condition) is const(1, 1)


@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("divisor", [3, 5, 6, 7, 10, 25, 100, 125])
def test_multiplying_by_a_reciprocal_is_a_division(width: int, divisor: int) -> None:
    """As compilers do it; the sum of the quotient's terms is then the same object."""
    x = var(f"x{width}", width)
    shift = width + divisor.bit_length() - 1
    factor = -(-(1 << shift) // divisor)
    wide = 2 * width + 8
    found = bits.extract(sums.scaled(bits.zext(x, wide), factor), shift + width - 1, shift)
    if factor * divisor - (1 << shift) << width <= 1 << shift:
        assert found is compare.quotient(x, const(divisor, width), is_signed=False)
    half = width - 1 + divisor.bit_length() - 1
    multiplier = (1 << half) // divisor + 1
    product = sums.scaled(bits.sext(x, wide), multiplier)
    lower = shifts.shift_right_signed(product, const(half, wide))
    quotient = sums.add(bits.extract(lower, width - 1, 0), bits.zext(bits.sign(x), width))
    rng = random.Random(divisor)
    for _ in range(200):
        values = {f"x{width}": rng.choice([0, 1, mask(width), rng.getrandbits(width)])}
        number = values[f"x{width}"]
        s = signed(number, width)
        assert evaluate([found], values) == [number * factor >> shift & mask(width)]
        expected = (s * multiplier >> half) + (s < 0)
        assert evaluate([quotient], values) == [expected & mask(width)]


def test_loads_see_stores() -> None:
    base, other = var("x64", 64), var("y64", 64)
    start = var("memory", 0)
    written = memory.store(start, base, const(0x11223344, 32))
    written = memory.store(written, other, const(0xAA, 8))
    assert memory.load(memory.store(start, base, const(7, 32)), base, 4) is const(7, 32)
    read = memory.load(written, base, 4)
    for at, expected in ((100, 0x112233AA), (101, 0x1122AA44), (200, 0x11223344)):
        seen = Evaluation({"x64": 100, "y64": at}, lambda a: a & 0xFF)
        assert seen.of(read) == expected


def test_the_solvers_read_terms_as_they_are_meant() -> None:
    if "z3" not in installed():
        pytest.skip("z3 is not installed")
    rng = random.Random(11)
    scripts, expected = [], []
    for _ in range(30):
        width = rng.choice(WIDTHS)
        term, meaning = tree(rng, width, 4)
        values = assignment(rng)
        fixed = [make("eq", 1, var(n, int(n[1:])), const(v, int(n[1:]))) for n, v in values.items()]
        result = const(meaning(values), width)
        same = make("eq", 1, term, result)
        scripts += [script([*fixed, same]), script([*fixed, make("xor", 1, same, const(1, 1))])]
        expected += ["sat", "unsat"]
    answers = Solvers().quick(scripts, 5.0, 60.0)
    assert [x.kind for x in answers] == expected
