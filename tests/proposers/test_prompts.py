"""The published prompt to the byte, and answers of every shape."""

from __future__ import annotations

import pytest

from gccllm.prompts import (
    Malformed,
    answer_text,
    c_only_prompt,
    conversation,
    feedback_prompt,
    paper_prompt,
    parse_answer,
)
from gccllm.types import Candidate, Speedup, Verdict, VerdictKind

ASM = "\t.text\nf:\n\tleal\t(%rdi,%rdi), %eax\n\tret\n"


def test_paper_prompt_is_the_published_one_word_for_word() -> None:
    assert paper_prompt("int f;\n", "f:\n\tret\n") == (
        "Given the following C code and assembly code, your task is to generate highly optimized "
        "x86-64 assembly code.\nC Code:\n\n```c\nint f;\n```\n\nAssembly Code:\n\n"
        "```assembly\nf:\n\tret\n```\n\nOnly output the optimized assembly code. Do not include "
        "any other text. Do not write any comments in the assembly code. Wrap the assembly code "
        "in ```assembly``` tags.\nOptimized Assembly Code:\n"
    )


def test_c_only_prompt_differs_by_the_assembly_alone() -> None:
    assert c_only_prompt("int f;\n") == (
        "Given the following C code, your task is to generate highly optimized x86-64 assembly "
        "code.\nC Code:\n\n```c\nint f;\n```\n\nOnly output the optimized assembly code. Do not "
        "include any other text. Do not write any comments in the assembly code. Wrap the "
        "assembly code in ```assembly``` tags.\nOptimized Assembly Code:\n"
    )


@pytest.mark.parametrize("language", ["assembly", "asm", "s", "", "Assembly", "x86asm"])
def test_one_fenced_block_is_taken(language: str) -> None:
    assert parse_answer(f"```{language}\n{ASM}```") == ASM


def test_prose_around_one_block_and_windows_newlines_do_not_matter() -> None:
    answer = f"Here it is:\n```assembly\n{ASM}```\nIt is faster.\n".replace("\n", "\r\n")
    assert parse_answer(answer) == ASM


def test_answer_text_round_trips() -> None:
    assert parse_answer(answer_text(ASM)) == ASM


def test_thinking_is_not_the_answer() -> None:
    assert parse_answer(f"<think>```c\nint x;\n```</think>\n```asm\n{ASM}```") == ASM


def test_bare_assembly_is_taken() -> None:
    bare = (
        "\t.globl\tf\n\t.type\tf, @function\nf:\n.LFB0:\n\t.cfi_startproc\n\tendbr64\n"
        "\tmovl\t$1, %eax\n\trep stosq\n.L2: addq $4, %rdi\n\tjne\t.L2\n\tcall\tputs@PLT\n"
        "\tlock addl $1, (%rax)\n\tcall *%rax\n\tincl x(%rip)  # why\n\tret\n\t.size\tf, .-f\n"
    )
    assert parse_answer(bare) == bare


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ("  \n \n", "empty"),
        ("```assembly\n```", "empty"),
        (f"```assembly\n{ASM}", "truncated"),
        ("<think>let me see", "truncated"),
        (f"```c\n{ASM}```", "marked 'c'"),
        (f"```asm\n{ASM}```\n```asm\n{ASM}```", "more than one"),
        (f"```asm\n{ASM}```asm", "fence of its own"),
        ("```asm\n\tret\n```", "no label"),
        (f"The code:\n{ASM}", "not assembly: 'The code:'"),
        ("f:\n\tthe loop\n\tret\n", "not assembly: 'the loop'"),
        ("I can't help with that.", "not assembly"),
        ("x" * (4 << 20) + "x", "larger than"),
    ],
)
def test_malformed_answers_say_why(answer: str, reason: str) -> None:
    parsed = parse_answer(answer)
    assert isinstance(parsed, Malformed)
    assert reason in parsed.reason
    assert "\n" not in parsed.reason


def test_an_answer_cut_at_the_token_limit_counts_only_with_a_closed_block() -> None:
    assert parse_answer(f"```asm\n{ASM}```\nExplanation, cut", truncated=True) == ASM
    cut = parse_answer(ASM, truncated=True)
    assert isinstance(cut, Malformed)
    assert "truncated" in cut.reason


def test_feedback_names_the_verdict_and_its_evidence_in_short_lines() -> None:
    verdict = Verdict(
        VerdictKind.WRONG_OUTPUT,
        "case 3",
        {"expected": "76\n" * 200, "got": 1, "cases": [1, 2]},
    )
    text = feedback_prompt(verdict)
    assert "wrong-output" in text
    assert "got: 1" in text
    assert "cases" not in text
    assert max(len(line) for line in text.split("\n")[:4]) <= 220
    assert "Correct the assembly" in text


def test_feedback_on_right_code_asks_for_faster_code_and_shows_the_interval() -> None:
    text = feedback_prompt(Verdict(VerdictKind.NOT_FASTER, speedup=Speedup(1.01, 0.99, 1.03, 20)))
    assert "1.01 (0.99 to 1.03)" in text
    assert "faster version" in text


def test_conversation_shows_the_earlier_answer_and_the_verdict_on_it() -> None:
    assert [turn["role"] for turn in conversation("int f;", ASM)] == ["user"]
    candidate = Candidate("model", "u", (), ASM)
    turns = conversation("int f;", ASM, (candidate, Verdict(VerdictKind.CRASHED)))
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert parse_answer(turns[1]["content"]) == ASM
    assert "crashed" in turns[2]["content"]
