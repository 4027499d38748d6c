"""A reader of x86-64 ELF files, objects and linked ones: just what is asked of them here.

It is our own because the gates need certainty about the dull corners (sections of one name, empty
names, relocations against section symbols) and the compile path needs it quick to import and to
open. Reading a file checks its section table; symbols, relocations, segments and dynamic entries
are read when first asked for. Whatever the bytes are, nothing but ElfError is raised.

Layouts follow the System V gABI, chapters 4 and 5, and the x86-64 psABI, section 4.4.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gccllm.asm.elf_format import (
    NO_SYMBOL,
    SHN_LORESERVE,
    SHN_XINDEX,
    SHT_DYNAMIC,
    SHT_DYNSYM,
    SHT_NOBITS,
    SHT_RELA,
    SHT_SYMTAB,
    STB_LOCAL,
    STT_FILE,
    STT_SECTION,
    Relocation,
    Section,
    Segment,
    Symbol,
)

__all__ = ["ElfError", "ElfFile", "read_elf"]

_EM_X86_64 = 62
_MAGIC = b"\x7fELF\x02\x01"  # 64-bit, little-endian
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")
_DYNAMIC = struct.Struct("<qQ")


class ElfError(ValueError):
    """Not an x86-64 ELF file, or one that breaks its own format."""


@dataclass(frozen=True)
class ElfFile:
    """A whole file. Its tables are read when first asked for, which raises ElfError if they are
    unsound; after :meth:`checked` none of them does."""

    kind: int
    entry: int
    sections: tuple[Section, ...]
    raw: bytes = field(repr=False)
    segment_table: tuple[int, int, int] = field(repr=False)
    """its offset, the size of an entry and their number, unchecked"""
    errors: str = field(repr=False)

    def checked(self) -> ElfFile:
        """Itself, with every table read. Raises ElfError where one is unsound."""
        _ = (self.segments, self.symbols, self.dynamic_symbols, self.dynamic, self.relocations)
        return self

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        offset, size, count = self.segment_table
        _check(count == 0 or size == _SEGMENT.size, "segment table")
        table = _SEGMENT.iter_unpack(_slice(self.raw, offset, count * _SEGMENT.size))
        return tuple(Segment(x[0], x[1], x[2], x[3], x[5]) for x in table)

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols of .symtab, the nameless null symbol first."""
        return self._read_symbols(SHT_SYMTAB)

    @cached_property
    def dynamic_symbols(self) -> tuple[Symbol, ...]:
        """The symbols of .dynsym, the nameless null symbol first."""
        return self._read_symbols(SHT_DYNSYM)

    @cached_property
    def relocations(self) -> dict[int, tuple[Relocation, ...]]:
        """Index of the section that is patched (0 or the offset table's in linked files) → its
        relocations by offset."""
        result: dict[int, list[Relocation]] = {}
        for section in self.sections:
            if section.kind == SHT_RELA:
                result.setdefault(section.info, []).extend(self._read_rela(section))
        return {
            index: tuple(sorted(found, key=lambda one: one.offset))
            for index, found in result.items()
        }

    @cached_property
    def dynamic(self) -> tuple[tuple[int, int], ...]:
        """The (tag, value) pairs of the dynamic section before DT_NULL."""
        table = self._only(SHT_DYNAMIC)
        entries: list[tuple[int, int]] = []
        for tag, value in _entries(table, _DYNAMIC, "dynamic table"):
            if tag == 0:
                break
            entries.append((tag, value))
        return tuple(entries)

    def dynamic_string(self, offset: int) -> str:
        """A string that a dynamic entry refers to. Raises ElfError when it lies outside."""
        table = self._only(SHT_DYNAMIC)
        strings = self._linked(table).content if table is not None else b""
        return _string(strings, offset, self.errors)

    def all_relocations(self) -> Iterator[Relocation]:
        for found in self.relocations.values():
            yield from found

    def section_named(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((one for one in self.sections if one.name == name), None)

    def segment_bytes(self, segment: Segment) -> bytes:
        """What the file has of a segment."""
        return self.raw[segment.offset : segment.offset + segment.file_size]

    def nearest_symbol(self, section: int, offset: int) -> Symbol | None:
        """The named symbol at or last before ``offset`` in a section; among equals a global one."""
        offsets, named = self._by_section.get(section, ([], []))
        place = bisect_right(offsets, offset)
        return named[place - 1] if place else None

    @cached_property
    def _by_section(self) -> dict[int, tuple[list[int], list[Symbol]]]:
        wanted: dict[int, list[Symbol]] = {}
        for one in self.symbols:
            if one.name and one.kind not in (STT_SECTION, STT_FILE):
                wanted.setdefault(one.section, []).append(one)
        result: dict[int, tuple[list[int], list[Symbol]]] = {}
        for index, found in wanted.items():
            found.sort(key=lambda one: (one.value, one.binding != STB_LOCAL, one.name))
            result[index] = ([one.value for one in found], found)
        return result

    def _read_symbols(self, kind: int) -> tuple[Symbol, ...]:
        table = self._only(kind)
        if table is None:
            return ()
        strings, errors, sections = self._linked(table).content, self.errors, len(self.sections)
        # Beyond, a symbol's section would stand in a table of its own (SHT_SYMTAB_SHNDX).
        _check(sections < SHN_LORESERVE, "section count")
        result = []
        for name, info, other, section, value, size in _entries(table, _SYMBOL, "symbol table"):
            _check(section < sections or SHN_LORESERVE <= section < SHN_XINDEX, "symbol section")
            text = _string(strings, name, errors)
            result.append(Symbol(text, section, value, size, info >> 4, info & 15, other & 3))
        return tuple(result)

    def _read_rela(self, section: Section) -> Iterator[Relocation]:
        linked = self.sections[section.link].kind if section.link < len(self.sections) else None
        symbols: tuple[Symbol, ...] = ()
        if linked in (SHT_SYMTAB, SHT_DYNSYM):
            symbols = self.symbols if linked == SHT_SYMTAB else self.dynamic_symbols
        for offset, info, addend in _entries(section, _RELA, "relocation table"):
            number = info >> 32
            _check(number == 0 or number < len(symbols), "relocation symbol")
            symbol = symbols[number] if number else NO_SYMBOL
            yield Relocation(offset, info & 0xFFFFFFFF, symbol, addend)

    def _only(self, kind: int) -> Section | None:
        """The section of a kind of which a file has one at most."""
        found = [one for one in self.sections if one.kind == kind]
        _check(len(found) < 2, f"two sections of type {kind}")
        return found[0] if found else None

    def _linked(self, table: Section) -> Section:
        _check(table.link < len(self.sections), "link to strings")
        return self.sections[table.link]


def read_elf(path: Path | str, *, errors: str = "surrogateescape") -> ElfFile:
    """Read an object, a program or a shared library that has a section table.

    ``errors`` is what becomes of bytes in names that are no UTF-8, as for :meth:`bytes.decode`.
    Raises ElfError for anything else, OSError when it can't be read.
    """
    with open(path, "rb", buffering=0) as file:
        raw = file.read(_HEADER.size)
        # Before the rest is read: archives and libraries may be large.
        _check(len(raw) == _HEADER.size and raw.startswith(_MAGIC), "header")
        raw += file.read()
    (_, kind, machine, _, entry, segment_offset, table_offset, *rest) = _HEADER.unpack_from(raw)
    _, _, segment_size, segments, entry_size, count, names_index = rest
    _check(machine == _EM_X86_64, "header")
    _check(table_offset > 0 and entry_size == _SECTION.size, "section table")
    if count == 0 or names_index == SHN_XINDEX:
        # Numbers that are too large for the header stand in the null section.
        null = _SECTION.unpack(_slice(raw, table_offset, _SECTION.size))
        count = count or null[5]
        names_index = null[6] if names_index == SHN_XINDEX else names_index
    _check(names_index < count, "section count")
    headers = list(_SECTION.iter_unpack(_slice(raw, table_offset, count * _SECTION.size)))
    end = max(x[4] + x[5] if x[1] != SHT_NOBITS else 0 for x in headers)
    _check(end <= len(raw), "extent of a section")
    names_at = headers[names_index]
    no_names = names_index == 0 or names_at[1] == SHT_NOBITS
    names = b"" if no_names else _slice(raw, names_at[4], names_at[5])
    sections = tuple(
        Section(
            index=i,
            name=_string(names, x[0], errors),
            kind=x[1],
            flags=x[2],
            offset=x[4],
            size=x[5],
            link=x[6],
            info=x[7],
            entry_size=x[9],
            alignment=x[8],
            raw=raw,
        )
        for i, x in enumerate(headers)
    )
    return ElfFile(kind, entry, sections, raw, (segment_offset, segment_size, segments), errors)


def _entries(table: Section | None, layout: struct.Struct, what: str) -> Iterator[tuple[int, ...]]:
    content = table.content if table is not None else b""
    _check(len(content) % layout.size == 0, what)
    return layout.iter_unpack(content)


def _slice(raw: bytes, offset: int, size: int) -> bytes:
    _check(offset + size <= len(raw), "extent of a table")
    return raw[offset : offset + size]


def _string(table: bytes, offset: int, errors: str) -> str:
    end = table.find(b"\0", offset)
    if end < 0:
        _check(offset == 0, "string")
        return ""
    return table[offset:end].decode("utf-8", errors)


def _check(sound: bool, what: str) -> None:
    if not sound:
        raise ElfError(f"unsound ELF file: {what}")
