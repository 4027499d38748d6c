"""The second gate: what a candidate's object may hold beside the baseline's.

Both are assembled by the same assembler, so whatever a program can observe of a unit but its code
and its constants has to be the same: the symbols it defines, the data it brings, what it imports,
how it starts. Code and read-only data may differ; of code the instructions are looked at, all of
them, and what the baseline itself does is never held against the candidate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gccllm.asm.elf import ElfError, ElfFile, read_elf
from gccllm.asm.elf_format import (
    ET_REL,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_STRINGS,
    SHF_WRITE,
    SHN_ABS,
    SHN_COMMON,
    SHT_NOBITS,
    SHT_RELA,
    STB_GLOBAL,
    STB_WEAK,
    STT_FILE,
    STT_FUNC,
    STT_GNU_IFUNC,
    STT_NOTYPE,
    STT_OBJECT,
    STT_SECTION,
    STT_TLS,
    Relocation,
    Section,
    Symbol,
)
from gccllm.errors import ToolchainError
from gccllm.judge.code_gate import Code, code_findings, feature_findings, uses_thread_local
from gccllm.judge.executable_gate import check_executable, imports_of
from gccllm.judge.finding import Finding, beyond
from gccllm.judge.importable import importable
from gccllm.types import Isa

__all__ = ["check_executable", "check_object", "imports_of"]

_NEW_SECTIONS = re.compile(
    r"\.(?:text(?:\.(?:unlikely|hot|startup))?|rodata(?:\.[\w.$]+)?|data\.rel\.ro(?:\.local)?"
    r"|data|bss|eh_frame|comment|note\.GNU-stack|symtab|strtab|shstrtab)"
)
_FUNCTION_SECTION = re.compile(r"\.text(?:\.(?:unlikely|hot|startup))?\.(\w+)[\w.$]*")
_CONSTANTS = re.compile(r"\.(?:rodata|data\.rel\.ro|eh_frame|gcc_except_table)(?:\..*)?")
_CONSTANT_OBJECTS = re.compile(r"\.(?:rodata|data\.rel\.ro)(?:\..*)?")
_SECTION_FLAGS = SHF_WRITE | SHF_ALLOC | SHF_EXECINSTR
_C_SYMBOLS = frozenset((STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_TLS))


def check_object(
    candidate: Path, baseline: Path, isa: Isa, *, program_imports: frozenset[str]
) -> list[Finding]:
    """Findings of a unit's object, each rule and detail once; none have a place.

    ``baseline`` is the object of the unmodified unit, made by the same assembler;
    ``program_imports`` what the baseline program imports from shared libraries (:func:`imports_of`
    its executable). Raises :class:`gccllm.errors.ToolchainError` when the baseline can't be read.
    """
    try:
        base = _read(baseline)
    except (ElfError, OSError) as error:
        raise ToolchainError(f"the baseline's object {baseline} can't be read: {error}") from error
    try:
        image = _read(candidate)
        thread_local = uses_thread_local(base)
        base_code = Code.of(base, thread_local=thread_local)
        code = Code.of(image, thread_local=thread_local)
        findings = [
            *beyond(
                [*_standing(image), *code_findings(code)],
                [*_standing(base), *code_findings(base_code)],
            ),
            *_sections(image, base),
            *_symbols(image, base),
            *_imports(image, base, program_imports),
            *_data(image, base),
            *_relocations(image, base),
            *feature_findings(code, base_code, isa.features),
        ]
    except (ElfError, OSError) as error:
        return [Finding("not-elf", 0, str(error))]
    return beyond(findings, ())


def _read(path: Path) -> ElfFile:
    # Findings quote names, which have to be printable.
    image = read_elf(path, errors="backslashreplace")
    if image.kind != ET_REL:
        raise ElfError("not a relocatable object")
    return image.checked()


def _standing(image: ElfFile) -> Iterator[Finding]:
    """What is wrong with any object, whatever it is compared with."""
    for symbol in image.symbols:
        if symbol.kind == STT_GNU_IFUNC:
            yield Finding("symbol-kind", 0, f"indirect function {symbol.name}")
        elif symbol.kind not in _C_SYMBOLS or symbol.binding > STB_WEAK:
            yield Finding("symbol-kind", 0, symbol.name)
        if "@" in symbol.name and symbol.kind != STT_FILE:
            yield Finding("symbol-version", 0, symbol.name)
        if symbol.section == SHN_ABS and symbol.kind != STT_FILE:
            yield Finding("symbol-kind", 0, f"absolute {symbol.name}")
    for section in image.sections:
        if section.writable and section.executable:
            yield Finding("section-writable-code", 0, section.name)
        if section.executable and not re.match(r"\.text(?:\.|$)", section.name):
            yield Finding("section-executable", 0, section.name)
    note = image.section_named(".note.GNU-stack")
    if note is None:
        yield Finding("executable-stack", 0, "no .note.GNU-stack")
    elif note.executable:
        yield Finding("executable-stack", 0, "an executable .note.GNU-stack")
    for relocation in _allocated_relocations(image):
        if relocation.symbol.name == "_GLOBAL_OFFSET_TABLE_":
            yield Finding("relocation-target", 0, "_GLOBAL_OFFSET_TABLE_")


def _sections(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    known: dict[str, list[Section]] = {}
    for section in base.sections:
        known.setdefault(section.name, []).append(section)
    functions = {one.name for one in base.symbols if one.kind == STT_FUNC}
    counts: Counter[str] = Counter()
    for section in image.sections[1:]:
        if section.kind == SHT_RELA:
            continue
        name = section.name
        counts[name] += 1
        if counts[name] > max(1, len(known.get(name, ()))):
            yield Finding("section-duplicated", 0, name)
        elif name in known:
            shapes = {(one.kind, one.flags, one.entry_size) for one in known[name]}
            if (section.kind, section.flags, section.entry_size) not in shapes:
                yield Finding("section-changed", 0, name)
        else:
            own = _FUNCTION_SECTION.fullmatch(name)
            if not (own and own.group(1) in functions) and not _NEW_SECTIONS.fullmatch(name):
                yield Finding("section-added", 0, name)
            elif section.flags & _SECTION_FLAGS != _flags_for(name):
                yield Finding("section-changed", 0, name)


def _flags_for(name: str) -> int:
    if name.startswith(".text"):
        return SHF_ALLOC | SHF_EXECINSTR
    if name.startswith((".data", ".bss")):
        return SHF_ALLOC | SHF_WRITE
    return SHF_ALLOC if name.startswith((".rodata", ".eh_frame")) else 0


def _symbols(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    ours = {one.name: one for one in image.symbols if one.defined and not one.local}
    theirs = {one.name: one for one in base.symbols if one.defined and not one.local}
    for name in sorted(ours.keys() - theirs.keys()):
        yield Finding("symbol-added", 0, name)
    for name in sorted(theirs.keys() - ours.keys()):
        yield Finding("symbol-missing", 0, name)
    for name in sorted(ours.keys() & theirs.keys()):
        if _public_face(image, ours[name]) != _public_face(base, theirs[name]):
            yield Finding("symbol-changed", 0, name)
    imported = {one.name: one.binding for one in base.symbols if not one.defined and one.name}
    for one in image.symbols:
        if one.defined and one.name in imported and one.kind not in (STT_FILE, STT_SECTION):
            yield Finding("shadows-import", 0, one.name)


def _public_face(image: ElfFile, symbol: Symbol) -> tuple[object, ...]:
    """All that other units can notice of a global symbol."""
    face: tuple[object, ...] = (symbol.binding, symbol.kind, symbol.visibility)
    if symbol.section == SHN_COMMON:
        return (*face, "common", symbol.value, symbol.size)
    if symbol.section >= len(image.sections):
        return (*face, "absolute", symbol.value)
    section = image.sections[symbol.section]
    if section.executable:
        return (*face, "code")
    if _CONSTANTS.fullmatch(section.name) is not None:
        return (*face, section.name, symbol.size)
    return (*face, section.name, symbol.size, symbol.value)


def _imports(image: ElfFile, base: ElfFile, program_imports: frozenset[str]) -> Iterator[Finding]:
    bindings = {one.name: one.binding for one in base.symbols if not one.defined}
    allowed = importable(bindings.keys(), program_imports)
    for one in image.symbols:
        if one.defined or not one.name:
            continue
        if one.name not in bindings and one.name not in allowed:
            yield Finding("import-added", 0, one.name)
        elif one.binding != bindings.get(one.name, STB_GLOBAL):
            yield Finding("symbol-changed", 0, one.name)


def _data(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    """Sections of data must be the same, zeroed ones no larger, exported constants equal."""
    names = dict.fromkeys(one.name for one in (*base.sections, *image.sections) if _is_frozen(one))
    for name in names:
        ours = [one for one in image.sections if one.name == name]
        theirs = [one for one in base.sections if one.name == name]
        size, base_size = sum(one.size for one in ours), sum(one.size for one in theirs)
        if size > base_size + _padding(base, name):
            yield Finding("data-grew", 0, f"{name} from {base_size} to {size} bytes")
        elif size < base_size and not ours:
            yield Finding("section-missing", 0, name)
        elif theirs and theirs[0].kind == SHT_NOBITS:
            continue
        elif size < base_size or any(
            _contents(image, x, 0, x.size) != _contents(base, y, 0, y.size)
            for x, y in zip(ours, theirs, strict=True)
        ):
            yield Finding("data-changed", 0, name)
    ours_by_name = {one.name: one for one in image.symbols if not one.local and one.defined}
    for symbol in base.symbols:
        match = ours_by_name.get(symbol.name)
        if symbol.local or match is None or symbol.kind != STT_OBJECT:
            continue
        before, after = _constant_section(base, symbol), _constant_section(image, match)
        if before is None or after is None:
            continue
        if _contents(base, before, symbol.value, symbol.size) != _contents(
            image, after, match.value, symbol.size
        ):
            yield Finding("data-changed", 0, symbol.name)


def _padding(base: ElfFile, name: str) -> int:
    """How much a zeroed section may grow by aligning its variables to 64 bytes (vector code)."""
    indices = {one.index for one in base.sections if one.name == name and one.kind == SHT_NOBITS}
    objects = sum(1 for one in base.symbols if one.section in indices and one.kind == STT_OBJECT)
    return 63 * objects


def _is_frozen(section: Section) -> bool:
    return (
        section.allocated and not section.executable and _CONSTANTS.fullmatch(section.name) is None
    )


def _constant_section(image: ElfFile, symbol: Symbol) -> Section | None:
    if symbol.section >= len(image.sections):
        return None
    section = image.sections[symbol.section]
    return section if _CONSTANT_OBJECTS.fullmatch(section.name) is not None else None


def _contents(
    image: ElfFile, section: Section, start: int, size: int
) -> tuple[bytes, tuple[tuple[int, int, object], ...]]:
    """Bytes and relocations of a part of a section, in a form that compares across objects."""
    found = image.relocations.get(section.index, ())
    return section.content[start : start + size], tuple(
        (one.offset - start, one.kind, _meaning(image, one))
        for one in found
        if start <= one.offset < start + size
    )


def _meaning(image: ElfFile, relocation: Relocation) -> tuple[object, ...]:
    """What a relocation points to, told without the offsets that a rewrite may shift."""
    symbol = relocation.symbol
    if relocation.absolute:
        return ("absolute", relocation.addend)
    if not symbol.local or symbol.section >= len(image.sections):
        return (symbol.name, relocation.addend)
    section = image.sections[symbol.section]
    offset = symbol.value + relocation.addend
    if section.flags & SHF_STRINGS and section.entry_size == 1:
        return ("string", section.content[offset:].split(b"\0", 1)[0])
    nearest = image.nearest_symbol(section.index, offset)
    if section.executable:
        name = nearest.name if nearest is not None else section.name
        return ("code", name, nearest is not None and nearest.value == offset)
    if nearest is not None:
        return ("object", nearest.name, offset - nearest.value)
    return ("constant", section.name, section.content[offset : offset + 8])


# R_X86_64_ 64, PC32, PLT32, 32, 32S, GOTPCREL, GOTPCRELX, REX_GOTPCRELX (psABI, table 4.9)
_ORDINARY_RELOCATIONS = frozenset((1, 2, 4, 10, 11, 9, 41, 42))


def _relocations(image: ElfFile, base: ElfFile) -> Iterator[Finding]:
    usual = _ORDINARY_RELOCATIONS | {one.kind for one in _allocated_relocations(base)}
    for one in _allocated_relocations(image):
        if one.kind not in usual:
            yield Finding("relocation-kind", 0, f"kind {one.kind}")


def _allocated_relocations(image: ElfFile) -> Iterator[Relocation]:
    for index, found in image.relocations.items():
        if index < len(image.sections) and image.sections[index].allocated:
            yield from found
