"""What is an answer to a region prompt, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.region_text import parse_lines, render
from gccllm.asm.unit import parse
from gccllm.families.layouts import layouts
from gccllm.process import run
from gccllm.proposers.answer_assembly import AnswerAssembler, level_of
from gccllm.proposers.answer_grammar import Grammar
from gccllm.region_prompt import region_prompt
from gccllm.toolchain import Toolchain
from tests.tiny_model import PROMPT

EXAMPLES = Path(__file__).parents[2] / "examples"
GRAMMAR = Grammar.of_prompt(PROMPT)


@pytest.mark.parametrize(
    "answer",
    [
        "keep",
        "\taddl\t%edi, %eax\n",
        "\taddl\t%edi, %eax",
        "L0:\n\tsubq\t$1, %rdi\n\tjne\tL0\n\tjmp\tX0\n",
        "\ttestl\t%eax, %eax\n\tje\tL1\n\tmovl\t$-1, %eax\nL1:\n",
        "\tmovdqa\tD0(%rip), %xmm1\n\tmovd\t%xmm1, %eax\nD0:\n\t.quad\t1, 2\n\t.zero\t16\n",
        "\t.p2align\t4\nL0:\n\tleal\t-4(%rax,%rcx,2), %eax\n",
        "\trep stosq\n\tcltq\n",
        "\txorl\t%eax, %eax\n\trep bsfq\t%rdi, %rax\n",
    ],
)
def test_an_answer(answer: str) -> None:
    assert GRAMMAR.fault(answer) is None


@pytest.mark.parametrize(
    ("answer", "line", "culprit", "why"),
    [
        ("", 0, "", "no instructions"),
        ("\n\taddl\t%edi, %eax\n", 0, "", "neither"),
        ("L0:\n", 0, "", "no instructions"),
        ("\tcltq\x0c\tcltq\n", 0, "", "neither"),
        ("\taddl\t%edi, %eax\nkeep\n", 1, "", "neither"),
        ("addl\t%edi, %eax\n", 0, "", "neither"),
        ("\taddl\t%edi, %eax; hlt\n", 0, "", "not operands"),
        ("\taddl\t%edi, %eax # why\n", 0, "", "not operands"),
        ('\t.incbin\t"/etc/passwd"\n', 0, "", "neither"),
        ("\t.rept\t100000000\n", 0, "", "neither"),
        ("\t.quad\t1\n", 0, "", "neither"),
        ("\t.p2align\t40\n", 0, "", "neither"),
        ("x = 1\n", 0, "", "neither"),
        ("\taddl\t%edi, %exx\n", 0, "%exx", "no such register"),
        ("\tvmovd\t%xmm16, %eax\n", 0, "%xmm16", "no such register"),
        ("\tvpaddd\t%ymm1, %ymm2, %ymm3\n", 0, "%ymm1", "no such register"),
        ("\tkmovd\t%k1, %eax\n", 0, "%k1", "no such register"),
        ("\tjne\tX1\n", 0, "X1", "no such exit"),
        ("\tmovl\tX0(%rip), %eax\n", 0, "X0", "no such exit"),
        ("\tjne\tL1\n\tcltq\n", 0, "L1", "no such label"),
        ("\tjne\t.L5\n", 0, "", "a jump goes to a label"),
        ("\tjmp\t*%rax\n", 0, "", "a jump goes to a label"),
        ("\tjne\t1b\n", 0, "", "not operands"),
        ("\tleaq\tL0(%rip), %rax\nL0:\n", 0, "L0", "only jumped to"),
        ("L1:\n\tcltq\nL1:\n\tcltq\n", 2, "L1:", "defined twice"),
        ("\tcltq\nL1: cltq\n", 1, "", "neither"),
        ("\tret\n", 0, "ret", "leaves"),
        ("\tsyscall\n", 0, "syscall", "leaves"),
        ("\tpushq\t%rax\n", 0, "pushq", "leaves"),
        ("\tmovl\tsecret(%rip), %eax\n", 0, "secret", "a symbol"),
        ("\tmovl\t%eax, 210f\n", 0, "", "not operands"),
        ("\tcltq\nD0:\n\tcltq\n", 2, "", "not a constant"),
        ("\tcltq\nD0:\n\t.quad\tmain\n", 2, "", "not a constant"),
        ("\tcltq\nD0:\n\t.byte\t1\nL1:\n\tcltq\n", 3, "L1:", "code behind"),
    ],
)
def test_no_answer(answer: str, line: int, culprit: str, why: str) -> None:
    fault = GRAMMAR.fault(answer)
    assert fault is not None
    assert (fault.line, fault.culprit) == (line, culprit)
    assert why in fault.why


def test_where_control_must_not_fall_out_the_end_is_a_jump() -> None:
    inside = PROMPT.replace("\tjne\tL0\n<|/region|>", "\tjne\tL0\n\tjmp\tX0\n<|/region|>")
    grammar = Grammar.of_prompt(inside)
    assert not grammar.falls
    fault = grammar.fault("\tcltq\n\tnop\n")
    assert fault is not None
    assert (fault.line, fault.why) == (2, "control must not run off the end")
    assert grammar.fault("\tcltq\n\tjmp\tX0\n") is None


def test_what_the_region_uses_may_be_used() -> None:
    inside = PROMPT.replace("\taddl\t$1, %eax\n", "\taddl\tt@GOTPCREL(%rip), %eax\n\tpushq\t%rax\n")
    grammar = Grammar.of_prompt(inside.replace("x86-64\n", "x86-64-v4\n"))
    for line in (
        "addl\tt@GOTPCREL(%rip), %ecx",
        "pushq\t%rcx",
        "vpaddd\t%zmm31, %zmm1, %zmm2{%k1}",
    ):
        assert grammar.fault(f"\t{line}\n") is None
    assert grammar.fault("\taddl\tt(%rip), %ecx\n") is not None


@pytest.mark.parametrize("text", ["", "hello", PROMPT.replace("<|/region|>\n", ""), PROMPT[20:]])
def test_no_prompt(text: str) -> None:
    with pytest.raises(ValueError, match="not a region prompt"):
        Grammar.of_prompt(text)


def test_tokens_that_stand_in_no_answer() -> None:
    tokens = ["X0", "X1", "\tjne\tX7", "%eax", "%ymm1", "%k3", "%kx", "\n\taddl\t", "MAX9", "%"]
    assert GRAMMAR.never(tokens) == ["X1", "\tjne\tX7", "%ymm1", "%k3", "%kx"]


@pytest.mark.parametrize("name", ["popcount", "strhash", "primes", "quickselect"])
def test_gcc_s_own_regions_are_answers_to_themselves(name: str, tmp_path: Path) -> None:
    """The prompt tells as much as the region does: exits, falling out of the end, symbols."""
    source = EXAMPLES / f"{name}.c"
    tools = Toolchain()
    made = run([tools.cc, "-O3", "-S", "-w", str(source), "-o", "-"], timeout=30)
    unit = parse(made.stdout.decode())
    texts = []
    for function in (x for x, known in unit.functions.items() if known.replaceable):
        for layout in layouts(tools, unit, function, tmp_path / "unit.o"):
            for region in layout.regions:
                prompt = region_prompt(layout.unit, region, "x86-64", layout.constants(region))
                grammar = Grammar.of_prompt(prompt.text)
                assert grammar.exits == len(region.exits)
                assert grammar.falls == any(not x.label for x in region.exits)
                text = render(layout.unit, region)
                assert grammar.fault(text) is None
                parse_lines(region, text.splitlines())
                texts.append(text)
    assert texts
    assert AnswerAssembler(tools).faults(texts, "x86-64") == [None] * len(texts)


def test_the_assembler_says_what_no_pattern_knows() -> None:
    texts = [
        "\taddl\t%edi, %eax\n",
        "\tcltq\n\taddl\t%rdi, %eax\n\tbogus\n",
        "L0:\n\tjne\tL0\n\tjmp\tX0\n",
        "L0:\n\tpopcntl\t%eax, %eax\n\tjne\tL0\n",
    ]
    for text in texts:
        assert GRAMMAR.fault(text) is None
    found = AnswerAssembler(Toolchain()).faults(texts, "x86-64")
    assert [None if x is None else x.line for x in found] == [None, 1, None, 1]
    found = AnswerAssembler(Toolchain()).faults(texts, "x86-64-v2")
    assert [x is None for x in found] == [True, False, True, True]


@pytest.mark.parametrize("level", ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"])
def test_levels_are_gcc_s(level: str) -> None:
    features = Toolchain().isa("target", (f"-march={level}",)).features
    assert level_of(features) == level
    assert level_of(features | {"AVX512F"}) == level


def test_a_level_needs_all_below_it() -> None:
    v3 = Toolchain().isa("target", ("-march=x86-64-v3",)).features
    assert level_of(v3 - {"POPCNT"}) == "x86-64"
    assert level_of(frozenset()) == "x86-64"
