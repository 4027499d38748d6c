from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.dialect import canonical
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
