"""Every family: its C compiles and varies; gcc's code for it is found and equalled."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gccllm.asm.unit import parse
from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.layouts import layouts
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.process import run
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain

SAMPLES = 6


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    return Toolchain()


@pytest.fixture(scope="module")
def harness(tools: Toolchain) -> Iterator[Harness]:
    with Harness(toolchain=tools) as opened:
        yield opened


def compiled(tools: Toolchain, slow: SlowForm) -> str:
    argv = [tools.cc, "-O3", "-S", "-Wall", "-Werror", "-x", "c", "-", "-o", "-"]
    done = run(argv, timeout=30, stdin=slow.source.encode())
    assert done.ok, slow.source + done.stderr.decode()
    return done.stdout.decode()


def test_families_have_names_of_their_own() -> None:
    names = [x.name for x in FAMILIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda x: x.name)
def test_slow_forms_vary(family: Family) -> None:
    drawn = {family.slow(random.Random(seed)).source for seed in range(40)}
    assert len(drawn) >= 30
    assert family.slow(random.Random(3)) == family.slow(random.Random(3))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda x: x.name)
def test_slow_forms_are_found_and_replaced_by_equal_code(
    family: Family, tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    features = tools.isa("native", ()).features
    wirer = Wirer(harness, features, (family,), slow=True)
    equal: list[str] = []
    drawn = [family.slow(random.Random(seed)) for seed in range(SAMPLES)]
    for slow, text in [(x, compiled(tools, x)) for x in drawn]:
        if equal:
            break
        parsed = parse(text)
        for layout in layouts(tools, parsed, slow.function, tmp_path / "unit.o"):
            for region in layout.regions:
                equal += [x.instance.form.label for x in wirer.equal(layout, region)]
    assert equal, f"no form of {family.name} fits any of {SAMPLES} samples"


def test_a_form_names_only_what_it_declares() -> None:
    with pytest.raises(ValueError, match="undeclared"):
        Form("wrong", "movl {x:l}, {y:l}", inputs="x")


def test_hints_see_loops_and_factors() -> None:
    loop = Hints(("L0:", "\tsall\t$5, %eax", "\timull\t$77, %ecx, %ecx", "\tjne\tL0"))
    assert loop.loops
    assert loop.multipliers == (31, 33, 77)
    assert loop.immediates == {5, 77}
    assert not Hints(("L0:", "\tjne\tL1", "L1:", "\taddl\t%eax, %eax")).loops


def test_a_form_that_nearly_always_falls_back_is_not_called_equal(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    """Its own way is wrong, but the states hardly ever take it."""
    vain = Form(
        "vain",
        "movabsq $0x123456789abcdef, {t:q}\n cmpq {t:q}, {x:q}\n jne {B}\n xorl {n:l}, {n:l}",
        inputs="x",
        outputs="n",
        scratch="t",
    )
    family = Family("vain", lambda rng: SlowForm("vain", "f", ""), lambda hints: [vain])
    source = "int f(unsigned long x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }"
    unit = parse(compiled(tools, SlowForm("vain", "f", source)))
    wirer = Wirer(harness, frozenset(), (family,), slow=True)
    tried = 0
    for layout in layouts(tools, unit, "f", tmp_path / "unit.o"):
        for region in layout.regions:
            tried += len(wirer.fitting(layout, region))
            assert list(wirer.equal(layout, region)) == []
    assert tried


def test_what_is_not_tried_in_time_is_not_called_equal(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    wirer = Wirer(harness, frozenset(), FAMILIES, slow=True)
    source = "int f(unsigned long x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }"
    unit = parse(compiled(tools, SlowForm("popcount", "f", source)))
    found = [(x, r) for x in layouts(tools, unit, "f", tmp_path / "u.o") for r in x.regions]
    assert any(list(wirer.equal(*one)) for one in found)
    assert not any(list(wirer.equal(*one, until=0.0)) for one in found)


@pytest.mark.parametrize(
    "source",
    [
        "long f(int n) { long s = 0; for (int i = 0; i < n; i++) s += 2L * i + 1; return s; }",
        "long f(int n)\n{ long s = 0;"
        " for (int i = 1; i <= n; i++) s += (long)i * (i + 1L) / 2; return s; }",
    ],
)
def test_sums_that_take_many_rounds_to_pass_32_bits_are_told_apart(
    source: str, tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    """From 65,536 rounds on the forms differ; loops were run for 4,096 rounds at most."""
    family = next(x for x in FAMILIES if x.name == "rangesum")
    wirer = Wirer(harness, tools.isa("native", ()).features, (family,), states=8000)
    unit = parse(compiled(tools, SlowForm("rangesum", "f", source)))
    found = {
        wired.instance.form.label[-1]
        for layout in layouts(tools, unit, "f", tmp_path / "unit.o")
        for region in layout.regions
        if max(region.exits[0].live.values(), default=0) == 64
        for wired in wirer.equal(layout, region)
    }
    assert found == {"q"}


@pytest.mark.parametrize(
    ("family", "takes", "ends", "right", "wrong"),
    [
        ("find", "const unsigned *a, int n", "a[i] == 15", "eq 15, 32 bits, 256", "ne |ahead"),
        (
            "findlimit",
            "const signed char *a, long n",
            "a[i] < -97",
            "lt -97, 8 bits, 256",
            "g[et] ",
        ),
        (
            "findlimit",
            "const signed char *a, long n",
            "a[i] < -97",
            "lt -97, 8 bits, 512",
            "g[et] ",
        ),
        (
            "sortedcheck",
            "const short *a, long n",
            "a[i + 1] >= a[i]",
            "neighbours jle, one carried s, 16 bits, 256",
            "jge|64 bits|index$|offset",
        ),
        (
            "mismatch",
            "const char *a, const char *b, long n",
            "a[i] != b[i]",
            "unequal, 8 bits, 256",
            " 64 bits|ahead",
        ),
    ],
)
def test_what_is_wrong_for_few_arrays_only_is_not_called_equal(
    family: str,
    takes: str,
    ends: str,
    right: str,
    wrong: str,
    tools: Toolchain,
    harness: Harness,
    tmp_path: Path,
) -> None:
    """Of hundreds of wirings some that skip many elements got by thousands of random states."""
    level = "v4" if "512" in right else "v3"
    source = (
        f"int f({takes}) {{ int r = 0;"
        f" for (__typeof__(n) i = 0; i < n; i++) if ({ends}) {{ r = 1; break; }} return r; }}"
    )
    needed = tools.isa("target", (f"-march=x86-64-{level}",)).features
    if not needed <= tools.isa("native", ()).features:
        pytest.skip(f"this machine is no x86-64-{level}")
    chosen = next(x for x in FAMILIES if x.name == family)
    wirer = Wirer(harness, needed, (chosen,), states=8000, slow=True)
    unit = parse(compiled(tools, SlowForm(family, "f", source)))
    found = {
        wired.instance.form.label
        for layout in layouts(tools, unit, "f", tmp_path / "unit.o")
        for region in layout.regions
        for wired in wirer.equal(layout, region)
    }
    assert any(x.startswith(f"skip until {right} at a time") for x in found), found
    assert not any(re.search(wrong, x) for x in found), found
