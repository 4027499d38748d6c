"""Data objects of a unit: where they lie, how big and how aligned they are, what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.lines import Line, label_of, split_statement

__all__ = ["DataObject", "Image", "data_bytes", "find_objects", "is_code_section", "is_read_only"]

Image = tuple[tuple[int, str], ...]
"""Content as (size in bytes, hex bytes or symbol expression) pieces; literal pieces are joined."""

_SIZES = {
    ".byte": 1,
    ".value": 2,
    ".short": 2,
    ".2byte": 2,
    ".word": 2,
    ".hword": 2,
    ".long": 4,
    ".int": 4,
    ".4byte": 4,
    ".quad": 8,
    ".8byte": 8,
    ".octa": 16,
}
_STRINGS = {".string": 1, ".asciz": 1, ".ascii": 0}
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]+|.)|([^\\])", re.DOTALL)
_SIMPLE = {"n": 10, "t": 9, "b": 8, "r": 13, "f": 12, '"': 34, "\\": 92}


@dataclass(frozen=True)
class DataObject:
    """One datum: a label (or several at one address) and the lines up to the next label.

    ``size`` and ``alignment`` are bytes; ``lines`` indexes the unit's lines (empty for .comm);
    ``content`` is None where it is not plain data. ``declared`` is the size that .size states.
    """

    name: str
    names: tuple[str, ...]
    section: str
    directive: str
    lines: range
    size: int | None
    declared: int | None
    alignment: int
    is_global: bool
    read_only: bool
    common: bool
    content: Image | None


def is_code_section(name: str) -> bool:
    return name == ".text" or name.startswith((".text.", ".init", ".fini"))


def is_read_only(section: str) -> bool:
    """Read-only while the program's own code runs (.data.rel.ro after relocation)."""
    return section.startswith((".rodata", ".lrodata", ".data.rel.ro", ".gnu.linkonce.r."))


def data_bytes(word: str, operands: str) -> Image | None:
    """What one data directive lays down; () for directives that lay down nothing, None unknown."""
    if word in _SIZES:
        return _integers(_SIZES[word], operands)
    if word in _STRINGS:
        return _strings(operands, _STRINGS[word])
    if word in (".zero", ".skip", ".space"):
        fields = operands.split(",")
        if fields[0].strip().isdigit() and len(fields) == 1 and int(fields[0]) <= 1 << 24:
            return ((int(fields[0]), "00" * int(fields[0])),)
        return None
    if word in (
        ".align",
        ".balign",
        ".p2align",
        ".uleb128",
        ".sleb128",
        ".fill",
        ".incbin",
        ".org",
    ):
        return None
    if word.startswith((".float", ".double", ".single", ".base64", ".tfloat", ".rept", ".macro")):
        return None
    return ()


def _integers(size: int, operands: str) -> Image | None:
    pieces: list[tuple[int, str]] = []
    for field in operands.split(","):
        text = field.strip()
        try:
            value = int(text, 0)
        except ValueError:
            if text.startswith("0") and text.lstrip("-").isdigit():
                value = int(text, 8) if set(text) <= set("01234567") else 0
            else:
                pieces.append((size, text))
                continue
        value &= (1 << (8 * size)) - 1
        pieces.append((size, value.to_bytes(size, "little").hex()))
    return tuple(pieces)


def _strings(operands: str, terminator: int) -> Image | None:
    data = bytearray()
    for text in re.findall(r'"((?:[^"\\]|\\.)*)"', operands):
        for escaped, plain in _ESCAPE.findall(text):
            if plain:
                data += plain.encode("utf-8", "surrogateescape")
            elif escaped[0] in "01234567":
                data.append(int(escaped, 8) & 0xFF)
            elif escaped[0] == "x":
                data.append(int(escaped[1:], 16) & 0xFF)
            else:
                data.append(_SIMPLE.get(escaped, ord(escaped[0]) & 0xFF))
        data += bytes(terminator)
    return ((len(data), data.hex()),)


def join_image(pieces: Sequence[tuple[int, str]]) -> Image:
    """Neighbouring literal pieces as one, so that ``.quad`` and two ``.long`` compare equal."""
    joined: list[tuple[int, str]] = []
    literal: list[str] = []

    def flush() -> None:
        if literal:
            text = "".join(literal)
            joined.append((len(text) // 2, text))
            literal.clear()

    for size, text in pieces:
        if len(text) == 2 * size and not set(text) - set("0123456789abcdef"):
            literal.append(text)
        else:
            flush()
            joined.append((size, text))
    flush()
    return tuple(joined)


@dataclass
class _Open:
    """An object whose lines are still coming."""

    names: list[str]
    start: int
    section: str
    directive: str
    alignment: int
    pieces: list[tuple[int, str]]
    known: bool = True

    @property
    def empty(self) -> bool:
        return not self.pieces and self.known


def _alignment_of(word: str, operands: str) -> int | None:
    if word not in (".align", ".balign", ".p2align"):
        return None
    first = operands.split(",")[0].strip()
    if not first.isdigit() or int(first) > 1 << 16:
        return 1
    return 1 << min(int(first), 16) if word == ".p2align" else int(first)


def find_objects(
    lines: Sequence[str],
    kinds: Sequence[Line],
    sections: Sequence[str],
    directives: Mapping[int, str],
    covered: Sequence[bool],
    sizes: Mapping[str, int],
    globals_: frozenset[str],
) -> dict[str, DataObject]:
    """All data objects by each of their names.

    ``directives`` maps the line of a section change to the directive that names the section in
    full; ``covered`` marks lines that belong to code (their labels are no data of their own, jump
    tables within function bodies included).
    """
    found: dict[str, DataObject] = {}
    current: _Open | None = None
    declared_align = 0
    offset_align, offset = 1, 0
    locals_: set[str] = set()

    def close(end: int) -> None:
        nonlocal current
        if current is None:
            return
        content = join_image(current.pieces) if current.known else None
        size = sum(s for s, _ in current.pieces) if current.known else None
        for name in current.names:
            found.setdefault(
                name,
                DataObject(
                    name,
                    tuple(current.names),
                    current.section,
                    current.directive,
                    range(current.start, end),
                    size,
                    sizes.get(name),
                    current.alignment,
                    name in globals_,
                    is_read_only(current.section),
                    False,
                    content,
                ),
            )
        current = None

    directive = "\t.text"
    section = ".text"
    for index, kind in enumerate(kinds):
        if index in directives:
            close(index)
            directive, section = directives[index], sections[index]
            declared_align, offset_align, offset = 0, 1, 0
            continue
        if kind is Line.DIRECTIVE:
            word, operands = split_statement(lines[index])
            word = word.strip()
            if word in (".comm", ".lcomm", ".local"):
                common = _common(word, operands, locals_)
                if common is not None:
                    found.setdefault(common.name, common)
                continue
        if covered[index] or is_code_section(section) or kind is Line.APP:
            close(index)
            continue
        if kind is Line.LABEL:
            name = label_of(lines[index]) or ""
            if current is not None and current.empty:
                current.names.append(name)
                continue
            close(index)
            guaranteed = min(offset_align, offset & -offset) if offset else offset_align
            current = _Open(
                [name], index, section, directive, max(declared_align, guaranteed, 1), []
            )
        elif kind is Line.DIRECTIVE:
            align = _alignment_of(word, operands)
            if align is not None:
                if current is not None and current.empty:
                    current.alignment = max(current.alignment, align)
                else:
                    close(index)
                    declared_align, offset_align, offset = align, align, 0
                continue
            laid = data_bytes(word, operands)
            if laid is None:
                offset_align, offset = 1, 0
                if current is not None:
                    current.known = False
            elif laid:
                declared_align = 0
                offset += sum(s for s, _ in laid)
                if current is not None:
                    current.pieces += laid
    close(len(lines))
    return found


def _common(word: str, operands: str, locals_: set[str]) -> DataObject | None:
    fields = [x.strip() for x in operands.split(",")]
    if word == ".local":
        locals_.update(fields)
        return None
    if len(fields) < 2 or not all(x.isdigit() for x in fields[1:]):
        return None
    size = int(fields[1])
    is_global = word == ".comm" and fields[0] not in locals_
    return DataObject(
        fields[0],
        (fields[0],),
        ".bss",
        "\t.bss",
        range(0),
        size,
        size,
        int(fields[2]) if len(fields) > 2 else 1,
        is_global,
        False,
        True,
        None,
    )
