"""What an ELF file consists of: the numbers that are compared here, and the records of its tables.

Names and numbers are those of the System V gABI, chapters 4 and 5, and of the x86-64 psABI,
section 4.4 (GNU's own: elf.h of glibc).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

__all__ = [
    "ET_REL",
    "NO_SYMBOL",
    "PF_W",
    "PF_X",
    "PT_GNU_STACK",
    "PT_INTERP",
    "PT_LOAD",
    "R_X86_64_32",
    "R_X86_64_32S",
    "R_X86_64_64",
    "R_X86_64_PC32",
    "R_X86_64_PLT32",
    "SHF_ALLOC",
    "SHF_EXECINSTR",
    "SHF_MERGE",
    "SHF_STRINGS",
    "SHF_WRITE",
    "SHN_ABS",
    "SHN_COMMON",
    "SHN_LORESERVE",
    "SHN_UNDEF",
    "SHN_XINDEX",
    "SHT_DYNAMIC",
    "SHT_DYNSYM",
    "SHT_NOBITS",
    "SHT_RELA",
    "SHT_SYMTAB",
    "STB_GLOBAL",
    "STB_LOCAL",
    "STB_WEAK",
    "STT_COMMON",
    "STT_FILE",
    "STT_FUNC",
    "STT_GNU_IFUNC",
    "STT_NOTYPE",
    "STT_OBJECT",
    "STT_SECTION",
    "STT_TLS",
    "Relocation",
    "Section",
    "Segment",
    "Symbol",
]

ET_REL = 1
PT_LOAD, PT_INTERP, PT_GNU_STACK, PF_X, PF_W = 1, 3, 0x6474E551, 1, 2
SHT_SYMTAB, SHT_RELA, SHT_DYNAMIC, SHT_NOBITS, SHT_DYNSYM = 2, 4, 6, 8, 11
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS = 1, 2, 4, 0x10, 0x20
SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_COMMON, STT_TLS = range(7)
STT_GNU_IFUNC = 10
R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_32, R_X86_64_32S = 1, 2, 4, 10, 11


@dataclass(frozen=True)
class Section:
    """A section header; ``offset`` and ``size`` in bytes, within the file unless SHT_NOBITS."""

    index: int
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int
    alignment: int
    raw: bytes = field(repr=False, compare=False)
    """the whole file"""

    @cached_property
    def content(self) -> bytes:
        """Its bytes; none for SHT_NOBITS, nor for the null section, whose size counts sections."""
        if self.kind == SHT_NOBITS or self.index == 0:
            return b""
        return self.raw[self.offset : self.offset + self.size]

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
    """A symbol; ``section`` is its section's index, or one of the SHN_ constants; ``binding``,
    ``kind`` and ``visibility`` are the numbers of STB_, STT_ and STV_; ``size`` is in bytes."""

    name: str
    section: int
    value: int
    size: int
    binding: int
    kind: int
    visibility: int

    @property
    def local(self) -> bool:
        return self.binding == STB_LOCAL

    @property
    def defined(self) -> bool:
        return self.section != SHN_UNDEF


NO_SYMBOL = Symbol("", SHN_UNDEF, 0, 0, STB_LOCAL, STT_NOTYPE, 0)
"""What a relocation names that names none."""


@dataclass(frozen=True)
class Relocation:
    """A relocation with addend: ``offset`` is in the section that it patches (an address in a
    linked file), ``kind`` the number of R_X86_64_…"""

    offset: int
    kind: int
    symbol: Symbol
    addend: int

    @property
    def absolute(self) -> bool:
        """Whether it names no symbol."""
        return self.symbol is NO_SYMBOL


@dataclass(frozen=True)
class Segment:
    """A program header: ``offset`` and ``file_size`` in the file, in bytes."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
