"""An object file laid out as a proof sees it: code and constants at places, other data by name.

Code and read-only data get addresses of our own. Data that a program can write, and symbols of
other objects, lie anywhere: each has a window of addresses that stands for a variable, its base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from gccllm.asm.elf import ElfFile, read_elf
from gccllm.asm.elf_format import (
    R_X86_64_PC32,
    R_X86_64_PLT32,
    SHN_LORESERVE,
    Relocation,
    Section,
    Symbol,
)
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.node import Term, const, var
from gccllm.assurance.proof.sums import add

__all__ = ["Image", "symbol_base"]

BASES = (0x35A7_0000_0000, 0x35A7_2000_0000)
"""where a first and a second object lie; nothing that code computes comes near by chance"""
_WINDOWS = BASES[0] + 0x4000_0000
"""where the windows begin: within reach of 32-bit displacements"""
_WINDOW = 1 << 24
_MOST_WINDOWS = 32
_APART = 0x1_0000
MOST_TABLE = 4096


class Image:
    """One object. ``addresses``: name of a defined symbol of the code → where it lies."""

    def __init__(self, path: Path, beside: Image | None = None) -> None:
        """``beside``: another object of the same program. Raises ElfError, OSError, Unsupported."""
        self._elf: ElfFile = read_elf(path)
        self._starts: dict[int, int] = {}
        self._contents: dict[int, bytes] = {}
        self._windows: dict[str, int] = {} if beside is None else beside._windows
        self._broken: dict[int, str] = {}
        at = BASES[beside is not None]
        for section in self._elf.sections:
            if section.allocated and not section.writable:
                self._starts[section.index] = at
                at += (section.size + _APART) // _APART * _APART
        for section in self._elf.sections:
            if section.index in self._starts:
                self._contents[section.index] = self._patched(section)
        self.addresses = {
            x.name: self._starts[x.section] + x.value
            for x in self._elf.symbols
            if x.name and x.section in self._starts
        }

    def _patched(self, section: Section) -> bytes:
        content = bytearray(section.content)
        for found in self._elf.relocations.get(section.index, ()):
            here = self._starts[section.index] + found.offset
            if found.kind not in (R_X86_64_PC32, R_X86_64_PLT32):
                for i in range(8):
                    self._broken[here + i] = f"a relocation of kind {found.kind}"
                continue
            value = self._target(found) - here
            content[found.offset : found.offset + 4] = (value & 0xFFFF_FFFF).to_bytes(4, "little")
        return bytes(content)

    def _target(self, found: Relocation) -> int:
        symbol = found.symbol
        if symbol.section in self._starts:
            return self._starts[symbol.section] + symbol.value + found.addend
        name, offset = self._named(symbol, found.addend)
        number = self._windows.setdefault(name, len(self._windows))
        if number >= _MOST_WINDOWS:
            raise Unsupported("too many symbols")
        return _WINDOWS + number * _WINDOW + _WINDOW // 2 + offset

    def _named(self, symbol: Symbol, addend: int) -> tuple[str, int]:
        """(symbol of the source, bytes from it). A displacement counts from behind the
        instruction, so up to 12 bytes are missing in an addend."""
        if symbol.name or not 0 < symbol.section < SHN_LORESERVE:
            return symbol.name, addend
        near = self._elf.nearest_symbol(symbol.section, max(symbol.value + addend + 4, 0))
        if near is None:
            raise Unsupported("data without a name")
        return near.name, symbol.value + addend - near.value

    @property
    def symbols(self) -> Mapping[str, int]:
        """Symbol → the address that stands for its base in the code."""
        return {x: _WINDOWS + n * _WINDOW + _WINDOW // 2 for x, n in self._windows.items()}

    @property
    def contents(self) -> Mapping[int, tuple[bytes, bool]]:
        """Address → (bytes, whether they are code)."""
        return {
            start: (self._contents[index], self._elf.sections[index].executable)
            for index, start in self._starts.items()
            if self._contents[index]
        }

    def code(self, address: int, most: int = 15) -> bytes:
        """Up to ``most`` bytes of code. Raises Unsupported for what is no code of this object."""
        for index, content in self._contents.items():
            at = address - self._starts[index]
            if 0 <= at < len(content) and self._elf.sections[index].executable:
                return content[at : at + most]
        raise Unsupported("a jump out of the code")

    def check(self, address: int, size: int) -> None:
        """Raises Unsupported for an instruction with a relocation that is not known."""
        for i in range(size):
            if address + i in self._broken:
                raise Unsupported(self._broken[address + i])

    def address_term(self, value: int) -> Term:
        """A constant of the code: a number, or a place in a window."""
        at = value - _WINDOWS
        if 0 <= at < _WINDOW * len(self._windows):
            name = list(self._windows)[at // _WINDOW]
            return add(symbol_base(name), const(at % _WINDOW - _WINDOW // 2, 64))
        return const(value, 64)

    def constant(self, address: int) -> int | None:
        """The byte of read-only data there. Raises Unsupported for one that holds an address."""
        for index, start in self._starts.items():
            content = self._contents[index]
            if start <= address < start + len(content):
                self.check(address, 1)
                return content[address - start]
        return None

    def table(self, address: int) -> Iterator[tuple[int, int]] | None:
        """(address, byte) of the read-only data around ``address``; None where there is none.
        Raises Unsupported for one that is too large."""
        for index, start in self._starts.items():
            content = self._contents[index]
            executable = self._elf.sections[index].executable
            if start - 64 <= address < start + len(content) + 64 and not executable:
                if len(content) > MOST_TABLE:
                    raise Unsupported("a large table")
                if any(start <= x < start + len(content) for x in self._broken):
                    raise Unsupported("a table of addresses")
                return ((start + i, byte) for i, byte in enumerate(content))
        return None


def symbol_base(name: str) -> Term:
    return var(f"symbol {name}", 64)
