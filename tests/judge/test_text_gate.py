"""What the text gate lets through, where it says the fault is, and how far its patience goes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gccllm.judge.screen import RULES, check_text
from gccllm.process import run

FUNCTION = """\
\t.text
\t.p2align 4
\t.globl\tf
\t.type\tf, @function
f:
.LFB0:
\t.cfi_startproc
\tmovl\t%edi, %eax
\tret
\t.cfi_endproc
\t.size\tf, .-f
\t.section\t.note.GNU-stack,"",@progbits
"""


def rules(body: str, baseline: str = FUNCTION) -> list[tuple[str, int]]:
    return [(one.rule, one.line) for one in check_text(body, baseline)]


@pytest.mark.parametrize(
    "line",
    [
        "\tnop # a comment; with \"quotes', /slashes/ and .incbin",
        "# a comment of its own; 2 things",
        "# 4 elements a round",
        "1:\tdecl %edi",
        "\tjne 1b",
        ".Lloop: addq $8, %rdi",
        "\tmovq\t-8(%rsp,%rax,8), %rax",
        "\tmovl\t$.LC0+4, %edi",
        "\tcall\tputs@PLT",
        "\tjmp\t*.L4(,%rdi,8)",
        "\tnotrack jmp\t*%rax",
        "\tlock xaddl\t%eax, (%rdi)",
        "\trep stosq",
        "\tvaddps\t(%rax){1to16}, %zmm1, %zmm0{%k1}{z}",
        "\tvaddpd\t{rn-sae}, %zmm2, %zmm1, %zmm0",
        "\t{evex} vpaddd %ymm0, %ymm1, %ymm2",
        "\tfaddp\t%st, %st(1)",
        "\tmovq\t%fs:40, %rax",
        "\tmovl\tx@tpoff+4(%rax), %eax",
        "\t.value\t0x6666\n\trex64\n\tcall\t__tls_get_addr@PLT",
        "\t.p2align 4,,10",
        "\t.p2align\t4, 0x90",
        "\t.cfi_escape 0xf,0x3,0x76,0x78,0x6",
        "\t.loc 1 20 3 is_stmt 0 discriminator 3 view .LVU4",
        '\t.section\t.rodata.str1.1,"aMS",@progbits,1\n.LC0:\n\t.string\t"a;b\\n\\"#/\\001"\n\t.text',
        '\t.section\t.rodata.cst8,"aM",@progbits,8\n\t.align 8\n\t.double\t-1.5e3\n\t.text',
        "\t.section\t.rodata\n\t.long\t.L5-.L4\n\t.quad\tf+8\n\t.byte -1,0x7f\n\t.zero 16\n\t.text",
        '\t.section\t.text.unlikely.f,"ax",@progbits\n\tnop',
        "\t.globl f",
        "\t.local helper\nhelper:\n\tret",
    ],
)
def test_ordinary_lines_pass(line: str) -> None:
    assert rules(f"{line}\n") == []


def test_the_place_is_told() -> None:
    assert rules(FUNCTION.replace("\tret\n", '\tret\n\t.incbin "x"\n')) == [("directive", 10)]


def test_size_limits() -> None:
    assert [rule for rule, _ in rules("\tnop\n" * 70_000)] == ["too-large"]
    assert [rule for rule, _ in rules("#" * (1 << 21))] == ["too-large"]
    # A long unit may be answered by a long unit.
    long_unit = FUNCTION.replace("\tret\n", "\tnop\n" * 300_000)
    assert rules(long_unit, long_unit) == []


def test_findings_are_few() -> None:
    assert len(rules("\t.incbin\n" * 5_000)) == 50


def test_word_for_word_means_these_words() -> None:
    baseline = FUNCTION + "\t.comm\tshared,8,8\n\t.set\talias,f\n\tlock; addl $1, (%rdi)\n"
    assert rules("\t.comm shared, 8, 8\n\t.set alias, f\n\tlock; addl $1, (%rdi)\n", baseline) == []
    assert rules("\t.comm shared,9,8\n", baseline) == [("not-in-baseline", 1)]
    assert rules("\t.set alias,g\n", baseline) == [("not-in-baseline", 1)]
    assert rules("\tlock; addl $2, (%rdi)\n", baseline) == [("separator", 1)]


def test_inline_assembly_of_the_baseline_lends_no_directives() -> None:
    baseline = FUNCTION + '#APP\n\t.incbin "x"\n\tnop; .incbin "x"\n\t.rept 9\n#NO_APP\n'
    text = '\t.incbin "x"\n\tnop; .incbin "x"\n\t.rept 9\n'
    assert rules(text, baseline) == [("directive", 1), ("separator", 2), ("directive", 3)]


def test_every_rule_is_explained() -> None:
    folder = Path(__file__).parents[2] / "gccllm" / "judge"
    used: set[str] = set()
    for name in ("object_gate", "executable_gate", "code_gate"):
        source = (folder / f"{name}.py").read_text()
        used |= set(re.findall(r'Finding\(\s*"([a-z-]+)"', source))
    assert used
    assert used <= set(RULES)


@pytest.mark.skipif(shutil.which("clang-19") is None, reason="clang-19 is not installed")
@pytest.mark.parametrize("options", [["-O3"], ["-O2", "-fPIC"], ["-O3", "-march=x86-64-v4"]])
def test_clang_says_little_else(options: list[str]) -> None:
    """Less the address significance table, which only lld reads, clang's text passes as it is."""
    victim = Path(__file__).parents[1] / "hostile" / "victim.c"
    texts = []
    for compiler in ("gcc", "clang-19"):
        done = run([compiler, *options, "-S", "-o", "-", str(victim)], timeout=60)
        assert done.ok, done.error_line()
        texts.append(done.stdout.decode())
    plain = re.sub(r"(?m)^\t\.addrsig.*\n", "", texts[1])
    assert plain != texts[1]
    assert check_text(plain, texts[0]) == []


def test_common_data_may_be_aligned_otherwise_but_not_grow() -> None:
    base = "\t.local\ta\n\t.comm\ta,80,32\n"
    assert check_text("\t.local\ta\n\t.comm\ta,80,64\n", base) == []
    for bad in (
        "\t.comm\ta,81,32\n",
        "\t.comm\tb,80,32\n",
        "\t.comm\ta,80,4096\n",
        "\t.comm\ta,80\n",
    ):
        assert [x.rule for x in check_text(bad, base)] == ["not-in-baseline"], bad
