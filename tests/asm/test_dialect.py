from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.dialect import canonical, without_own_zeros
from gccllm.asm.unit import parse
from tests.asm.tools import CLANG, assemble, build, compile_unit, execute, needs_clang, sources


@needs_clang
@pytest.mark.parametrize("options", [("-O3",), ("-O3", "-g"), ("-O2", "-mavx2", "-fPIC")])
def test_clang_output_becomes_plain_and_means_the_same(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    for source in sources():
        original = compile_unit(source, *options, cc=CLANG)
        text = canonical(original)
        for word in (".addrsig", ".ident", ".Lfunc_end", "0x90", ".loc\t", ".debug", "# "):
            assert word not in text, source.name
        assert canonical(text) == text
        assert parse(text).functions.keys() == parse(original).functions.keys()
        build(text, tmp_path / "new")
        gcc = build(compile_unit(source, "-O2"), tmp_path / "old")
        assert execute(tmp_path / "new") == execute(gcc)


def test_gcc_output_with_debug_information(tmp_path: Path) -> None:
    for source in sources():
        text = canonical(compile_unit(source, "-O3", "-g"))
        assert ".debug" not in text
        assemble(text, tmp_path / "x.o")


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("\t.p2align\t4, 0x90", "\t.p2align 4"),
        ("\t.p2align 4,,10", "\t.p2align 4,,10"),
        ("\t.p2align\t2, 0x0            # x", "\t.p2align 2"),
        ("\t.type\tf,@function", "\t.type\tf, @function"),
        ("\t.lcomm\tx,4", "\t.local\tx\n\t.comm\tx,4,1"),
        ('\t.section\t".note.GNU-stack","",@progbits', '\t.section\t.note.GNU-stack,"",@progbits'),
        ("f: ret", "f:\n\tret"),
        ('\t.ascii\t"a#b"   # c', '\t.ascii\t"a#b"'),
        ('\t.ident\t"x"\n\n# c\n\t.addrsig', ""),
        ("\trep;movsq\t(%rsi), %es:(%rdi)", "\trep movsq\t(%rsi), %es:(%rdi)"),
        ("\t.hidden\tx\n\tcall x", "\tcall x"),
        ("\t.hidden\tx\nx:\n\tcall x", "\t.hidden\tx\nx:\n\tcall x"),
        ("\t.hidden\tx\n\t.comm\tx,4,4", "\t.hidden\tx\n\t.comm\tx,4,4"),
        ("\t.set .La, b+4\n\tmovl .La(%rip), %eax", "\tmovl b+4(%rip), %eax"),
    ],
)
def test_single_lines(line: str, plain: str) -> None:
    assert canonical(line).strip("\n") == plain


def test_inline_assembly_stays_marked() -> None:
    assert canonical("\t#APP\n\tnop\n\t#NO_APP\n") == "#APP\n\tnop\n#NO_APP\n"


def test_bytes_filled_by_zero_are_written_out() -> None:
    assert canonical("\t.zero\t3,32\n") == "\t.byte\t32,32,32\n"
    assert canonical("\t.zero\t16\n") == "\t.zero\t16\n"


@pytest.mark.parametrize("word", ["ascii", "asciz", "string"])
def test_long_strings_are_cut_between_their_characters(word: str, tmp_path: Path) -> None:
    text = "".join(f"\\{x:03o}\\\\a\\n" for x in range(256))
    line = f'\t.{word}\t"{text}"'
    made = canonical(line)
    assert max(map(len, made.split("\n"))) < 1100
    assert canonical(made) == made
    one, two = assemble(line + "\n", tmp_path / "1.o"), assemble(made, tmp_path / "2.o")
    assert one.read_bytes() == two.read_bytes()


def test_zeroed_variables_that_the_unit_lacks_go() -> None:
    text = "\t.local\tx.0\n\t.comm\tx.0,4,8\n\t.local\ty\n\t.comm\ty,4,4\n\tnop\n"
    baseline = "\t.local\ty\n\t.comm\ty,4,4\n"
    assert without_own_zeros(text, baseline) == f"{baseline}\tnop\n"
    assert without_own_zeros(baseline, baseline) == baseline
