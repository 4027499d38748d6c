"""Regions: what they hold, and that rendering and replacing them loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.normalise import same_code
from gccllm.asm.region_text import parse_lines, render, replace
from gccllm.asm.regions import Region, Shape, regions
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import Unit, parse
from tests.asm.tools import CORPUS, assemble, build, compile_unit, execute, sources

OPTIONS = [
    ("-O3",),
    ("-O2", "-g"),
    ("-O3", "-march=native"),
    ("-Os",),
    ("-O1",),
    ("-O2", "-fcf-protection", "-fno-asynchronous-unwind-tables"),
    ("-O2", "-fPIC"),
    ("-O2", "-fno-pie"),
]

SUM = """
	.text
	.globl	sum
	.type	sum, @function
sum:
	movl	%edx, %r8d
	testl	%esi, %esi
	jle	.L4
	movslq	%esi, %rsi
	xorl	%eax, %eax
	leaq	(%rdi,%rsi,4), %rdx
.L3:
	addl	(%rdi), %eax
	addq	$4, %rdi
	cmpq	%rdx, %rdi
	jne	.L3
	addl	%r8d, %eax
	ret
.L4:
	movl	%r8d, %eax
	ret
	.size	sum, .-sum
"""


def found(
    text: str, name: str, folder: Path, **options: frozenset[str]
) -> tuple[Unit, list[Region]]:
    unit = parse(text)
    code = functions_of(assemble(text, folder / "unit.o"))
    return unit, regions(unit, name, code, **options)


def test_a_loop_with_its_preheader(tmp_path: Path) -> None:
    unit, all_found = found(SUM, "sum", tmp_path)
    region = all_found[0]
    assert region.shape is Shape.PREHEADER
    assert (region.kind, region.entry, region.depth) == ("loop", "", 1)
    assert region.live_in == {"rdi": 64, "rsi": 32}
    assert [(x.label, dict(x.live), x.flags) for x in region.exits] == [
        ("", {"rax": 32}, frozenset())
    ]
    assert region.guard == ("\ttestl\t%esi, %esi", "\tjle\tX")
    pointer = region.pointers[0]
    assert (pointer.origin, pointer.low, pointer.high, pointer.sizes) == ("rdi", 0, 4, (4,))
    assert (pointer.strides, pointer.loads, pointer.stores) == ((4,), True, False)
    assert region.counts == {"rsi"}
    assert {"rdi", "rsi", "rdx", "rcx", "zmm0"} <= region.free
    assert not {"rax", "r8", "rbx", "rsp"} & region.free
    assert render(unit, region).splitlines() == [
        "L0:",
        "\tmovslq\t%esi, %rsi",
        "\txorl\t%eax, %eax",
        "\tleaq\t(%rdi,%rsi,4), %rdx",
        "L1:",
        "\taddl\t(%rdi), %eax",
        "\taddq\t$4, %rdi",
        "\tcmpq\t%rdx, %rdi",
        "\tjne\tL1",
    ]


def test_the_loop_alone_and_its_body(tmp_path: Path) -> None:
    _, all_found = found(SUM, "sum", tmp_path)
    loop, body = all_found[1], all_found[2]
    assert (loop.shape, body.shape) == (Shape.LOOP, Shape.BODY)
    assert loop.live_in == {"rax": 32, "rdi": 64, "rdx": 64}
    assert [(r.first, r.second, r.step) for r in loop.relations] == [("rdi", "rdx", 4)]
    assert loop.steps == {"rdi": 4}
    assert body.entry == ".L3"
    assert dict(body.exits[0].live) == {"rax": 32, "rdi": 64}
    assert "rdx" not in body.free


def test_other_exits_are_named(tmp_path: Path) -> None:
    text = compile_unit(CORPUS / "loops.c", "-O1")
    unit, all_found = found(text, "largest", tmp_path)
    for region in all_found:
        rendered = render(unit, region)
        for number, leaving in enumerate(region.exits):
            assert (f"\tX{number}\n" in rendered) == bool(leaving.label)


def test_registers_that_callers_rely_on_are_not_free(tmp_path: Path) -> None:
    text = compile_unit(CORPUS.parent / "programs" / "ipa_global.c", "-O3")
    unit = parse(text)
    code = functions_of(assemble(text, tmp_path / "unit.o"))
    for region in regions(unit, "leaf", code):
        assert {r for r in region.free if r[0] == "r"} <= code.clobbers("leaf") | region.writes
        assert "rsi" not in region.free


def test_results_can_be_told(tmp_path: Path) -> None:
    text = """
	.text
	.type	f, @function
f:
	movl	%edi, %eax
	imull	%edi, %eax
	addl	$7, %eax
	ret
	.size	f, .-f
"""
    _, guessed = found(text, "f", tmp_path)
    _, void = found(text, "f", tmp_path, results=frozenset())
    assert dict(guessed[0].exits[0].live) == {"rax": 64}
    assert dict(void[0].exits[0].live) == {}
    assert "rax" in void[0].free


@pytest.mark.parametrize(
    "instruction",
    ["call\tabort", "jmp\t*%rax", "pushq\t%rbx", "fld1", "rdtsc", "lock addl\t$1, (%rdi)"],
)
def test_what_is_not_understood_is_in_no_region(instruction: str, tmp_path: Path) -> None:
    text = SUM.replace("\taddl\t%r8d, %eax\n", f"\t{instruction}\n\taddl\t%r8d, %eax\n")
    unit, all_found = found(text, "sum", tmp_path)
    assert all_found
    line = next(i for i, x in enumerate(unit.lines) if x.strip() == instruction)
    assert not any(line in region.lines for region in all_found)


def test_functions_with_obstacles_have_none(tmp_path: Path) -> None:
    text = compile_unit(CORPUS / "odd.c", "-O2")
    unit = parse(text)
    code = functions_of(assemble(text, tmp_path / "unit.o"))
    refused = [n for n, f in unit.functions.items() if f.obstacles]
    assert refused
    assert all(regions(unit, name, code) == [] for name in refused)
    with pytest.raises(KeyError):
        regions(unit, "no such function", code)


@pytest.mark.parametrize("source", sources(), ids=lambda p: p.stem)
def test_replacing_by_its_own_text_changes_nothing(source: Path, tmp_path: Path) -> None:
    count = 0
    for options in OPTIONS:
        text = compile_unit(source, *options)
        unit = parse(text)
        code = functions_of(assemble(text, tmp_path / "unit.o"))
        for name in unit.functions:
            for region in regions(unit, name, code):
                rendered = render(unit, region)
                donor = replace(unit, region, rendered.splitlines())
                assert same_code(text, donor), (options, region)
                count += 1
    assert count > 10


def test_a_replaced_region_works(tmp_path: Path) -> None:
    text = compile_unit(CORPUS / "loops.c", "-O2")
    unit, all_found = found(text, "hash", tmp_path)
    loop = next(r for r in all_found if r.shape is Shape.LOOP)
    new = [*render(unit, loop).splitlines(), "\tpaddd\tD0(%rip), %xmm0", "D0:", "\t.quad\t1, 2"]
    donor = replace(unit, loop, new)
    spliced = splice(unit, parse(donor), ["hash"], tag="t")
    assert isinstance(spliced, Spliced), spliced
    assert len(spliced.brought) == 1
    old = execute(build(text, tmp_path / "old"))
    assert execute(build(spliced.text, tmp_path / "new")) == old


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["\tjmp\tL7"], "no such label"),
        (["\tjmp\tX3"], "no such label"),
        (["foo:", "\tnop"], "labels are"),
        (["L0:\tnop"], "line of its own"),
        (["L0:", "L0:"], "twice"),
        (["\tnop; nop"], "two statements"),
        (["\t.section\t.text"], "not an instruction"),
        (["\tnop", "D0:", "\tnop"], "not a constant"),
    ],
)
def test_malformed_lines(lines: list[str], why: str, tmp_path: Path) -> None:
    _, all_found = found(SUM, "sum", tmp_path)
    with pytest.raises(ValueError, match=why):
        parse_lines(all_found[0], lines)


def test_control_may_not_run_off_an_end_that_has_no_exit(tmp_path: Path) -> None:
    text = SUM.replace("\tret\n.L4", "\tjmp\t.L5\n\tcall\tabort\n.L4").replace(
        "\tret\n\t.size", ".L5:\n\tret\n\t.size"
    )
    _, all_found = found(text, "sum", tmp_path)
    region = next(r for r in all_found if [x.label for x in r.exits] == [".L4", ".L5"])
    with pytest.raises(ValueError, match="run off"):
        parse_lines(region, ["\tnop"])
    assert parse_lines(region, ["\tjmp\tX0"]).exits_used == {0}


VECTORS = """	.text
	.globl	clear
	.type	clear, @function
clear:
	xorl	%eax, %eax
	vpxor	%xmm2, %xmm2, %xmm2
.L3:
	vmovdqu	%ymm2, (%rdi,%rax)
	addq	$32, %rax
	cmpq	%rsi, %rax
	jb	.L3
	vzeroupper
	ret
	.size	clear, .-clear
"""


def test_vzeroupper_makes_no_result(tmp_path: Path) -> None:
    _, all_found = found(VECTORS, "clear", tmp_path)
    assert all_found
    for region in all_found:
        assert not {"zmm0", "zmm1"} & set(region.live_out)
        assert {"zmm0", "zmm1"} <= region.free
