"""The ABI check on whole units: gcc's own code, callers' assumptions, rubbish."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.assurance.abi import Checker, Kind, check
from gccllm.assurance.levels import Assurance, Standing
from tests.asm.tools import CORPUS, PROGRAMS, assemble, compile_unit, sources

VARIANTS = (
    ("-Os",),
    ("-O2", "-fno-omit-frame-pointer", "-fno-inline"),
    ("-O3", "-march=haswell", "-funroll-loops"),
    ("-O2", "-fstack-clash-protection", "-fno-shrink-wrap"),
)


def objects(source: Path, folder: Path, *options: str) -> ObjectCode:
    return functions_of(assemble(compile_unit(source, *options), folder / "x.o"))


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_gccs_own_variants_are_not_refused(options: tuple[str, ...], tmp_path: Path) -> None:
    compared = 0
    for source in sources()[::3]:
        base = objects(source, tmp_path, "-O3")
        other = objects(source, tmp_path, *options)
        names = [name for name in base.starts.values() if name in other.functions]
        checker = Checker(base, other, replaced=names)
        for name in names:
            report = checker.check(name)
            assert report.findings == (), f"{source.name} {name}"
            compared += report.standing is Standing.PASSED
    assert compared > 20


def rewritten(text: str, name: str, *instructions: str) -> Spliced:
    unit = parse(text)
    lines = list(unit.lines)
    at = next(i for i in unit.functions[name].indices() if lines[i].strip() == ".cfi_startproc")
    lines[at + 1 : at + 1] = [f"\t{x}" for x in instructions]
    result = splice(unit, parse("\n".join(lines)), [name], tag="k1")
    assert isinstance(result, Spliced)
    return result


@pytest.mark.parametrize(
    ("program", "function", "kind", "instructions"),
    [
        ("ipa_global", "leaf", Kind.CLOBBER, ["movq\t$-1, %rsi", "movq\t$-1, %rcx"]),
        ("ipa_static", "leaf", Kind.CLOBBER, ["movq\t$-1, %rcx", "movq\t$-1, %rsi"]),
        (
            "stack_alignment",
            "touch",
            Kind.STACK_ALIGNMENT,
            ["pxor\t%xmm0, %xmm0", "movaps\t%xmm0, -24(%rsp)"],
        ),
        (
            "stack_alignment",
            "touch",
            Kind.STACK_ALIGNMENT,
            ["pushq\t%rdi", "call\tstrlen@PLT", "popq\t%rdi"],
        ),
    ],
)
def test_what_callers_assume(
    program: str, function: str, kind: Kind, instructions: list[str], tmp_path: Path
) -> None:
    text = compile_unit(PROGRAMS / f"{program}.c", "-O3")
    base = functions_of(assemble(text, tmp_path / "base.o"))
    new = functions_of(assemble(rewritten(text, function, *instructions).text, tmp_path / "new.o"))
    report = Checker(base, new, replaced=[function]).check(function)
    assert kind in {x.kind for x in report.findings}
    assert kind in {x.kind for x in check(base, new, function).findings}
    assert check(base, base, function).standing is Standing.PASSED


def test_an_examination_tells_what_and_where(tmp_path: Path) -> None:
    text = compile_unit(CORPUS / "floats.c", "-O3")
    base = functions_of(assemble(text, tmp_path / "base.o"))
    broken = rewritten(text, "mix", "movl\t$1, %ebx").text
    report = check(base, functions_of(assemble(broken, tmp_path / "new.o")), "mix")
    told = report.examination(0.5)
    assert told.level is Assurance.TESTS
    assert told.standing is Standing.REFUTED
    assert told.evidence["kinds"] == ["callee-saved"]
    assert "rbx is not restored at 0x" in told.detail
    assert told.seconds == 0.5
    right = check(base, base, "mix").examination()
    assert right.standing is Standing.PASSED
    assert right.evidence["abi"] == []


def test_a_function_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    base = objects(CORPUS / "floats.c", tmp_path, "-O3")
    report = check(base, base, "nowhere")
    assert report.standing is Standing.UNKNOWN
    assert "no code of nowhere" in report.doubts[0]


def test_rubbish_never_raises_and_hardly_passes(tmp_path: Path) -> None:
    rng = random.Random(7)
    base, rubbish = [], []
    for number in range(150):
        frame = (
            f"\t.globl\tf{number}\n\t.type\tf{number}, @function\nf{number}:\n\t{{}}\n"
            f"\tret\n\t.size\tf{number}, .-f{number}\n"
        )
        base.append(frame.format("leal\t(%rdi,%rsi), %eax"))
        body = ", ".join(str(rng.randrange(256)) for _ in range(rng.randrange(4, 40)))
        rubbish.append(frame.format(f".byte\t{body}"))
    first = functions_of(assemble("\t.text\n" + "".join(base), tmp_path / "base.o"))
    second = functions_of(assemble("\t.text\n" + "".join(rubbish), tmp_path / "rubbish.o"))
    checker = Checker(first, second)
    standings = [checker.check(f"f{number}").standing for number in range(150)]
    assert standings.count(Standing.PASSED) <= 3
