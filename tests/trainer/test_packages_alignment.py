"""Other builds' regions put into a region's registers, and the sums of the timing program."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.region_model import Region
from gccllm.asm.region_text import parse_lines
from gccllm.asm.unit import Unit, parse
from gccllm.families.layouts import Layout, layouts
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain
from trainer.corpus.alignment import alignments, unlikeness
from trainer.corpus.builds import BUILDS, alone, baseline, compiled
from trainer.corpus.levels import features_of
from trainer.corpus.registers import anonymous, named, pinned, put
from trainer.corpus.timing import CONTROLS, FEWEST_TICKS, ratios

SUM = """
int total(const int *a, int n) { int s = 0; for (int i = 0; i < n; i++) s += a[i] * 3; return s; }
"""
WORDS = "void words(unsigned *p, int n) { for (int i = 0; i < n; i++) p[i] = p[i] / 7 + 9; }"


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    return Toolchain()


def whole(tools: Toolchain, unit: Unit, name: str, folder: Path) -> tuple[Layout, Region]:
    """The largest region of a function, which is all of it."""
    found = layouts(tools, unit, name, folder / "unit.o")
    return max(((x, r) for x in found for r in x.regions), key=lambda x: x[1].instructions)


@pytest.mark.parametrize(
    ("line", "homes", "expected"),
    [
        (
            "\tmovzbl\t3(%rsi,%rcx,4), %r9d",
            {"rsi": "rdi", "rcx": "r8", "r9": "rax"},
            "\tmovzbl\t3(%rdi,%r8,4), %eax",
        ),
        ("\tmovb\t%al, (%rdx)", {"rax": "rsi", "rdx": "r12"}, "\tmovb\t%sil, (%r12)"),
        ("\txchgw\t%ax, %bx", {"rax": "rbx", "rbx": "rax"}, "\txchgw\t%bx, %ax"),
        (
            "\tvpaddd\t%ymm1, %zmm2, %xmm3{%k1}{z}",
            {"zmm1": "zmm9", "zmm3": "zmm12", "k1": "k4"},
            "\tvpaddd\t%ymm9, %zmm2, %xmm12{%k4}{z}",
        ),
        ("\tmovl\t$5, rax(%rip)", {"rax": "rdx"}, "\tmovl\t$5, rax(%rip)"),
    ],
)
def test_registers_are_put_at_their_width(line: str, homes: dict[str, str], expected: str) -> None:
    assert put(line, homes) == expected


def test_what_an_instruction_uses_without_naming_it_is_pinned() -> None:
    assert pinned(["\tmull\t%ecx"]) == {"rax", "rdx"}
    assert pinned(["\timulq\t%rcx, %rsi"]) == set()
    assert pinned(["\tidivl\t8(%rsi,%rcx,4)"]) == {"rax", "rdx"}
    assert pinned(["\tsall\t%cl, %eax"]) == {"rcx"}
    assert pinned(["\trep stosq"]) == {"rax", "rcx", "rdi", "rsi"}
    assert pinned(["\tpblendvb\t%xmm0, %xmm1, %xmm2"]) == {"zmm0"}
    assert pinned(["\taddl\t%eax, %edx"]) == set()


def test_code_that_differs_in_registers_is_the_same() -> None:
    first = ["L0:", "\taddl\t(%rdi), %eax", "\taddq\t$4, %rdi"]
    assert anonymous(first) == anonymous([put(x, {"rdi": "r9", "rax": "rcx"}) for x in first])
    assert anonymous(first) != anonymous(["L0:", "\taddl\t(%rdi), %eax", "\taddq\t$4, %rax"])
    assert named(first) == ["rdi", "rax"]


def test_the_same_code_in_other_registers_is_recognised(
    shared_cache: Path, tools: Toolchain, tmp_path: Path
) -> None:
    unit = baseline(tools, SUM, tmp_path)
    assert unit is not None
    layout, region = whole(tools, unit, "total", tmp_path)
    swapped = {"rcx": "r8", "r8": "rcx"}
    other = parse("\n".join(put(x, swapped) for x in unit.lines))
    theirs = whole(tools, other, "total", tmp_path)
    assert unlikeness(layout, region, *theirs) == 0
    found = alignments(layout, region, *theirs, 4)
    with Harness(toolchain=tools) as harness:
        wirer = Wirer(harness, features_of(tools.cc, "x86-64"))
        results = wirer.compare(layout, region, found, states=500, seed=3)
    assert any(x.equal for x in results)


@pytest.mark.parametrize(("source", "name"), [(SUM, "total"), (WORDS, "words")])
def test_wide_registers_are_left_clean_and_constants_come_along(
    shared_cache: Path, tools: Toolchain, tmp_path: Path, source: str, name: str
) -> None:
    unit = baseline(tools, source, tmp_path)
    assert unit is not None
    layout, region = whole(tools, unit, name, tmp_path)
    wide = [x for x in BUILDS if x.compiler == "gcc" and x.level == "x86-64-v3"]
    ((_, built),) = compiled(tools, source, wide, tmp_path)
    theirs = whole(tools, alone(built, name), name, tmp_path)
    found = alignments(layout, region, *theirs, 4)
    assert found
    for lines in found:
        assert any("%ymm" in x for x in lines)
        parsed = parse_lines(region, lines)
        for before, line in zip(parsed.code, parsed.code[1:], strict=False):
            if line.split()[-1].startswith("X"):
                assert before.strip() == "vzeroupper"
        assert any(x.strip() == "vzeroupper" for x in parsed.code)
        assert bool(parsed.data) == any("D0" in x for x in parsed.code)
    with Harness(toolchain=tools) as harness:
        wirer = Wirer(harness, features_of(tools.cc, "x86-64-v3"))
        results = wirer.compare(layout, region, found, states=500, seed=3)
    assert any(x.equal for x in results), [x.detail for x in results]


def printed(*versions: tuple[int, int], states: int = 100) -> str:
    rows = [f"{n} {first} {second}" for n, (first, second) in enumerate(versions, 1)]
    return "\n".join([f"states {states}", *rows]) + "\n"


def test_the_quickest_control_and_the_worse_half_count() -> None:
    base = [(9_000, 9_000)] * (CONTROLS - 1) + [(5_000, 7_000)]
    # Less the 1000 of doing nothing: 4000 and 6000 by 2000 and 4000.
    assert ratios(printed(*base, (3_000, 5_000), (1_000, 1_000)), 1) == [1.5]


def test_what_can_not_be_told_is_no_speedup() -> None:
    quick = 1_000 + 100 * FEWEST_TICKS - 1
    base = [(quick, quick)] * CONTROLS
    assert ratios(printed(*base, (1_000, 1_000), (1_000, 1_000)), 1) == [0.0]
    base = [(9_000, 9_000)] * CONTROLS
    assert ratios(printed(*base, (0, 0), (2_000, 2_000), (1_000, 1_000)), 2) == [0.0, 8.0]
    assert ratios(printed(*base, (2_000, 2_000), (1_000, 1_000), states=3), 1) == [0.0]
    assert ratios("", 2) == [0.0, 0.0]
