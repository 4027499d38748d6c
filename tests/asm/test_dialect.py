from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.dialect import as_donor, canonical
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.judge.screen import check_text
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


def test_a_donor_has_no_zeroed_variables_that_the_unit_lacks() -> None:
    text = "\t.local\tx.0\n\t.comm\tx.0,4,8\n\t.local\ty\n\t.comm\ty,4,16\n\t.comm z,1,4\n\tnop\n"
    baseline = "\t.local\ty\n\t.comm\ty,4,4\n\t.comm z,4,4"
    assert as_donor(text, baseline) == "\t.local\ty\n\t.comm\ty,4,16\n\tnop\n"
    assert as_donor(baseline, baseline) == baseline


def test_a_donor_says_nothing_of_visibility() -> None:
    text = "\t.hidden\tx\n\t.globl\ty\n\t.hidden\ty\ny:\n\tcall\tx\n"
    assert as_donor(text, "") == "\t.globl\ty\ny:\n\tcall\tx\n"


@needs_clang
def test_a_units_own_word_on_visibility_holds(tmp_path: Path) -> None:
    source = tmp_path / "seen.c"
    source.write_text(
        """__attribute__((visibility("internal"))) int inner(int x) { return x * 3; }
int outer(int x) { return inner(x) + 1; }
int main(void) { return outer(13); }
"""
    )
    text = compile_unit(source, "-O2", "-fPIC")
    donor = as_donor(canonical(compile_unit(source, "-O2", "-fPIC", cc=CLANG)), text)
    assert "\t.internal\tinner" in text
    assert check_text(donor, text) == []
    done = splice(parse(text), parse(donor), ["inner"], tag="k1", foreign=True)
    assert isinstance(done, Spliced)
    assert "\t.internal\tinner" in done.text
    assert execute(build(done.text, tmp_path / "seen")) == (40, b"")
