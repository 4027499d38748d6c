"""Registers renamed in canonical text."""

from __future__ import annotations

import pytest

from gccllm.asm.renaming import (
    GENERAL,
    RENAMABLE,
    first_seen,
    renamable,
    renamable_vectors,
    renamed,
    settled,
    unfixed,
    vectors_first_seen,
    vectors_in,
)

TEXT = """L0:
\tmovq\t%rdi, %r8
\tmovzbl\t%sil, %ebx
\taddw\t%bp, %r10w
\tmovb\t%bl, 8(%r13,%rsi,4)
\tsall\t%cl, %r9d
\tleaq\trsi_table(%rip), %rax
"""


def test_every_width_follows_its_register() -> None:
    names = {"rdi": "r12", "rsi": "rbp", "rbx": "rdi", "r10": "rsi", "r13": "rbx", "r9": "r8"}
    assert renamed(TEXT, names).splitlines()[1:6] == [
        "\tmovq\t%r12, %r8",
        "\tmovzbl\t%bpl, %edi",
        "\taddw\t%bp, %si",
        "\tmovb\t%dil, 8(%rbx,%rbp,4)",
        "\tsall\t%cl, %r8d",
    ]


def test_names_of_other_things_stay() -> None:
    everything = dict(zip(RENAMABLE, reversed(RENAMABLE), strict=True))
    assert "rsi_table(%rip), %rax" in renamed(TEXT, everything)
    assert renamed(".Lr8 di bx_1 r8x", everything) == ".Lr8 di bx_1 r8x"
    assert renamed("<|live_in|>%r8:32 r9", {"r8": "rdi", "r9": "rsi"}) == "<|live_in|>%rdi:32 rsi"


def test_texts_that_differ_in_registers_become_one() -> None:
    names = {"rdi": "r12", "rsi": "rbp", "rbx": "rdi", "rbp": "r9", "r9": "rbx", "r12": "rsi"}
    other = renamed(TEXT, names)
    assert other != TEXT
    assert renamed(TEXT, first_seen([TEXT], [])) == renamed(other, first_seen([other], []))


def test_a_renaming_is_a_permutation_and_can_be_taken_back() -> None:
    names = first_seen([TEXT], ["r15", "r14"])
    assert sorted(names) == sorted(names.values()) == sorted(RENAMABLE)
    assert list(names)[8:10] == ["r14", "r15"], "free ones come before the rest"
    assert renamed(renamed(TEXT, names), {new: old for old, new in names.items()}) == TEXT


@pytest.mark.parametrize(
    "line", ["\tmovzbl\t%ah, %eax", "\trep stosq", "\tmovsb", "\tlodsb\t(%rsi), %al", "\tcpuid"]
)
def test_registers_that_are_used_unnamed_forbid_it(line: str) -> None:
    assert not renamable(f"L0:\n{line}\n")
    assert renamable("L0:\n\tmovsbl\t(%rdi), %eax\n")


def test_scratch_registers_are_taken_in_one_order() -> None:
    lines = ("L0:", "\tmovl\t%edi, %r11d", "\tshrl\t$1, %r11d", "\taddl\t%r11d, %ebp")
    spare = {"r11", "rbp", "r8", "rsi"}
    assert settled(lines, spare | {"rax"})[1] == "\tmovl\t%edi, %eax"
    assert settled(lines, spare) == (
        "L0:",
        "\tmovl\t%edi, %esi",
        "\tshrl\t$1, %esi",
        "\taddl\t%esi, %r8d",
    )
    assert settled(settled(lines, spare), spare) == settled(lines, spare)
    assert settled(lines, {"rax"}) == lines
    assert settled((*lines, "\trep stosq"), spare)[:4] == lines


def test_all_general_registers_can_be_renamed_where_none_is_used_unnamed() -> None:
    text = "\tmovb\t%al, %dl\n\tleaw\t(%rcx,%rbx), %dx\n\taddl\t%ecx, %r8d\n"
    assert unfixed(text)
    names = dict(zip(GENERAL, (*GENERAL[3:], *GENERAL[:3]), strict=True))
    new = renamed(text, names)
    assert new.startswith("\tmovb\t%dil, %r8b\n")
    assert renamed(new, {new: old for old, new in names.items()}) == text


@pytest.mark.parametrize(
    "line",
    [
        "\tsall\t%cl, %eax",
        "\tmulq\t%rsi",
        "\tidivl\t8(%rsp)",
        "\timulq\t%rsi",
        "\tcltq",
        "\tmulx\t%rax, %rsi, %rdi",
        "\tcqto",
        "\tpcmpistri\t$3, %xmm0, %xmm1",
    ],
)
def test_some_instructions_need_rax_rcx_or_rdx(line: str) -> None:
    assert not unfixed(f"{line}\n\taddl\t%eax, %eax\n")
    assert unfixed("\timulq\t%rsi, %rdi\n\tsall\t$3, %eax\n\tshlx\t%ecx, %eax, %eax\n")


def test_vectors_trade_places_with_those_that_are_encoded_alike() -> None:
    text = "\tvpaddd\t%ymm9, %ymm20, %ymm9\n\tmovd\t%xmm3, %eax\n"
    assert list(vectors_in(text)) == ["zmm9", "zmm20", "zmm9", "zmm3"]
    names = vectors_first_seen([text], {"zmm5", "zmm7", "zmm31"})
    assert sorted(names) == sorted(names.values())
    assert all((int(x[3:]) < 16) == (int(y[3:]) < 16) for x, y in names.items())
    assert renamed(text, names) == "\tvpaddd\t%ymm0, %ymm16, %ymm0\n\tmovd\t%xmm1, %eax\n"
    assert [names[x] for x in ("zmm5", "zmm7", "zmm31")] == ["zmm2", "zmm3", "zmm17"]
    assert renamed(renamed(text, names), {new: old for old, new in names.items()}) == text


def test_some_instructions_need_a_certain_vector() -> None:
    assert not renamable_vectors("\tpblendvb\t%xmm0, %xmm1, %xmm2\n")
    assert not renamable_vectors("\tvzeroall\n")
    assert renamable_vectors("\tvpblendvb\t%ymm3, %ymm0, %ymm1, %ymm2\n\tvzeroupper\n")
