"""A small reader of ELF64 little-endian x86-64 relocatable objects: struct only, quick to import.

Layouts are those of the System V gABI, chapters 'Object Files' and 'Relocation'.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["ElfError", "ElfObject", "Relocation", "Section", "Symbol", "read_elf"]

_SHT_SYMTAB = 2
_SHT_RELA = 4
_SHT_NOBITS = 8
_EM_X86_64 = 62


class ElfError(ValueError):
    """Not an ELF64 x86-64 little-endian file, or a damaged one."""


@dataclass(frozen=True)
class Section:
    index: int
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int


@dataclass(frozen=True)
class Symbol:
    """``section`` is a section's index, 0 for undefined; ``binding`` 0 local, 1 global, 2 weak;
    ``kind`` 2 function, 3 section; ``visibility`` 0 default."""

    name: str
    section: int
    value: int
    size: int
    binding: int
    kind: int
    visibility: int


@dataclass(frozen=True)
class Relocation:
    """``offset`` in the section that it patches; ``kind`` is R_X86_64_…"""

    offset: int
    kind: int
    symbol: Symbol
    addend: int


@dataclass(frozen=True)
class ElfObject:
    data: bytes
    sections: tuple[Section, ...]

    def content(self, section: Section) -> bytes:
        if section.kind == _SHT_NOBITS:
            return b""
        return self.data[section.offset : section.offset + section.size]

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        for table in self.sections:
            if table.kind == _SHT_SYMTAB:
                return self._read_symbols(table)
        return ()

    def _read_symbols(self, table: Section) -> tuple[Symbol, ...]:
        strings = self.content(self.sections[table.link])
        found = []
        for name, info, other, section, value, size in struct.iter_unpack(
            "<IBBHQQ", self.content(table)
        ):
            found.append(
                Symbol(
                    _text(strings, name),
                    section,
                    value,
                    size,
                    info >> 4,
                    info & 15,
                    other & 3,
                )
            )
        return tuple(found)

    @cached_property
    def relocations(self) -> dict[int, tuple[Relocation, ...]]:
        """Relocations by the index of the section that they patch, sorted by offset."""
        found: dict[int, list[Relocation]] = {}
        for section in self.sections:
            if section.kind != _SHT_RELA:
                continue
            entries = found.setdefault(section.info, [])
            for offset, info, addend in struct.iter_unpack("<QQq", self.content(section)):
                entries.append(
                    Relocation(offset, info & 0xFFFFFFFF, self.symbols[info >> 32], addend)
                )
        return {k: tuple(sorted(v, key=lambda r: r.offset)) for k, v in found.items()}


def _text(strings: bytes, start: int) -> str:
    end = strings.find(b"\0", start)
    return strings[start : end if end >= 0 else len(strings)].decode("utf-8", "surrogateescape")


def read_elf(path: Path | str) -> ElfObject:
    """Read an object. Raises ElfError for anything else, OSError when it can't be read."""
    with Path(path).open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            raise ElfError(f"{path}: not a 64-bit little-endian ELF file")
        data = head + file.read()
    return parse_elf(data, str(path))


def parse_elf(data: bytes, name: str) -> ElfObject:
    """As read_elf, from bytes; ``name`` is for messages. Raises ElfError."""
    try:
        machine = struct.unpack_from("<H", data, 18)[0]
        table = struct.unpack_from("<Q", data, 40)[0]
        entry_size, count, names_index = struct.unpack_from("<HHH", data, 58)
        if machine != _EM_X86_64:
            raise ElfError(f"{name}: not x86-64")
        if table and count == 0:
            count = struct.unpack_from("<Q", data, table + 32)[0]
        if table and names_index == 0xFFFF:
            names_index = struct.unpack_from("<I", data, table + 40)[0]
        raw = [
            struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_size) for i in range(count)
        ]
        names = data[raw[names_index][4] :][: raw[names_index][5]] if raw else b""
    except (struct.error, IndexError, OverflowError) as error:
        raise ElfError(f"{name}: damaged ELF file") from error
    return ElfObject(
        data,
        tuple(
            Section(i, _text(names, r[0]), r[1], r[2], r[4], r[5], r[6], r[7], r[9])
            for i, r in enumerate(raw)
        ),
    )
