"""The executable gate on real links, and the reader on files that are no ELF files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from gccllm.errors import ToolchainError
from gccllm.judge.screen import check_executable, check_object, imports_of
from gccllm.process import run
from gccllm.types import Isa

SOURCE = """
    #include <stdio.h>
    int main(int argc, char **argv) { return printf("%d %s\\n", argc, argv[0]) < 0; }
"""


def link(folder: Path, name: str, source: str, *options: str) -> Path:
    target = folder / name
    done = run(
        ["gcc", "-O2", "-x", "c", "-", "-o", str(target), *options],
        timeout=60,
        stdin=source.encode(),
    )
    assert done.ok, done.error_line()
    return target


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return link(tmp_path, "baseline", SOURCE)


@pytest.mark.parametrize("options", [[], ["-static"], ["-no-pie"], ["-s"], ["-shared", "-fPIC"]])
def test_an_honest_rewrite_passes(tmp_path: Path, options: list[str]) -> None:
    before = link(tmp_path, "before", SOURCE, *options)
    changed = SOURCE.replace("return printf", "char b[argc * 64]; b[0] = 0; return b[0] + printf")
    after = link(tmp_path, "after", changed, *options)
    assert check_executable(after, before) == []


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        ("executable-stack", ["-Wl,-z,execstack"]),
        ("dynamic", ["-Wl,--no-as-needed", "-lm"]),
        ("dynamic", ["-Wl,-rpath,/tmp"]),
        ("dynamic", ["-Wl,-z,now"]),
        ("interpreter", ["-Wl,--dynamic-linker=/tmp/ld.so"]),
        ("entry", ["-Wl,--entry=main"]),
        ("segment-changed", ["-static"]),
        ("export-added", ["-rdynamic"]),
    ],
)
def test_a_link_of_another_kind_is_refused(
    tmp_path: Path, baseline: Path, rule: str, options: list[str]
) -> None:
    made = link(tmp_path, "made", SOURCE, *options)
    assert rule in {one.rule for one in check_executable(made, baseline)}


@pytest.mark.parametrize(
    ("rule", "extra", "options"),
    [
        ("start-up", '__attribute__((constructor)) void early(void) { puts(""); }', []),
        ("start-up", '__attribute__((destructor)) void late(void) { puts(""); }', []),
        (
            "indirect-function",
            "static int one(void) { return 1; } static void *choose(void) { return one; }"
            ' int chosen(void) __attribute__((ifunc("choose")));',
            [],
        ),
        (
            "copy-relocation",
            "extern char **environ; char **where(void) { return environ; }",
            ["-no-pie", "-fno-pic"],
        ),
    ],
)
def test_what_comes_into_being_at_the_link(
    tmp_path: Path, rule: str, extra: str, options: list[str]
) -> None:
    before = link(tmp_path, "before", SOURCE, *options)
    made = link(tmp_path, "made", SOURCE + extra, *options)
    assert rule in {one.rule for one in check_executable(made, before)}


def test_writable_code_is_refused(tmp_path: Path, baseline: Path) -> None:
    raw = bytearray(baseline.read_bytes())
    (table,) = struct.unpack_from("<Q", raw, 32)
    size, count = struct.unpack_from("<HH", raw, 54)
    for offset in range(table, table + size * count, size):
        kind, flags = struct.unpack_from("<II", raw, offset)
        if kind == 1 and flags & 1:
            struct.pack_into("<I", raw, offset + 4, flags | 2)
    made = tmp_path / "made"
    made.write_bytes(raw)
    assert [one.rule for one in check_executable(made, baseline)] == ["segment-writable-code"]


def test_imports(tmp_path: Path, baseline: Path) -> None:
    assert "printf" in imports_of(baseline)
    assert "main" not in imports_of(baseline)
    assert imports_of(link(tmp_path, "static", SOURCE, "-static")) == frozenset()


@pytest.mark.parametrize("cut", [0, 10, 64, 2000, -1])
def test_broken_files_are_findings_or_our_fault(tmp_path: Path, baseline: Path, cut: int) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(baseline.read_bytes()[:cut])
    assert [one.rule for one in check_executable(broken, baseline)] == ["not-elf"]
    with pytest.raises(ToolchainError):
        check_executable(baseline, broken)
    with pytest.raises(ToolchainError):
        imports_of(broken)


def test_a_program_is_no_object(tmp_path: Path, baseline: Path) -> None:
    unit = link(tmp_path, "unit.o", SOURCE, "-c")
    isa = Isa("target", "x86-64", frozenset())
    found = check_object(baseline, unit, isa, program_imports=frozenset())
    assert [one.rule for one in found] == ["not-elf"]
    assert [one.rule for one in check_executable(unit, baseline)] == ["not-elf"]
    with pytest.raises(ToolchainError):
        check_object(unit, baseline, isa, program_imports=frozenset())
