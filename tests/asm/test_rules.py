"""Rewrites that obey the ABI and still break their unit: first seen to break, then refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.code import CALLER_SAVED, functions_of
from gccllm.asm.rules import check
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import Unit, parse
from tests.asm.tools import CORPUS, PROGRAMS, assemble, build, compile_unit, execute, sources


def rewritten(unit: Unit, name: str, *instructions: str) -> Spliced:
    """The unit with instructions put in front of a function's first one."""
    lines = list(unit.lines)
    at = next(i for i in unit.functions[name].indices() if lines[i].strip() == ".cfi_startproc")
    lines[at + 1 : at + 1] = [f"\t{x}" for x in instructions]
    result = splice(unit, parse("\n".join(lines)), [name], tag="k1")
    assert isinstance(result, Spliced), result
    return result


def reasons(text: str, result: Spliced, folder: Path, *, red_zone: bool = True) -> set[str]:
    base = functions_of(assemble(text, folder / "base.o"))
    new = functions_of(assemble(result.text, folder / "new.o"))
    return {r.reason for r in check(base, new, result, donor=base, red_zone=red_zone)}


@pytest.mark.parametrize("program", ["ipa_global", "ipa_static"])
def test_ipa_ra(program: str, tmp_path: Path) -> None:
    text = compile_unit(PROGRAMS / f"{program}.c", "-O3")
    result = rewritten(parse(text), "leaf", "movq\t$-1, %rsi", "movq\t$-1, %rcx")
    right = execute(build(text, tmp_path / "old"), ["12"])
    wrong = execute(build(result.text, tmp_path / "new"), ["12"])
    assert right[0] == wrong[0] == 0
    assert right[1] != wrong[1]
    assert reasons(text, result, tmp_path) == {"ipa-ra"}
    assert not reasons(text, rewritten(parse(text), "leaf", "movl\t$1, %eax"), tmp_path)


def test_registers_that_no_caller_keeps_are_free(tmp_path: Path) -> None:
    text = compile_unit(PROGRAMS / "ipa_global.c", "-O3")
    result = rewritten(parse(text), "leaf", "movq\t$-1, %r10", "pxor\t%xmm9, %xmm9")
    assert execute(build(result.text, tmp_path / "new"), ["12"]) == execute(
        build(text, tmp_path / "old"), ["12"]
    )
    base = functions_of(tmp_path / "old.o")
    new = functions_of(tmp_path / "new.o")
    assert new.clobbers("leaf") - base.clobbers("leaf") == {"r10", "xmm9"}


def test_stack_alignment(tmp_path: Path) -> None:
    text = compile_unit(PROGRAMS / "stack_alignment.c", "-O3")
    result = rewritten(parse(text), "touch", "pxor\t%xmm0, %xmm0", "movaps\t%xmm0, -24(%rsp)")
    assert execute(build(text, tmp_path / "old"))[0] == 0
    assert execute(build(result.text, tmp_path / "new"))[0] < 0
    assert "stack-alignment" in reasons(text, result, tmp_path)
    unaligned = rewritten(parse(text), "touch", "pxor\t%xmm0, %xmm0", "movups\t%xmm0, -24(%rsp)")
    assert "stack-alignment" not in reasons(text, unaligned, tmp_path)


def test_a_new_call_needs_an_aligned_stack(tmp_path: Path) -> None:
    text = compile_unit(PROGRAMS / "stack_alignment.c", "-O3")
    result = rewritten(parse(text), "touch", "pushq\t%rdi", "call\tstrlen@PLT", "popq\t%rdi")
    assert {"ipa-ra", "stack-alignment"} <= reasons(text, result, tmp_path)


def test_red_zone(tmp_path: Path) -> None:
    text = compile_unit(PROGRAMS / "ipa_global.c", "-O3")
    in_caller = rewritten(parse(text), "caller", "movq\t%rax, -8(%rsp)")
    assert reasons(text, in_caller, tmp_path) == {"red-zone"}
    # an element of an array in the frame of a function that calls
    element = rewritten(parse(text), "caller", "movq\t%rax, -8(%rsp,%rcx,8)")
    assert reasons(text, element, tmp_path) == set()
    assert reasons(text, element, tmp_path, red_zone=False) == {"red-zone"}
    in_leaf = rewritten(parse(text), "leaf", "movq\t%rax, -8(%rsp)")
    assert reasons(text, in_leaf, tmp_path) == set()
    assert reasons(text, in_leaf, tmp_path, red_zone=False) == {"red-zone"}


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("movl\t$1, %ebx", "callee-saved"),
        ("movq\t%rdi, %r13", "callee-saved"),
        ("subq\t$16, %rsp", "stack-balance"),
        ("pushq\t%rax", "stack-balance"),
        ("std", "direction-flag"),
        ("vpxor\t%ymm0, %ymm0, %ymm0", "vzeroupper"),
    ],
)
def test_abi_findings(instruction: str, reason: str, tmp_path: Path) -> None:
    text = compile_unit(CORPUS / "floats.c", "-O3")
    result = rewritten(parse(text), "mix", instruction)
    assert reason in reasons(text, result, tmp_path)


def test_gccs_own_code_has_no_findings_against_itself(tmp_path: Path) -> None:
    for source in sources():
        for options in (("-O3",), ("-O3", "-march=native")):
            text = compile_unit(source, *options)
            unit = parse(text)
            names = [n for n, f in unit.functions.items() if f.replaceable]
            result = splice(unit, unit, names, tag="k1")
            assert isinstance(result, Spliced)
            assert reasons(text, result, tmp_path) == set()


def test_implicit_writes_and_calls_count(tmp_path: Path) -> None:
    text = (
        "\t.text\n\t.type\tf, @function\nf:\n\tcqto\n\tidivq\t%rcx\n\trep stosb\n\tret\n"
        "\t.size\tf, .-f\n\t.type\tg, @function\ng:\n\tcall\tf\n\tkmovw\t%eax, %k1\n\tret\n"
        "\t.size\tg, .-g\n\t.globl\th\n\t.type\th, @function\nh:\n"
        "\tjmp\tputs@PLT\n\t.size\th, .-h\n"
    )
    code = functions_of(assemble(text, tmp_path / "x.o"))
    assert code.clobbers("f") == {"rax", "rdx", "rcx", "rdi"}
    assert code.clobbers("g") == {"rax", "rdx", "rcx", "rdi", "k1"}
    assert code.clobbers("h") == CALLER_SAVED
    assert code.callers("f") == {"g"}
