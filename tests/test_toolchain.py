"""The user's options taken apart, and the real gcc asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.errors import ToolchainError
from gccllm.toolchain import Toolchain, collect_options, features_of_macros, split_options


def test_collect_gcc_options_are_unquoted() -> None:
    quoted = "'-O3' '-D' 'X=\"a b\"' '-o' 'o u' '-DY=it'\\''s'"
    assert collect_options({"COLLECT_GCC_OPTIONS": quoted}) == (
        "-O3", "-D", 'X="a b"', "-o", "o u", "-DY=it's",
    )  # fmt: skip
    assert collect_options({"COLLECT_GCC_OPTIONS": "'broken"}) == ()
    assert collect_options({}) == ()


def test_options_are_sorted_by_what_they_shape() -> None:
    options = (
        "-O3 -march=x86-64-v2 -I inc -Iother -D X=1 -include a.h -Wall -Wl,-z,now -o out -c -MMD"
        " -MF d -fno-strict-aliasing -fPIC -g -std=c99 -pipe -L/lib -lm -dumpdir a- -static"
        " -save-temps=obj -pedantic -fwrapv -ansi -pthread"
    ).split()
    done = split_options(options)
    assert done.preprocessor == ("-I", "inc", "-Iother", "-D", "X=1", "-include", "a.h")
    assert done.compiler == (
        "-O3", "-march=x86-64-v2", "-fno-strict-aliasing", "-fPIC", "-g", "-std=c99", "-fwrapv",
        "-ansi", "-pthread",
    )  # fmt: skip


def test_features_are_the_macros_that_are_one() -> None:
    text = "#define __AVX2__ 1\n#define __GNUC__ 12\n#define __SSE4_2__ 1\n#define unix 1\n"
    assert features_of_macros(text) == {"AVX2", "SSE4_2"}


def test_the_real_compiler_tells_its_instruction_sets() -> None:
    toolchain = Toolchain("gcc")
    plain = toolchain.isa("target", ())
    assert "SSE2" in plain.features
    assert "AVX2" not in plain.features
    third = toolchain.isa("target", ("-O3", "-march=x86-64-v3"))
    assert {"AVX2", "BMI2", "FMA"} <= third.features
    assert third.name != plain.name
    assert toolchain.isa("native", ()).options == ("-march=native",)


def test_an_impossible_instruction_set_is_an_error() -> None:
    with pytest.raises(ToolchainError, match="march"):
        Toolchain("gcc").isa("target", ("-march=nonsense",))


def test_a_compiler_that_is_not_there_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(ToolchainError, match="GCCLLM_CC"):
        Toolchain("no-such-gcc")


def test_assembling_is_limited(tmp_path: Path) -> None:
    toolchain = Toolchain("gcc")
    good = toolchain.assemble("\t.text\n\tret\n", tmp_path / "a.o")
    assert good.ok
    bomb = ".rept 100000\n" * 3 + "nop\n" + ".endr\n" * 3
    assert not toolchain.assemble(bomb, tmp_path / "b.o").ok
    assert not toolchain.assemble("\t.data\n\t.space 999999999\n", tmp_path / "c.o").ok
    wrong = toolchain.assemble("\tnonsense %rax\n", tmp_path / "d.o")
    assert "nonsense" in wrong.error_line()


def test_emitted_code_is_that_of_the_options(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("#define V 41\nint f(void) { return V + 1; }\n")
    toolchain = Toolchain("gcc")
    assert toolchain.preprocess(source, ("-DX",), tmp_path, tmp_path / "a.i")
    assert toolchain.emit(tmp_path / "a.i", ("-O3",), tmp_path / "a.s").ok
    assert "$42, %eax" in (tmp_path / "a.s").read_text()
