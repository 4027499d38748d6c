"""Registers lent to new lines of a region."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.asm.lending import lent
from gccllm.asm.region_model import Region
from gccllm.asm.unit import parse
from gccllm.families.layouts import Layout, layouts
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain

UNIT = """
	.text
	.globl	f
	.type	f, @function
f:
	xorl	%eax, %eax
	movl	$3, %r9d
.L2:
	movl	%edi, %ecx
	andl	$1, %ecx
	addl	%ecx, %eax
	shrl	%edi
	jne	.L2
	addl	%r9d, %eax
	ret
	.size	f, .-f
"""
COUNT = ["\tpopcntl\t%edi, %r9d", "\taddl\t%r9d, %eax", "\txorl\t%edi, %edi"]


@pytest.fixture
def loop(tmp_path: Path) -> tuple[Layout, Region]:
    """The loop of f; r9 holds what is added behind it."""
    for layout in layouts(Toolchain(), parse(UNIT), "f", tmp_path / "f.o"):
        for region in layout.regions:
            if region.shape.value == "loop":
                assert "r9" not in {*region.live_in, *region.free, *region.writes}
                return layout, region
    raise AssertionError("no loop")


def _equal(loop: tuple[Layout, Region], *versions: list[str]) -> list[bool]:
    with Harness(toolchain=Toolchain()) as harness:
        found = Wirer(harness, frozenset()).compare(*loop, versions, states=500, seed=1)
    return [x.equal and x.run > 0 for x in found]


def test_what_is_borrowed_comes_back(loop: tuple[Layout, Region]) -> None:
    new = lent(COUNT, loop[1])
    assert new[0] == "\tmovq\t%r9, %xmm0"
    assert new[-1] == "\tmovq\t%xmm0, %r9"
    assert _equal(loop, COUNT, new) == [False, True]


def test_loops_and_exits_in_the_middle(loop: tuple[Layout, Region]) -> None:
    lines = ["L0:", "\tmovl\t%edi, %r9d", "\tandl\t$1, %r9d", "\taddl\t%r9d, %eax"]
    for end in (["\tshrl\t%edi", "\tjne\tL0"], ["\tshrl\t%edi", "\tje\tX0", "\tjmp\tL0"]):
        new = lent([*lines, *end], loop[1])
        assert _equal(loop, new) == [True]


def test_vectors_in_use_are_not_taken(loop: tuple[Layout, Region]) -> None:
    lines = ["\tvmovd\t%edi, %xmm0", "\tvmovd\t%xmm0, %edi", *COUNT]
    new = lent(lines, loop[1])
    assert new[0] == "\tvmovq\t%r9, %xmm1"
    assert _equal(loop, new) == [True]


def test_data_stays_behind_the_code(loop: tuple[Layout, Region]) -> None:
    new = lent([*COUNT, "D0:", "\t.long\t5"], loop[1])
    assert new[-3:] == ["\tmovq\t%xmm0, %r9", "D0:", "\t.long\t5"]


def test_what_can_not_be_helped_stays(loop: tuple[Layout, Region]) -> None:
    _, region = loop
    own = ["\tmovl\t%edi, %ecx", "\taddl\t%ecx, %eax"]
    assert lent(own, region) == own
    inner = ["\tmovl\t%edi, %r9d", "L0:", "\tshrl\t%r9d", "\tjne\tL0"]
    assert lent(inner, region) == inner, "the entry is in the middle"
    general = replace(region, free=frozenset(x for x in region.free if x[0] == "r"))
    assert lent(COUNT, general) == COUNT, "no vector register is free"
