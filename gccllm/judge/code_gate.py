"""The instructions of an object: bans, branch targets, and CPU features by function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gccllm.asm.elf import ElfFile
from gccllm.asm.elf_format import (
    R_X86_64_PC32,
    R_X86_64_PLT32,
    STT_FILE,
    STT_SECTION,
    Relocation,
)
from gccllm.judge.finding import Finding
from gccllm.judge.instruction_gate import CodeMap, read_code

__all__ = ["Code", "code_findings", "feature_findings", "needs_by_symbol", "uses_thread_local"]

_ABSOLUTE = frozenset((1, 10, 11))
# DTPMOD64, DTPOFF64, TPOFF64, TLSGD, TLSLD, DTPOFF32, GOTTPOFF, TPOFF32, GOTPC32_TLSDESC,
# TLSDESC_CALL, TLSDESC (psABI, table 4.9)
_THREAD_LOCAL = frozenset((16, 17, 18, 19, 20, 21, 22, 23, 34, 35, 36))

# A processor without BMI runs tzcnt as bsf, which differs only for zero; gcc counts on that and
# writes "rep bsf" for __builtin_ctz whatever the target. Where its code was inlined is chance.
_MAY_MOVE = frozenset(("tzcnt",))


@dataclass(frozen=True)
class Code:
    """An object together with its decoded text sections, by section index."""

    image: ElfFile
    sections: dict[int, CodeMap]

    @classmethod
    def of(cls, image: ElfFile, *, thread_local: bool) -> Code:
        """Decode all executable sections; ``thread_local`` as for :func:`read_code`."""
        sections = {}
        for section in image.sections:
            if section.executable and section.allocated:
                patched = {
                    one.offset: one.kind in _THREAD_LOCAL
                    for one in image.relocations.get(section.index, ())
                }
                sections[section.index] = read_code(section.content, patched, thread_local)
        return cls(image, sections)

    def function_at(self, section: int, offset: int) -> str:
        """The function that holds a place; its cold part and its clones count as itself."""
        symbol = self.image.nearest_symbol(section, offset)
        return symbol.name.split(".")[0] if symbol is not None else ""


def uses_thread_local(image: ElfFile) -> bool:
    """Whether an object reaches thread-local variables at all."""
    return any(one.kind in _THREAD_LOCAL for one in image.all_relocations())


def code_findings(code: Code) -> Iterator[Finding]:
    """Objections to instructions, and branches and symbols that point inside of one."""
    for index, found in code.sections.items():
        size = code.image.sections[index].size
        for place in found.objections:
            yield Finding(place.rule, 0, place.detail)
        for offset, target in found.branches:
            if target not in found.starts and target != size:
                name = code.function_at(index, offset)
                yield Finding("branch-target", 0, f"in {name or 'nameless code'}")
    for symbol in code.image.symbols:
        found_there = code.sections.get(symbol.section)
        if found_there is None or symbol.kind in (STT_SECTION, STT_FILE):
            continue
        size = code.image.sections[symbol.section].size
        if symbol.value not in found_there.starts and symbol.value != size:
            yield Finding("mid-instruction", 0, symbol.name)
    for index, relocations in code.image.relocations.items():
        if index < len(code.image.sections) and code.image.sections[index].allocated:
            for relocation in relocations:
                yield from _target_finding(code, index, relocation)


def _target_finding(code: Code, index: int, relocation: Relocation) -> Iterator[Finding]:
    """A finding when a relocation points into code, but not at an instruction.

    Jump tables hold differences, whose base is not known here: they are left to the sandbox.
    """
    symbol = relocation.symbol
    if relocation.absolute or symbol.section not in code.sections:
        return
    target = symbol.value + relocation.addend
    if relocation.kind in (R_X86_64_PC32, R_X86_64_PLT32):
        source = code.sections.get(index)
        start = source.covering(relocation.offset) if source is not None else None
        if source is None or start is None:
            return
        target += source.starts[start] - relocation.offset
    elif relocation.kind not in _ABSOLUTE:
        return
    size = code.image.sections[symbol.section].size
    if target not in code.sections[symbol.section].starts and target != size:
        name = code.function_at(symbol.section, max(target, 0))
        yield Finding("relocation-target", 0, f"inside an instruction of {name}")


def feature_findings(code: Code, base: Code, features: frozenset[str]) -> Iterator[Finding]:
    """Instructions that need a CPU feature outside ``features``, unless the baseline uses the same
    one in the same function (that is how functions with a target attribute keep theirs)."""
    own: set[tuple[str, str]] = set()
    anywhere: set[str] = set()
    for index, found in base.sections.items():
        for place in found.features:
            if not place.needs <= features:
                own.add((base.function_at(index, place.offset), place.detail))
                anywhere.add(place.detail)
    for index, found in code.sections.items():
        for place in found.features:
            lacking = place.needs - features
            if not lacking or (place.detail in _MAY_MOVE and place.detail in anywhere):
                continue
            if (code.function_at(index, place.offset), place.detail) not in own:
                yield Finding("cpu-feature", 0, f"{place.detail} needs {sorted(lacking)[0]}")


def needs_by_symbol(code: Code, features: frozenset[str]) -> dict[str, frozenset[str]]:
    """Symbol → the CPU features beyond ``features`` that the code behind it needs, where any."""
    needs: dict[str, frozenset[str]] = {}
    for index, found in code.sections.items():
        for place in found.features:
            lacking = place.needs - features
            symbol = code.image.nearest_symbol(index, place.offset) if lacking else None
            if symbol is not None:
                needs[symbol.name] = needs.get(symbol.name, frozenset()) | lacking
    return needs
