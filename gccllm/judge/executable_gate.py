"""The third gate: the linked program beside the baseline program.

The linker only warns of what would matter most (an executable stack), and a few things come into
being at the link alone: needed libraries, constructors, copy relocations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gccllm.asm.elf import ElfError, ElfFile, read_elf
from gccllm.asm.elf_format import (
    ET_REL,
    PF_W,
    PF_X,
    PT_GNU_STACK,
    PT_INTERP,
    STT_FUNC,
    STT_GNU_IFUNC,
)
from gccllm.errors import ToolchainError
from gccllm.judge.finding import Finding

__all__ = ["check_executable", "imports_of"]

_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 14, 15, 29
_DT_FLAGS, _DT_FLAGS_1 = 30, 0x6FFFFFFB
_DT_RELATIVE_COUNT = 0x6FFFFFF9
_STRING_TAGS = frozenset((_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH))
# Sizes that say how many functions run before and after main: PREINIT, INIT and FINI arrays.
_VALUE_TAGS = frozenset((_DT_FLAGS, _DT_FLAGS_1, 33, 27, 28))
# Whether there are any of these depends on what is imported, which the object gate decides:
# relocations (RELA…), jump slots (PLTGOT, PLTREL…), symbol versions (VERSYM, VERNEED…).
_INCIDENTAL_TAGS = frozenset(
    (2, 3, 7, 8, 9, 20, 23, _DT_RELATIVE_COUNT, 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF)
)
_START_UP = (".preinit_array", ".init_array", ".fini_array", ".ctors", ".dtors")
_R_COPY, _R_IRELATIVE = 5, 37
# memcpy and its like are indirect functions in a static C library.
_LIBRARY_INDIRECT = frozenset(("memcpy", "memset", "memmove", "memcmp", "strlen"))


def check_executable(path: Path, baseline: Path) -> list[Finding]:
    """Findings of a linked program (or shared object); none have a place.

    Raises :class:`gccllm.errors.ToolchainError` when the baseline can't be read.
    """
    try:
        base = _read(baseline)
    except (ElfError, OSError) as error:
        raise ToolchainError(f"the baseline program {baseline} can't be read: {error}") from error
    try:
        image = _read(path)
        return [
            *_segments(image, base),
            *_dynamic(image, base),
            *_start(image, base),
            *_resolved_at_load(image, base),
        ]
    except (ElfError, OSError) as error:
        return [Finding("not-elf", 0, str(error))]


def imports_of(executable: Path) -> frozenset[str]:
    """The names that a program imports from shared libraries; none for a static program.

    Raises :class:`gccllm.errors.ToolchainError` when it can't be read.
    """
    try:
        image = _read(executable)
    except (ElfError, OSError) as error:
        raise ToolchainError(f"the program {executable} can't be read: {error}") from error
    return frozenset(one.name for one in image.dynamic_symbols if one.name and not one.defined)


def _read(path: Path) -> ElfFile:
    # Findings quote names, which have to be printable.
    image = read_elf(path, errors="backslashreplace")
    if image.kind == ET_REL:
        raise ElfError("not a linked program")
    return image.checked()


def _segments(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    if image.kind != base.kind:
        yield Finding("segment-changed", 0, "another type of file")
    for segment in image.segments:
        if segment.flags & PF_W and segment.flags & PF_X and segment.kind != PT_GNU_STACK:
            yield Finding("segment-writable-code", 0, f"segment type {segment.kind:#x}")
    stacks = [one for one in image.segments if one.kind == PT_GNU_STACK]
    base_stacks = [one for one in base.segments if one.kind == PT_GNU_STACK]
    allowed = bool(base_stacks) and all(one.flags & PF_X for one in base_stacks)
    if not allowed and (not stacks or any(one.flags & PF_X for one in stacks)):
        yield Finding("executable-stack", 0, "PT_GNU_STACK")
    kinds = {one.kind for one in image.segments} ^ {one.kind for one in base.segments}
    for kind in sorted(kinds - {PT_GNU_STACK}):
        yield Finding("segment-changed", 0, f"segment type {kind:#x}")
    if _interpreter(image) != _interpreter(base):
        yield Finding("interpreter", 0, _interpreter(image).decode("utf-8", "replace"))


def _interpreter(image: ElfFile) -> bytes:
    found = next((one for one in image.segments if one.kind == PT_INTERP), None)
    return image.segment_bytes(found).rstrip(b"\0") if found is not None else b""


def _dynamic(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    ours, theirs = _dynamic_entries(image), _dynamic_entries(base)
    for tag, value in (ours - theirs) + (theirs - ours):
        yield Finding("dynamic", 0, f"tag {tag:#x} {value}".rstrip())
    defined = {one.name for one in base.dynamic_symbols if one.defined}
    for symbol in image.dynamic_symbols:
        if symbol.defined and symbol.name not in defined:
            yield Finding("export-added", 0, symbol.name)


def _dynamic_entries(image: ElfFile) -> Counter[tuple[int, str]]:
    entries: Counter[tuple[int, str]] = Counter()
    for tag, value in image.dynamic:
        if tag in _STRING_TAGS:
            entries[tag, image.dynamic_string(value)] += 1
        elif tag in _VALUE_TAGS:
            entries[tag, str(value)] += 1
        elif tag not in _INCIDENTAL_TAGS:
            entries[tag, ""] += 1
    return entries


def _start(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    if _entry(image) != _entry(base):
        yield Finding("entry", 0, f"{_entry(image)} instead of {_entry(base)}")
    for name in _START_UP:
        ours, theirs = image.section_named(name), base.section_named(name)
        if (ours.size if ours else 0) != (theirs.size if theirs else 0):
            yield Finding("start-up", 0, name)


def _entry(image: ElfFile) -> str:
    """The function at the entry point; a stripped program only tells that there is one."""
    if image.entry == 0:
        return "nothing"
    at_entry = {one.name for one in image.symbols if one.kind == STT_FUNC}
    named = sorted(
        one.name for one in image.symbols if one.value == image.entry and one.name in at_entry
    )
    return named[0] if named else "an unnamed place"


def _resolved_at_load(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    ours, theirs = _indirect(image), _indirect(base)
    for name in sorted(ours - theirs - _LIBRARY_INDIRECT):
        yield Finding("indirect-function", 0, name)
    new = len((ours - theirs) & _LIBRARY_INDIRECT)
    resolved = _count(image, _R_IRELATIVE) - _count(base, _R_IRELATIVE)
    if resolved > new:
        yield Finding("indirect-function", 0, f"{resolved} more resolved at load")
    for name in sorted(_copied(image) - _copied(base)):
        yield Finding("copy-relocation", 0, name)


def _indirect(image: ElfFile) -> set[str]:
    return {
        one.name
        for one in (*image.symbols, *image.dynamic_symbols)
        if one.kind == STT_GNU_IFUNC and one.defined
    }


def _count(image: ElfFile, kind: int) -> int:
    return sum(one.kind == kind for one in image.all_relocations())


def _copied(image: ElfFile) -> set[str]:
    return {
        one.symbol.name
        for one in image.all_relocations()
        if one.kind == _R_COPY and not one.absolute
    }
