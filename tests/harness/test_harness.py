"""The harness beyond its kernels: stack, globals, constants, bad candidates, all of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.region_text import render
from gccllm.asm.regions import Region, regions
from gccllm.asm.unit import Unit, parse
from gccllm.harness import Comparison, ComparisonKind, Harness
from gccllm.harness.compare import UNTRIED
from gccllm.types import Isa
from tests.asm.tools import CORPUS, assemble, compile_unit

FUNCTION = """
	.text
	.globl	f
	.type	f, @function
f:
{body}
	ret
	.size	f, .-f
	.data
	.align 4
	.type	total, @object
	.size	total, 4
total:
	.long	3
	.section	.rodata
	.align 4
.LC0:
	.long	17
"""


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    with Harness() as opened:
        yield opened


def region_of(body: str, folder: Path) -> tuple[Unit, Region]:
    lines = "\n".join(x if x.endswith(":") else f"\t{x}" for x in body.split("; "))
    text = FUNCTION.format(body=lines)
    unit = parse(text)
    return unit, regions(unit, "f", functions_of(assemble(text, folder / "f.o")))[0]


def judged(
    harness: Harness, folder: Path, body: str, *candidates: str, isa: Isa | None = None
) -> list[Comparison]:
    unit, region = region_of(body, folder)
    base = render(unit, region).splitlines()
    texts = [c.split("; ") for c in candidates]
    return harness.compare(region, unit, base, texts, isa=isa, states=2000, seed=3)


def kinds(results: list[Comparison]) -> list[str]:
    return [r.kind.value for r in results]


def test_stack_slots(harness: Harness, tmp_path: Path) -> None:
    body = "movl 8(%rsp), %eax; addl %edi, %eax; movl %eax, 12(%rsp); addl %edi, %eax"
    right = "movl %edi, %eax; addl 8(%rsp), %eax; movl %eax, 12(%rsp); addl %edi, %eax"
    results = judged(
        harness,
        tmp_path,
        body,
        right,
        right.replace("8(", "16("),
        right.replace("12(", "20("),
        right + "; pushq %rdi",
        right + "; pushq %rdi; popq %rdi",
    )
    assert kinds(results) == ["equal", "differs", "differs", "differs", "equal"]


def test_what_there_is_no_time_for_is_refused(harness: Harness, tmp_path: Path) -> None:
    unit, region = region_of(
        "movl %edi, %eax; imull %edi, %eax; addl %edi, %eax; addl $3, %eax", tmp_path
    )
    base = render(unit, region).splitlines()
    (result,) = harness.compare(region, unit, base, [base], until=0.0)
    assert result.kind is ComparisonKind.REFUSED
    assert result.detail == UNTRIED


def test_globals_and_constants(harness: Harness, tmp_path: Path) -> None:
    body = "movl total(%rip), %eax; imull .LC0(%rip), %eax; addl %edi, %eax; movl %eax, total(%rip)"
    right = "imull $17, total(%rip), %eax; addl %edi, %eax; movl %eax, total(%rip)"
    results = judged(
        harness,
        tmp_path,
        body,
        right,
        right.replace("17", "18"),
        right.replace("movl %eax, total(%rip)", "nop"),
        right + "; movl other(%rip), %edx",
        right.replace("$17, total(%rip), %eax", "total(%rip), %eax").replace(
            "imull", "movl D0(%rip), %eax; imull", 1
        )
        + "; D0:; .long 17",
    )
    assert kinds(results) == ["equal", "differs", "differs", "refused", "equal"]


def test_flags_that_are_read_later(harness: Harness, tmp_path: Path) -> None:
    text = "addl %esi, %edi; movl %edi, %eax; subl %edx, %eax; jo .L2; call abort; .L2:"
    results = judged(
        harness,
        tmp_path,
        text,
        "addl %esi, %edi; movl %edi, %eax; subl %edx, %eax; jo X0",
        "addl %esi, %edi; movl %edi, %eax; subl %edx, %eax; jc X0",
    )
    assert kinds(results)[1] == "differs"
    assert results[0].equal


def test_one_bad_candidate_spoils_no_other(harness: Harness, tmp_path: Path) -> None:
    body = "movl %edi, %eax; imull %edi, %eax; addl $1, %eax"
    results = judged(
        harness,
        tmp_path,
        body,
        "bogus %eax",
        "movl %edi, %eax; imull %eax, %eax; addl $1, %eax",
        "L0:; jmp L0",
        "movl (%rdi), %eax",
        "call abort",
        "ud2",
        "movq $0, %rsp; pushq %rax",
        "xorl %ecx, %ecx; divl %ecx",
        "jmp 0x1000",
        "movl %edi, %eax; imull %edi, %eax; incl %eax",
    )
    assert kinds(results) == [
        "not-assembled",
        "equal",
        "hung",
        "faulted",
        "refused",
        "faulted",
        "faulted",
        "faulted",
        "refused",
        "equal",
    ]


def test_registers_that_must_keep_their_values(harness: Harness, tmp_path: Path) -> None:
    body = "movl %edi, %eax; imull %edi, %eax; addl $1, %eax"
    right = "movl %edi, %eax; imull %edi, %eax; incl %eax"
    results = judged(
        harness,
        tmp_path,
        body,
        right + "; movl %eax, %r11d",
        right + "; movl %eax, %r12d",
        right + "; pushq %r12; movl %eax, %r12d; popq %r12",
        right + "; std",
        right + "; movslq %eax, %rax",
    )
    assert kinds(results) == ["equal", "differs", "equal", "refused", "differs"]


def test_vector_registers_beyond_the_isa_are_refused(harness: Harness, tmp_path: Path) -> None:
    isa = Isa("target", "x", frozenset(("SSE2",)))
    body = "movl %edi, %eax; imull %edi, %eax; addl $1, %eax"
    wide = body + "; vpxor %ymm0, %ymm0, %ymm0"
    [result] = judged(harness, tmp_path, body, wide, isa=isa)
    assert result.kind is ComparisonKind.REFUSED
    assert "ymm" in result.detail


def test_a_region_that_never_finishes_proves_nothing(harness: Harness, tmp_path: Path) -> None:
    body = "movl $0, %eax; movl (%rax), %eax; addl %edi, %eax"
    [result] = judged(harness, tmp_path, body, "movl %edi, %eax")
    assert result.kind is ComparisonKind.EQUAL
    assert (result.run, result.equal) == (0, False)


@pytest.mark.parametrize("options", [("-O2",), ("-O3", "-mavx2")], ids=str)
@pytest.mark.parametrize("name", ["loops", "pointers", "tables", "variadic"])
def test_no_region_of_the_corpus_differs_from_itself(
    name: str, options: tuple[str, ...], harness: Harness, tmp_path: Path
) -> None:
    text = compile_unit(CORPUS / f"{name}.c", *options)
    unit = parse(text)
    code = functions_of(assemble(text, tmp_path / "unit.o"))
    ran = 0
    for function in unit.functions:
        for region in regions(unit, function, code)[:2]:
            base = render(unit, region).splitlines()
            [result] = harness.compare(region, unit, base, [base], states=300)
            assert result.kind in (ComparisonKind.EQUAL, ComparisonKind.REFUSED), result
            ran += result.run > 0
    assert ran
