"""A small reader for x86-64 ELF files: just what the gates compare, read strictly.

It is our own because the gates need certainty about the dull corners (sections of one name, empty
names, relocations against section symbols) and speed, and nothing else of ELF. Layouts follow the
System V ABI, chapters 4 and 5 (gabi), and the x86-64 psABI, section 4.4.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

__all__ = ["ElfFormatError", "ElfImage", "Relocation", "Section", "Segment", "Symbol", "read_elf"]

SHT_NOBITS, SHT_RELA, SHT_DYNSYM, SHT_SYMTAB, SHT_DYNAMIC = 8, 4, 11, 2, 6
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_STRINGS, SHF_TLS = 1, 2, 4, 0x20, 0x400
SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_COMMON, STT_TLS = range(7)
STT_GNU_IFUNC = 10
PT_LOAD, PT_INTERP, PT_GNU_STACK, PF_X, PF_W = 1, 3, 0x6474E551, 1, 2
ET_REL = 1

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")
_DYNAMIC = struct.Struct("<qQ")
_MAX_SECTIONS = 0xFF00


class ElfFormatError(ValueError):
    """The file is not an x86-64 ELF file, or breaks its own format."""


@dataclass(frozen=True)
class Section:
    """A section header with its contents (empty for SHT_NOBITS); sizes in bytes."""

    index: int
    name: str
    kind: int
    flags: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int
    content: bytes = field(repr=False)

    @property
    def allocated(self) -> bool:
        return bool(self.flags & SHF_ALLOC)

    @property
    def writable(self) -> bool:
        return bool(self.flags & SHF_WRITE)

    @property
    def executable(self) -> bool:
        return bool(self.flags & SHF_EXECINSTR)


@dataclass(frozen=True)
class Symbol:
    """A symbol; ``section`` is its section's index, or one of the SHN_ constants."""

    name: str
    binding: int
    kind: int
    visibility: int
    section: int
    value: int
    size: int

    @property
    def local(self) -> bool:
        return self.binding == STB_LOCAL

    @property
    def defined(self) -> bool:
        return self.section != SHN_UNDEF


@dataclass(frozen=True)
class Relocation:
    """A relocation with addend; ``symbol`` is None where it names none."""

    offset: int
    kind: int
    symbol: Symbol | None
    addend: int


@dataclass(frozen=True)
class Segment:
    """A program header, as far as it is compared."""

    kind: int
    flags: int
    offset: int
    file_size: int


@dataclass(frozen=True)
class ElfImage:
    """A whole file. ``symbols`` is .symtab and ``dynamic_symbols`` .dynsym, each with its nameless
    null symbol first; ``dynamic`` holds the (tag, value) pairs before DT_NULL."""

    kind: int
    entry: int
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...]
    dynamic_symbols: tuple[Symbol, ...]
    dynamic: tuple[tuple[int, int], ...]
    raw: bytes = field(repr=False)

    @cached_property
    def relocations(self) -> dict[int, tuple[Relocation, ...]]:
        """Index of the section that is patched (0 in linked files) → its relocations by offset."""
        result: dict[int, list[Relocation]] = {}
        for section in self.sections:
            if section.kind == SHT_RELA:
                result.setdefault(section.info, []).extend(self._read_rela(section))
        return {
            index: tuple(sorted(found, key=lambda one: one.offset))
            for index, found in result.items()
        }

    def all_relocations(self) -> Iterator[Relocation]:
        for found in self.relocations.values():
            yield from found

    def section_named(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((one for one in self.sections if one.name == name), None)

    def nearest_symbol(self, section: int, offset: int) -> Symbol | None:
        """The named symbol at or last before ``offset`` in a section; among equals a global one."""
        offsets, named = self._by_section.get(section, ([], []))
        place = bisect_right(offsets, offset)
        return named[place - 1] if place else None

    def segment_bytes(self, segment: Segment) -> bytes:
        return self.raw[segment.offset : segment.offset + segment.file_size]

    def dynamic_string(self, offset: int) -> str:
        """A string of .dynstr, as the dynamic entries refer to it."""
        table = self.section_named(".dynstr")
        return _string(table.content if table is not None else b"", offset)

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

    def _read_rela(self, section: Section) -> Iterator[Relocation]:
        _check(len(section.content) % _RELA.size == 0, "relocation table")
        linked = self.sections[section.link] if section.link < len(self.sections) else None
        symbols: tuple[Symbol, ...] = ()
        if linked is not None and linked.kind == SHT_SYMTAB:
            symbols = self.symbols
        elif linked is not None and linked.kind == SHT_DYNSYM:
            symbols = self.dynamic_symbols
        for offset, info, addend in _RELA.iter_unpack(section.content):
            number = info >> 32
            _check(number == 0 or number < len(symbols), "relocation symbol")
            yield Relocation(offset, info & 0xFFFFFFFF, symbols[number] if number else None, addend)


def read_elf(path: Path) -> ElfImage:
    """Read a file whole. Raises :class:`ElfFormatError` for what is no sound x86-64 ELF file and
    OSError for what can't be read."""
    raw = path.read_bytes()
    _check(len(raw) >= _HEADER.size, "header")
    (ident, kind, machine, _, entry, segment_offset, section_offset, *rest) = _HEADER.unpack_from(
        raw
    )
    _, _, segment_size, segments, section_size, sections, names_index = rest
    _check(ident[:6] == b"\x7fELF\x02\x01" and machine == 62, "header")
    _check(sections > 0 and section_size == _SECTION.size, "section table")
    _check(sections < _MAX_SECTIONS and names_index < sections, "section count")
    _check(segments == 0 or segment_size == _SEGMENT.size, "segment table")
    headers = _table(raw, section_offset, sections, _SECTION)
    bodies = [
        b"" if header[1] == SHT_NOBITS else _slice(raw, header[4], header[5]) for header in headers
    ]
    names = bodies[names_index]
    found = tuple(
        Section(
            index=index,
            name=_string(names, header[0]),
            kind=header[1],
            flags=header[2],
            size=header[5],
            link=header[6],
            info=header[7],
            alignment=header[8],
            entry_size=header[9],
            content=body,
        )
        for index, (header, body) in enumerate(zip(headers, bodies, strict=True))
    )
    return ElfImage(
        kind=kind,
        entry=entry,
        sections=found,
        segments=tuple(
            Segment(header[0], header[1], header[2], header[5])
            for header in _table(raw, segment_offset, segments, _SEGMENT)
        ),
        symbols=_symbols(found, SHT_SYMTAB),
        dynamic_symbols=_symbols(found, SHT_DYNSYM),
        dynamic=_dynamic(found),
        raw=raw,
    )


def _symbols(sections: tuple[Section, ...], kind: int) -> tuple[Symbol, ...]:
    table = next((one for one in sections if one.kind == kind), None)
    if table is None:
        return ()
    _check(table.link < len(sections) and len(table.content) % _SYMBOL.size == 0, "symbol table")
    strings = sections[table.link].content
    result = []
    for name, info, other, section, value, size in _SYMBOL.iter_unpack(table.content):
        _check(section < len(sections) or SHN_LORESERVE <= section < SHN_XINDEX, "symbol section")
        result.append(
            Symbol(_string(strings, name), info >> 4, info & 15, other & 3, section, value, size)
        )
    return tuple(result)


def _dynamic(sections: tuple[Section, ...]) -> tuple[tuple[int, int], ...]:
    table = next((one for one in sections if one.kind == SHT_DYNAMIC), None)
    if table is None or table.kind == SHT_NOBITS:
        return ()
    _check(len(table.content) % _DYNAMIC.size == 0, "dynamic table")
    entries: list[tuple[int, int]] = []
    for tag, value in _DYNAMIC.iter_unpack(table.content):
        if tag == 0:
            break
        entries.append((tag, value))
    return tuple(entries)


def _table(raw: bytes, offset: int, count: int, layout: struct.Struct) -> list[tuple[int, ...]]:
    return list(layout.iter_unpack(_slice(raw, offset, count * layout.size)))


def _slice(raw: bytes, offset: int, size: int) -> bytes:
    _check(offset + size <= len(raw), "extent")
    return raw[offset : offset + size]


def _string(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    _check(offset == 0 or (offset < len(table) and end >= 0), "string")
    return table[offset:end].decode("utf-8", "backslashreplace") if end > offset else ""


def _check(sound: bool, what: str) -> None:
    if not sound:
        raise ElfFormatError(f"unsound ELF file: {what}")
