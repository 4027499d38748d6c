"""A pure region of few inputs is run on every value of them."""

from __future__ import annotations

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.regions import regions
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.levels import Examination, Standing
from gccllm.assurance.proof.exhaust import run_all
from gccllm.toolchain import Toolchain
from tests.asm.tools import assemble

SQUARE = """
	.text
	.globl	square
	.type	square, @function
square:
	movzbl	%dil, %eax
	imull	%eax, %eax
	addl	$3, %eax
	ret
	.size	square, .-square
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Unit, Region]:
    unit = parse(SQUARE)
    code = functions_of(assemble(SQUARE, tmp_path_factory.mktemp("square") / "square.o"))
    (region,) = [x for x in regions(unit, "square", code) if x.instructions == 3]
    return unit, region


def run(found: tuple[Unit, Region], text: str) -> Examination:
    unit, region = found
    base = render(unit, region).splitlines()
    lines = ["L0:", *(f"\t{x.strip()}" for x in text.split(";"))]
    return run_all(region, unit, base, lines, constants={}, seconds=20.0, tools=Toolchain())


def test_all_values_are_tried(found: tuple[Unit, Region]) -> None:
    done = run(found, "movzbl %dil, %edx; imull %edx, %edx; leal 3(%rdx), %eax")
    assert done.standing is Standing.PASSED
    assert done.evidence["exhaustive"] == 256


@pytest.mark.parametrize(
    "text",
    [
        "movl %edi, %eax; imull %eax, %eax; addl $3, %eax",
        "movsbl %dil, %eax; imull %eax, %eax; addl $3, %eax",
        "movzbl %dil, %eax; movl %eax, %edx; cmpl $200, %eax; cmovel %edi, %edx; "
        "imull %edx, %edx; leal 3(%rdx), %eax",
    ],
)
def test_one_wrong_value_and_junk_that_is_read_are_found(
    found: tuple[Unit, Region], text: str
) -> None:
    done = run(found, text)
    assert done.standing is Standing.REFUTED
    assert "rdi=" in str(done.evidence["state"])


def test_other_regions_are_not_for_it(found: tuple[Unit, Region]) -> None:
    done = run(found, "movl (%rsp), %eax; addl $3, %eax")
    assert done.standing is Standing.UNKNOWN
    assert "memory" in done.detail


def test_a_version_that_hangs_decides_nothing(found: tuple[Unit, Region]) -> None:
    unit, region = found
    base = render(unit, region).splitlines()
    endless = ["L0:", "L1:", "\tjmp\tL1"]
    done = run_all(region, unit, base, endless, constants={}, seconds=1.0, tools=Toolchain())
    assert done.standing is Standing.UNKNOWN
