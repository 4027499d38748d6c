from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.dialect import canonical
from gccllm.asm.rules import check
from gccllm.asm.splice import Refusal, Spliced, splice
from gccllm.asm.unit import Unit, parse
from tests.asm.tools import (
    CLANG,
    CORPUS,
    assemble,
    build,
    compile_unit,
    execute,
    needs_clang,
    sources,
    tries_to_assemble,
)

BASES = {
    "plain": ("-O3",),
    "debug": ("-O3", "-g"),
    "pic": ("-O3", "-fPIC"),
    "sections": ("-O3", "-ffunction-sections", "-fdata-sections"),
    "hardened": ("-O3", "-fcf-protection=full", "-fstack-protector-all"),
    "native": ("-O3", "-march=native"),
}
EXPECTED_OBSTACLES = {"inline-asm", "setjmp", "tls", "computed-goto", "alias"}


def spliced(base: Unit, donor: Unit, *names: str, foreign: bool = False) -> Spliced:
    result = splice(base, donor, names, tag="k1", foreign=foreign)
    assert isinstance(result, Spliced), result
    return result


def refused(base: Unit, donor: Unit, *names: str, foreign: bool = False) -> str:
    result = splice(base, donor, names, tag="k1", foreign=foreign)
    assert isinstance(result, Refusal)
    assert result.detail
    return result.reason


@pytest.mark.parametrize("kind", BASES)
def test_every_function_can_take_its_own_place(kind: str, tmp_path: Path) -> None:
    replaced = 0
    for source in sources():
        text = compile_unit(source, *BASES[kind])
        unit = parse(text)
        for name, function in unit.functions.items():
            result = splice(unit, unit, [name], tag="k1")
            if isinstance(result, Refusal):
                assert {result.reason} <= EXPECTED_OBSTACLES
                continue
            assert function.replaceable
            done = tries_to_assemble(result.text, tmp_path / "x.o")
            assert done.ok, (source.name, name, done.error_line())
            assert name in parse(result.text).functions
            replaced += 1
    assert replaced >= 40


def test_all_functions_at_once_run_as_before(tmp_path: Path) -> None:
    for source in sources():
        text = compile_unit(source, "-O3")
        unit = parse(text)
        names = [n for n, f in unit.functions.items() if f.replaceable]
        result = spliced(unit, unit, *names)
        assert execute(build(result.text, tmp_path / "new")) == execute(
            build(text, tmp_path / "old")
        )


DONORS = {
    "O2": ("gcc", ("-O2",)),
    "avx2": ("gcc", ("-O3", "-mavx2", "-ffp-contract=off")),
    "clang": (CLANG, ("-O3", "-ffp-contract=off")),
}


@pytest.mark.parametrize("donor_name", ["O2", "avx2", pytest.param("clang", marks=needs_clang)])
@pytest.mark.parametrize("source", sources(), ids=lambda s: s.stem)
def test_what_the_rules_let_through_behaves_as_the_baseline(
    source: Path, donor_name: str, tmp_path: Path
) -> None:
    cc, options = DONORS[donor_name]
    text = compile_unit(source, "-O3")
    base = parse(text)
    donor_text = canonical(compile_unit(source, *options, cc=cc))
    donor = parse(donor_text)
    want = execute(build(text, tmp_path / "old"))
    base_code = functions_of(tmp_path / "old.o")
    donor_code = functions_of(assemble(donor_text, tmp_path / "donor.o"))
    accepted = 0
    for name in base.functions:
        result = splice(base, donor, [name], tag="k1", foreign=True)
        if isinstance(result, Refusal):
            continue
        new = build(result.text, tmp_path / "new")
        if check(base_code, functions_of(tmp_path / "new.o"), result, donor=donor_code):
            continue
        assert execute(new) == want, name
        accepted += 1
    assert accepted


@needs_clang
def test_pic_units_take_clang_functions_into_a_shared_library(tmp_path: Path) -> None:
    base = parse(compile_unit(CORPUS / "pointers.c", "-O3", "-fPIC"))
    donor = parse(canonical(compile_unit(CORPUS / "pointers.c", "-O3", "-fPIC", cc=CLANG)))
    names = [n for n in ("find", "run", "inner", "name_of") if n in donor.functions]
    result = spliced(base, donor, *names, foreign=True)
    build(result.text, tmp_path / "lib.so", "-shared")


def test_local_functions_of_the_donor_come_as_copies() -> None:
    base = parse(compile_unit(CORPUS / "statics.c", "-O3"))
    donor = parse(compile_unit(CORPUS / "statics.c", "-O2"))
    result = spliced(base, donor, "second")
    helpers = [n for n in result.brought if not n.startswith(".L")]
    assert any(n.startswith("helper") and n.endswith(".k1") for n in helpers)
    assert "\tcall\tnext\n" not in _function(result.text, "second")
    assert parse(result.text).objects["seed"].size == 4


def test_another_gccs_calls_of_local_functions_reach_our_own(tmp_path: Path) -> None:
    text = compile_unit(CORPUS / "statics.c", "-O3", "-fno-ipa-sra", "-fno-ipa-cp")
    base = parse(text)
    donor = parse(compile_unit(CORPUS / "statics.c", "-O2", "-fno-ipa-sra", "-fno-ipa-cp"))
    result = spliced(base, donor, "second", foreign=True)
    assert not [n for n in result.brought if not n.startswith(".L")]
    assert result.assumed == ("helper", "next")
    assert "\tcall\tnext\n" in result.text
    want = execute(build(text, tmp_path / "old"))
    assert execute(build(result.text, tmp_path / "new")) == want


def test_a_clone_of_another_gccs_comes_as_a_copy() -> None:
    base = parse(compile_unit(CORPUS / "statics.c", "-O3"))
    donor = parse(compile_unit(CORPUS / "statics.c", "-O2"))
    result = spliced(base, donor, "second", foreign=True)
    helpers = [n for n in result.brought if not n.startswith(".L")]
    assert helpers
    assert all(n.startswith("helper.") and n.endswith(".k1") for n in helpers)


def test_a_named_helper_binds_to_the_replaced_one() -> None:
    base = parse(compile_unit(CORPUS / "recursion.c", "-O3"))
    result = spliced(base, base, "blend", "bump")
    assert "bump.k1" not in result.text


def test_constants_come_renamed_and_the_old_ones_stay() -> None:
    base = parse(compile_unit(CORPUS / "floats.c", "-O3"))
    result = spliced(base, base, "polynomial")
    assert result.brought
    assert all(n.startswith(".Lk1.") for n in result.brought)
    assert set(base.objects) <= set(parse(result.text).objects)


def test_tags_stay_unique_when_used_again(tmp_path: Path) -> None:
    base = parse(compile_unit(CORPUS / "tables.c", "-O3"))
    once = parse(spliced(base, base, "label").text)
    twice = spliced(once, base, "label")
    assert execute(build(twice.text, tmp_path / "new")) == execute(
        build(base.text, tmp_path / "old")
    )


def test_compared_constants_keep_their_address() -> None:
    base = parse(compile_unit(CORPUS / "pointers.c", "-O3"))
    donor = parse(compile_unit(CORPUS / "pointers.c", "-O2"))
    result = spliced(base, donor, "is_nil", foreign=True)
    assert not result.brought


BASE = """\
\t.text
\t.p2align 4
\t.globl\tf
\t.type\tf, @function
f:
\t.cfi_startproc
\tmovl\tcounter(%rip), %eax
\tret
\t.cfi_endproc
\t.size\tf, .-f
\t.local\tcounter
\t.comm\tcounter,4,4
\t.section\t.note.GNU-stack,"",@progbits
"""


def donor_with(body: str, data: str = "") -> Unit:
    lines = "".join(f"\t{line}\n" for line in body.split(";"))
    return parse(
        f"\t.globl\tf\n\t.type\tf, @function\nf:\n\t.cfi_startproc\n{lines}\tret\n"
        f"\t.cfi_endproc\n\t.size\tf, .-f\n{data}"
    )


def test_new_symbols_are_refused_but_for_a_few() -> None:
    base = parse(BASE)
    assert refused(base, donor_with("call\tsystem@PLT"), "f") == "new-symbol"
    assert "memcpy@PLT" in spliced(base, donor_with("call\tmemcpy@PLT"), "f").text


def test_writable_data_is_the_bases_own_or_refused() -> None:
    base = parse(BASE)
    use = "incl\tcounter(%rip)"
    same = "\t.local\tcounter\n\t.comm\tcounter,4,4\n"
    text = spliced(base, donor_with(use, same), "f").text
    assert text.count(".comm") == 1
    assert refused(base, donor_with(use, same.replace(",4,4", ",8,4")), "f") == "data-size"
    assert refused(base, donor_with(use, same.replace(",4,4", ",4,128")), "f") == "data-alignment"
    other = same.replace("counter", "extra")
    assert refused(base, donor_with("incl\textra(%rip)", other), "f") == "new-data"


def test_zeroed_data_is_aligned_as_the_donor_needs_it() -> None:
    use = "incl\tcounter(%rip)"
    base = parse(BASE)
    wide = donor_with(use, "\t.local\tcounter\n\t.comm\tcounter,4,64\n")
    assert "\t.comm\tcounter,4,64\n" in spliced(base, wide, "f").text
    labelled = BASE.replace(
        "\t.local\tcounter\n\t.comm\tcounter,4,4\n",
        "\t.bss\n\t.align 4\n\t.type\tcounter, @object\n\t.size\tcounter, 4\n"
        "counter:\n\t.zero\t4\n",
    )
    assert labelled != BASE
    text = spliced(parse(labelled), wide, "f").text
    assert "\t.balign\t64\ncounter:\n" in text
    assert parse(text).objects["counter"].alignment == 64
    initialised = labelled.replace("\t.bss\n", "\t.data\n").replace(".zero\t4", ".long\t7")
    donor = donor_with(
        use,
        "\t.data\n\t.align 64\n\t.type\tcounter, @object\n\t.size\tcounter, 4\n"
        "counter:\n\t.long\t7\n",
    )
    assert refused(parse(initialised), donor, "f") == "data-alignment"


def test_operand_decorations_are_no_symbols() -> None:
    donor = donor_with("vpaddd\t%zmm0, %zmm1, %zmm2{%k1}{z}")
    assert "{%k1}{z}" in spliced(parse(BASE), donor, "f").text


def test_other_refusals() -> None:
    base = parse(BASE)
    assert refused(base, donor_with("nop"), "g") == "no-such-function"
    assert refused(base, parse("\t.text\n"), "f") == "not-in-donor"
    assert refused(base, donor_with("nop")) == "no-functions"
    assert refused(base, donor_with("movl\t$counter, %eax"), "f") == "relocation-kind"
    assert refused(base, donor_with("jmp\t.Lnowhere"), "f") == "undefined-label"
    assert refused(base, donor_with(".byte\t15"), "f") == "data-in-code"
    assert refused(base, donor_with('.incbin\t"/etc/passwd"'), "f") in ("directive", "data-in-code")
    assert refused(base, donor_with("movl\t%fs:x@tpoff, %eax"), "f") == "tls"


def test_clang_local_conventions_are_refused() -> None:
    base = parse(
        BASE.replace("\t.globl\tf\n", "")
        + "\t.text\n\t.globl\tg\n\t.type\tg, @function\ng:\n\tcall\tf\n\tret\n\t.size\tg, .-g\n"
    )
    donor = parse(
        donor_with("nop").text.replace("\tret\n", "\tretq\n").replace("\t.globl\tf\n", "")
    )
    assert refused(base, donor, "f") == "local-convention"


def test_external_calls_go_through_the_plt_as_in_the_base() -> None:
    base = parse(BASE.replace("\tret\n", "\tcall\tputs@PLT\n\tret\n"))
    assert "call\tputs@PLT" in spliced(base, donor_with("call\tputs"), "f").text


def test_clone_of_another_compilation_is_refused() -> None:
    unit = parse(compile_unit(CORPUS / "clones.c", "-O3"))
    clone = next(n for n in unit.functions if ".constprop" in n or ".isra" in n)
    assert refused(unit, unit, clone, foreign=True) == "clone"


def _function(text: str, name: str) -> str:
    unit = parse(text)
    return "\n".join(unit.lines[i] for i in unit.functions[name].indices())
