"""Operands in one order."""

from __future__ import annotations

import pytest

from gccllm.asm.ordering import ordered, ordered_like

BEGIN = ["L0:", "\tmovl\t(%rdi), %eax", "\taddl\t%esi, %eax"]


@pytest.mark.parametrize(
    ("jump", "swapped"),
    [("l", "g"), ("ge", "le"), ("b", "a"), ("nb", "be"), ("a", "b"), ("be", "nb"), ("ne", "ne")],
)
def test_the_register_that_is_named_first_is_compared_first(jump: str, swapped: str) -> None:
    one = [*BEGIN, "\tcmpl\t%esi, %edi", f"\tj{jump}\tL0", "\tret"]
    other = [*BEGIN, "\tcmpl\t%edi, %esi", f"\tj{swapped}\tL0", "\tret"]
    assert ordered(one) == other
    assert ordered(other) == other


def test_a_register_that_is_new_comes_last() -> None:
    lines = [*BEGIN, "\tcmpq\t%r9, %rdi", "\tjl\tL0", "\tcmpq\t%r10, %r11", "\tjl\tL0"]
    assert ordered(lines)[3:] == ["\tcmpq\t%rdi, %r9", "\tjg\tL0", *lines[5:]]


@pytest.mark.parametrize("reader", ["\tja\tL1", "\tsete\t%al", "\tcmovl\t%eax, %esi"])
def test_what_compares_for_more_than_one_stays(reader: str) -> None:
    lines = [*BEGIN, "\tcmpl\t%esi, %edi", "\tjl\tL0", reader]
    assert ordered(lines) == lines


@pytest.mark.parametrize("line", ["\tjs\tL0", "\tjmp\tL0", "\tsetl\t%al", ""])
def test_only_a_jump_that_has_a_mirror_is_mirrored(line: str) -> None:
    lines = [*BEGIN, "\tcmpl\t%esi, %edi", line]
    assert ordered(lines) == lines


def test_base_and_index_without_a_scale_are_ordered() -> None:
    lines = [*BEGIN, "\tmovb\t4(%rsi,%rdi), %al", "\tmovb\t(%rsi,%rdi,2), %al"]
    assert ordered(lines)[3:] == ["\tmovb\t4(%rdi,%rsi), %al", lines[4]]
    lines = [*BEGIN, "\tcmpb\t%al, (%rsi,%rdi)", "\tjne\tL0"]
    assert ordered(lines)[3:] == ["\tcmpb\t(%rdi,%rsi), %al", "\tjne\tL0"]


@pytest.mark.parametrize("memory", ["(%rsi)", "8(%rsi,%rax,4)", "table(%rip)", "4(,%rax,8)"])
def test_memory_is_compared_before_the_register(memory: str) -> None:
    one = [*BEGIN, f"\tcmpl\t%edi, {memory}", "\tjl\tL0"]
    other = [*BEGIN, f"\tcmpl\t{memory}, %edi", "\tjg\tL0"]
    assert ordered(one) == other
    assert ordered(other) == other


def test_numbers_are_compared_as_they_stand() -> None:
    lines = [*BEGIN, "\tcmpl\t$3, %edi", "\tjl\tL0", "\tcmpl\t$3, (%rsi)", "\tjl\tL0"]
    assert ordered(lines) == lines


def test_the_stack_pointer_is_no_index() -> None:
    lines = [*BEGIN, "\tmovb\t4(%rsp,%rdi), %al"]
    assert ordered(lines) == lines


MODEL = ["rdi", "rax", "rdx", "rcx"]


def test_a_copy_is_written_as_its_model() -> None:
    """Whatever stands in front of it names registers in another order."""
    front = ["\tmovd\t%ecx, %xmm1", "\tcmpq\t%rcx, %r8", "\tjl\tL1"]
    copy = ["\tmovl\t(%rdi,%rax,4), %edx", "\tcmpl\t%ecx, %edx", "\tjle\tL1"]
    assert ordered_like([*front, *copy], MODEL) == [
        *front,
        copy[0],
        "\tcmpl\t%edx, %ecx",
        "\tjge\tL1",
    ]


@pytest.mark.parametrize(
    "readers",
    [
        ["\tjle\tL1", "\tje\tL2"],
        ["\tjle\tL1", "\tmovl\t%edx, %esi", "\tsete\t%al"],
        ["\tjle\tL1", "\tret", "L1:", "\tcmove\t%edx, %esi"],
    ],
)
def test_code_whose_flags_are_read_later_stays(readers: list[str]) -> None:
    lines = ["\tcmpl\t%ecx, %edx", *readers]
    assert ordered_like(lines, MODEL) == lines
