from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.lines import Line
from gccllm.asm.unit import parse
from tests.asm.tools import CLANG, CORPUS, compile_unit, needs_clang, sources

OPTION_SETS = [("-O2",), ("-O3", "-g"), ("-O3", "-fPIC", "-ffunction-sections"), ("-O0",)]


@pytest.mark.parametrize("options", OPTION_SETS, ids=" ".join)
def test_parsing_loses_nothing(options: tuple[str, ...]) -> None:
    for source in sources():
        text = compile_unit(source, *options)
        assert parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a",
        "\r\n\t.text\r\n",
        "\udc80\udcff:\n",
        '"x y":\n\t.string "#\\"',
        "\t.popsection",
    ],
)
def test_parsing_takes_any_text(text: str) -> None:
    assert parse(text).text == text


def test_functions_of_a_gcc_unit() -> None:
    unit = parse(compile_unit(CORPUS / "clones.c", "-O3"))
    risky = unit.functions["risky"]
    assert risky.is_global
    assert risky.replaceable
    assert risky.cold == ("risky.cold",)
    assert "risky.cold" not in unit.functions
    assert {"puts", "abort"} <= risky.symbols
    assert unit.lines[risky.start] == "risky:"
    assert any("\t.size\trisky.cold" in unit.lines[i] for i in risky.indices())
    assert any(".constprop" in name or ".isra" in name for name in unit.functions)


def test_jump_tables_and_constants() -> None:
    unit = parse(compile_unit(CORPUS / "tables.c", "-O3"))
    dispatch = unit.functions["dispatch"]
    assert len(dispatch.jump_tables) == 1
    assert all(unit.sections[i] == ".rodata" for i in dispatch.jump_tables[0])
    assert dispatch.constants
    assert dispatch.constants <= set(unit.objects)
    weights = unit.objects["weights"]
    assert (weights.size, weights.read_only, weights.is_global) == (48, True, False)
    assert weights.alignment >= 16


def test_writable_data() -> None:
    unit = parse(compile_unit(CORPUS / "loops.c", "-O3"))
    grid = unit.objects["grid"]
    assert (grid.size or grid.declared, grid.read_only, grid.is_global) == (4096, False, True)
    statics = parse(compile_unit(CORPUS / "statics.c", "-O3"))
    counter = statics.objects["counter"]
    assert (counter.size, counter.alignment, counter.common, counter.is_global) == (
        4,
        4,
        True,
        False,
    )


def test_obstacles() -> None:
    functions = parse(compile_unit(CORPUS / "odd.c", "-O3")).functions
    assert functions["shift"].obstacles == ("inline-asm",)
    assert functions["jumps"].obstacles == ("setjmp",)
    assert functions["local"].obstacles == ("tls",)
    assert functions["interpret"].replaceable
    assert functions["original"].obstacles == ("alias",)
    assert functions["plain"].replaceable


@pytest.mark.parametrize(
    ("inside", "obstacles"),
    [
        ('# 3 "x.c" 1\n\t.p2align 5\n# 0 "" 2', ()),
        ("\tnop\n\t.p2align 4,,7", ()),
        ('# 3 "x.c" 1\n\t\n# 0 "" 2', ("inline-asm",)),
        ("\t.p2align 5\n\trdtsc", ("inline-asm",)),
        ("\t.p2align 5, 0xc3", ("inline-asm",)),
        ("\tnop; rdtsc", ("inline-asm",)),
        ('# 3 "x.c" 1; rdtsc\n\tnop', ("inline-asm",)),
        ("\tnop\n\t.data", ("inline-asm",)),
    ],
)
def test_inline_assembly_that_only_places_code_is_none(
    inside: str, obstacles: tuple[str, ...]
) -> None:
    text = compile_unit(CORPUS / "loops.c", "-O3").replace(
        "fill:\n", f"fill:\n#APP\n{inside}\n#NO_APP\n", 1
    )
    unit = parse(text)
    assert unit.functions["fill"].obstacles == obstacles
    assert unit.text == text


def test_inline_assembly_without_an_end_is_inline_assembly() -> None:
    unit = parse(compile_unit(CORPUS / "loops.c", "-O3").replace("fill:\n", "fill:\n#APP\n", 1))
    assert unit.functions["fill"].obstacles[0] == "inline-asm"


def test_exception_tables_are_an_obstacle() -> None:
    text = compile_unit(CORPUS / "loops.c", "-O3").replace(
        "fill:\n", "fill:\n\t.cfi_personality 0x3,__gcc_personality_v0\n", 1
    )
    assert "exceptions" in parse(text).functions["fill"].obstacles


def test_a_function_without_size_is_not_replaceable() -> None:
    text = compile_unit(CORPUS / "loops.c", "-O3").replace("\t.size\ttrace, .-trace\n", "")
    assert "no-size" in parse(text).functions["trace"].obstacles


def test_32_bit_code_is_refused(tmp_path: Path) -> None:
    """Of a source without headers, for those of 32 bits are a package of their own."""
    source = tmp_path / "a.c"
    source.write_text("int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n")
    functions = parse(compile_unit(source, "-O3", "-m32")).functions
    assert functions
    assert all("not-att-64" in f.obstacles for f in functions.values())


def test_intel_syntax_is_refused() -> None:
    functions = parse(compile_unit(CORPUS / "floats.c", "-O3", "-masm=intel")).functions
    assert all("not-att-64" in f.obstacles for f in functions.values())


def test_lines_have_kinds() -> None:
    unit = parse("\t.text\nf:\n\tret # x\n#APP\n\tcpuid\n#NO_APP\n# c\n")
    assert unit.kinds == (
        Line.DIRECTIVE,
        Line.LABEL,
        Line.INSTRUCTION,
        Line.APP,
        Line.APP,
        Line.APP,
        Line.COMMENT,
        Line.BLANK,
    )


@needs_clang
def test_functions_of_a_clang_unit() -> None:
    unit = parse(compile_unit(CORPUS / "tables.c", "-O3", cc=CLANG))
    assert unit.is_clang
    assert not parse(compile_unit(CORPUS / "tables.c", "-O3")).is_clang
    dispatch = unit.functions["dispatch"]
    assert dispatch.replaceable
    assert unit.lines[dispatch.ranges[0].stop - 1].strip() == ".cfi_endproc"
    assert any(name.startswith(".LJTI") for name in dispatch.constants)
