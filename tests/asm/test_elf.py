"""The ELF reader on what as, gcc and ld make, against readelf, and on damaged files."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from gccllm.asm.elf import ElfError, read_elf
from gccllm.asm.elf_format import (
    ET_REL,
    NO_SYMBOL,
    PT_INTERP,
    PT_LOAD,
    R_X86_64_64,
    R_X86_64_PLT32,
    SHN_ABS,
    SHN_COMMON,
    SHT_NOBITS,
    SHT_RELA,
    SHT_SYMTAB,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    STT_FUNC,
    STT_OBJECT,
)
from gccllm.process import run
from tests.asm.tools import assemble, build, compile_unit, sources

UNIT = """
    .globl  start, value
    .type   start, @function
start:
    call    other
    call    0x1000
    ret
    .size   start, .-start
    .type   inner, @function
inner:
    ret
    .size   inner, .-inner
    .weak   inner_too
    .set    inner_too, inner
    .data
    .type   value, @object
    .size   value, 16
value:
    .quad   inner+3, 7
    .comm   shared, 24, 8
    .set    fixed, 99
    .bss
    .zero   40
    .section .rodata.str1.1,"aMS",@progbits,1
    .string "text"
    .section .note.GNU-stack,"",@progbits
"""
SECTION_HEADER = 64
DT_NEEDED = 1


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    return assemble(UNIT, tmp_path / "unit.o")


def header_at(path: Path, kind: int) -> tuple[int, int]:
    """(where the header of the first section of a kind is in the file, where the section is)."""
    elf = read_elf(path)
    section = next(x for x in elf.sections if x.kind == kind)
    (table,) = struct.unpack_from("<Q", elf.raw, 40)
    return table + section.index * SECTION_HEADER, section.offset


def test_sections(unit: Path) -> None:
    elf = read_elf(unit)
    assert elf.kind == ET_REL
    assert [x.index for x in elf.sections] == list(range(len(elf.sections)))
    text, data, bss, strings = (
        elf.section_named(x) for x in (".text", ".data", ".bss", ".rodata.str1.1")
    )
    assert text is not None
    assert (text.executable, text.writable, text.allocated) == (True, False, True)
    assert text.content.endswith(b"\xc3\xc3")
    assert data is not None
    assert (data.executable, data.writable, data.size) == (False, True, 16)
    assert bss is not None
    assert (bss.kind, bss.size, bss.content) == (SHT_NOBITS, 40, b"")
    assert strings is not None
    assert (strings.content, strings.entry_size) == (b"text\0", 1)
    assert elf.section_named(".nowhere") is None


def test_symbols(unit: Path) -> None:
    elf = read_elf(unit)
    assert elf.symbols[0] == NO_SYMBOL
    named = {x.name: x for x in elf.symbols}
    text, data = elf.section_named(".text"), elf.section_named(".data")
    assert text is not None
    assert data is not None
    start, inner, value = named["start"], named["inner"], named["value"]
    assert (start.kind, start.binding, start.size) == (STT_FUNC, STB_GLOBAL, 11)
    assert (inner.binding, inner.local, inner.value, inner.size) == (STB_LOCAL, True, 11, 1)
    assert (value.kind, value.section, value.size) == (STT_OBJECT, data.index, 16)
    assert (named["inner_too"].binding, named["inner_too"].section) == (STB_WEAK, text.index)
    assert (named["other"].defined, start.defined) == (False, True)
    assert (named["shared"].section, named["shared"].size) == (SHN_COMMON, 24)
    assert (named["fixed"].section, named["fixed"].value) == (SHN_ABS, 99)


def test_the_nearest_symbol_is_the_last_before_and_rather_a_global_one(unit: Path) -> None:
    elf = read_elf(unit)
    text = next(x.index for x in elf.sections if x.name == ".text")
    found = [elf.nearest_symbol(text, offset) for offset in (0, 10, 11, 500)]
    assert [x.name if x else "" for x in found] == ["start", "start", "inner_too", "inner_too"]
    assert elf.nearest_symbol(text, -1) is None
    assert elf.nearest_symbol(1000, 0) is None


def test_relocations(unit: Path) -> None:
    elf = read_elf(unit)
    text, data = elf.section_named(".text"), elf.section_named(".data")
    assert text is not None
    assert data is not None
    called, fixed = elf.relocations[text.index]
    assert (called.offset, called.kind, called.symbol.name) == (1, R_X86_64_PLT32, "other")
    assert (called.addend, called.absolute) == (-4, False)
    assert (fixed.offset, fixed.absolute, fixed.addend) == (6, True, 0x1000 - 4)
    (pointer,) = elf.relocations[data.index]
    assert (pointer.kind, pointer.symbol.section) == (R_X86_64_64, text.index)
    assert pointer.symbol.value + pointer.addend == 11 + 3
    assert len(list(elf.all_relocations())) == 3


@pytest.mark.parametrize("options", [("-O2",), ("-O3", "-g", "-ffunction-sections")])
def test_readelf_says_the_same(tmp_path: Path, options: tuple[str, ...]) -> None:
    for source in sources():
        path = assemble(compile_unit(source, *options), tmp_path / "x.o")
        elf = read_elf(path).checked()
        done = run(["readelf", "-sSrW", str(path)], timeout=60)
        assert done.ok
        told = done.stdout.decode()
        symbols = re.findall(r"^ +\d+: ([0-9a-f]{16}) +(0x[0-9a-f]+|\d+) \w+ ", told, re.MULTILINE)
        assert [(int(v, 16), int(s, 0)) for v, s in symbols] == [
            (x.value, x.size) for x in elf.symbols
        ]
        sections = re.findall(r"^ +\[ *\d+\] (\S*) +[A-Z]\w+ +0+ (\w+) (\w+)", told, re.MULTILINE)
        assert [(n, int(o, 16), int(s, 16)) for n, o, s in sections] == [
            (x.name, x.offset, x.size) for x in elf.sections
        ]
        entries = re.findall(r"^([0-9a-f]{16})  ([0-9a-f]{16}) R_X86", told, re.MULTILINE)
        assert sorted((int(o, 16), int(i, 16) & 0xFFFFFFFF) for o, i in entries) == sorted(
            (x.offset, x.kind) for x in elf.all_relocations()
        )


def test_a_program(tmp_path: Path) -> None:
    text = "\t.globl main\n\t.type main, @function\nmain:\n\tjmp puts@PLT\n\t.size main, .-main\n"
    elf = read_elf(build(text, tmp_path / "program")).checked()
    needed = [elf.dynamic_string(value) for tag, value in elf.dynamic if tag == DT_NEEDED]
    assert needed == ["libc.so.6"]
    assert {x.name for x in elf.dynamic_symbols if not x.defined} >= {"puts"}
    assert "main" in {x.name for x in elf.symbols if x.kind == STT_FUNC}
    (interpreter,) = (x for x in elf.segments if x.kind == PT_INTERP)
    assert elf.segment_bytes(interpreter).startswith(b"/lib64/ld-linux-x86-64.so")
    loaded = [x for x in elf.segments if x.kind == PT_LOAD]
    assert any(x.address <= elf.entry < x.address + x.file_size for x in loaded)
    assert "puts" in {x.symbol.name for x in elf.all_relocations()}
    with pytest.raises(ElfError):
        elf.dynamic_string(1 << 40)


def test_a_static_program_has_nothing_dynamic(tmp_path: Path) -> None:
    text = "\t.globl main\nmain:\n\tret\n"
    elf = read_elf(build(text, tmp_path / "program", "-static")).checked()
    assert (elf.dynamic, elf.dynamic_symbols) == ((), ())
    assert all(x.absolute for x in elf.all_relocations())
    assert elf.dynamic_string(0) == ""


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    path = assemble('"caf\udce9":\n\tret\n', tmp_path / "x.o")
    assert read_elf(path).symbols[-1].name == "caf\udce9"
    assert read_elf(path, errors="backslashreplace").symbols[-1].name == "caf\\xe9"


def test_more_sections_than_the_header_can_count(tmp_path: Path) -> None:
    rows = [f'\t.section .data.{i},"aw"\n' for i in range(0xFF10)]
    path = assemble("".join(rows) + "here:\n\t.byte 1\n", tmp_path / "x.o")
    elf = read_elf(path)
    assert struct.unpack_from("<H", elf.raw, 60) == (0,)
    last = elf.section_named(f".data.{0xFF10 - 1}")
    assert last is not None
    assert last.content == b"\1"
    assert elf.sections[0].content == b""
    with pytest.raises(ElfError, match="section count"):
        _ = elf.symbols


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        (0, "<I", 0),
        (4, "<B", 1),
        (5, "<B", 2),
        (18, "<H", 183),
        (40, "<Q", 0),
        (40, "<Q", 1 << 63),
        (58, "<H", 40),
        (60, "<H", 0xFEFF),
        (62, "<H", 500),
    ],
)
def test_headers_that_are_not_ours(unit: Path, offset: int, layout: str, value: int) -> None:
    raw = bytearray(unit.read_bytes())
    struct.pack_into(layout, raw, offset, value)
    unit.write_bytes(raw)
    with pytest.raises(ElfError):
        read_elf(unit)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"!<arch>\n" * 20, bytes(100)])
def test_other_files(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ElfError):
        read_elf(tmp_path / "x")


def test_what_cannot_be_read_is_an_oserror(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(OSError, match=str(path)):
            read_elf(path)


def _symbol_section(raw: bytearray, header: int, start: int) -> None:
    struct.pack_into("<H", raw, start + 24 + 6, 0xFE00)


def _symbol_name(raw: bytearray, header: int, start: int) -> None:
    struct.pack_into("<I", raw, start + 24, 1 << 31)


def _table_link(raw: bytearray, header: int, start: int) -> None:
    struct.pack_into("<I", raw, header + 40, 700)


def _table_size(raw: bytearray, header: int, start: int) -> None:
    struct.pack_into("<Q", raw, header + 32, 25)


def _relocation_symbol(raw: bytearray, header: int, start: int) -> None:
    struct.pack_into("<I", raw, start + 12, 5000)


def _second_table(raw: bytearray, header: int, start: int) -> None:
    struct.pack_into("<I", raw, header + 4, SHT_SYMTAB)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        (SHT_SYMTAB, _symbol_section),
        (SHT_SYMTAB, _symbol_name),
        (SHT_SYMTAB, _table_link),
        (SHT_SYMTAB, _table_size),
        (SHT_RELA, _table_link),
        (SHT_RELA, _table_size),
        (SHT_RELA, _relocation_symbol),
        (SHT_RELA, _second_table),
    ],
)
def test_unsound_tables_are_noticed_when_read(
    unit: Path, kind: int, damage: Callable[[bytearray, int, int], None]
) -> None:
    raw = bytearray(unit.read_bytes())
    damage(raw, *header_at(unit, kind))
    unit.write_bytes(raw)
    elf = read_elf(unit)
    assert elf.section_named(".text") is not None
    with pytest.raises(ElfError, match="unsound"):
        elf.checked()


def test_a_section_beyond_the_file(unit: Path) -> None:
    raw = bytearray(unit.read_bytes())
    header, _ = header_at(unit, SHT_RELA)
    struct.pack_into("<Q", raw, header + 24, 1 << 63)
    unit.write_bytes(raw)
    with pytest.raises(ElfError, match="extent"):
        read_elf(unit)


def test_damage_raises_nothing_else(unit: Path, tmp_path: Path) -> None:
    program = build("\t.globl main\nmain:\n\tret\n", tmp_path / "program", "-s")
    random_ = random.Random(4)
    target = tmp_path / "damaged"
    refused = 0
    for path, tries in ((unit, 1500), (program, 400)):
        whole = path.read_bytes()
        (table,) = struct.unpack_from("<Q", whole, 40)
        for _ in range(tries):
            raw = bytearray(whole)
            for _ in range(random_.randint(1, 3)):
                least = random_.choice((0, 0, table))
                most = 64 if least == 0 and random_.random() < 0.5 else len(raw)
                place = random_.randrange(least, most)
                raw[place] = random_.choice((0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)))
            target.write_bytes(raw[: random_.choice((len(raw), random_.randrange(len(raw))))])
            try:
                elf = read_elf(target).checked()
            except ElfError:
                refused += 1
            else:
                assert all(len(x.content) <= len(raw) for x in elf.sections)
                assert all(len(elf.segment_bytes(x)) <= len(raw) for x in elf.segments)
    assert 500 < refused < 1900
