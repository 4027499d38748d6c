"""Keys and plain forms of assembly: the same code has the same key, with or without -g.

On the compile path: only the standard library and :mod:`gccllm.asm.unit` are imported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from gccllm.asm.lines import SectionState, strip_comment
from gccllm.asm.unit import Unit

__all__ = ["fingerprint", "function_text", "same_code", "unit_key"]

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = (1 << 64) - 1

_DEBUG_DIRECTIVE = re.compile(
    r"\s*\.(?:file|loc|ident|cv_\w+|addrsig\w*|cfi_sections|loc_mark\w*)\b"
)
_DEBUG_SECTION = re.compile(r"\.(?:z?debug_|stab|gnu\.debuglto_|comment$|note\.(?!GNU-stack$))")
_DEBUG_VIEW = re.compile(r"\s*\.set\s+\.LVU\d+,")
_LABEL_LINE = re.compile(r"(\.L[\w.$]*):\s*$")
_SECTION_LINE = re.compile(
    r"\s*(\.(?:section|text|data|bss|pushsection|popsection|previous))\b(.*)"
)
_LOCAL = re.compile(r'"(?:[^"\\]|\\.)*"|\.L[\w.$]*')
_DIGITS = re.compile(rb"(\.L[A-Z]*)[0-9]+")


def unit_key(text: str) -> str:
    """sha256 (hex) of the unit without debug information, local labels renumbered by appearance.

    Section changes are written only where code or data follows, so that the detours which -g makes
    leave no trace.
    """
    plain = "\n".join(_renumber(_without_debug(text.split("\n"))))
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()


def function_text(unit: Unit, name: str) -> str:
    """One function (with its cold part and jump tables) stripped and renumbered.

    For prompts, and for comparing two versions. Raises KeyError for a name the unit lacks.
    """
    function = unit.functions[name]
    lines: list[str] = []
    for part in function.ranges:
        lines += unit.lines[part.start : part.stop]
    return "\n".join(_renumber(_without_debug(lines))) + "\n"


def same_code(a: str, b: str) -> bool:
    """True when two units are the same but for debug information and the names of labels."""
    return a == b or unit_key(a) == unit_key(b)


def _without_debug(lines: list[str]) -> Iterator[str]:
    """Lines that make code or data, and labels that any of these name, comments gone."""
    kept: list[tuple[str, str]] = []
    used: set[str] = set()
    state = SectionState()
    for line in lines:
        section = _SECTION_LINE.match(line)
        if section is not None:
            state.feed(section.group(1), strip_comment(section.group(2)))
            continue
        if _DEBUG_SECTION.match(state.name):
            continue
        bare = strip_comment(line) if "#" in line else line.rstrip()
        if not bare.strip() or _DEBUG_DIRECTIVE.match(bare) or _DEBUG_VIEW.match(bare):
            continue
        kept.append((state.name, bare))
        if ".L" in bare and not _LABEL_LINE.match(bare):
            used.update(_LOCAL.findall(bare))
    written = ".text"
    for name, line in kept:
        label = _LABEL_LINE.match(line)
        if label is not None and label.group(1) not in used:
            continue
        if name != written:
            # Attributes are given at the first mention only, and -g moves that: the name is enough.
            yield f"\t.section\t{name}"
            written = name
        yield line


def _renumber(lines: Iterable[str]) -> Iterator[str]:
    names: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        token = found.group()
        if token[0] == '"':
            return token
        return names.setdefault(token, f".L{len(names)}")

    for line in lines:
        yield _LOCAL.sub(number, line) if ".L" in line else line


def fingerprint(text: bytes) -> int:
    """A quick 64-bit hash of a unit's code that -g and label numbers don't change.

    FNV-1a (offset basis 0xcbf29ce484222325, prime 0x100000001b3, modulo 2**64) over the bytes
    that these rules pick. Lines end at ``\\n`` (the last one may lack it). For each line in order:

    1. It starts with TAB and then an ASCII lower-case letter (an instruction): feed the bytes after
       the TAB up to the first ``#`` or the end of the line, less trailing blanks (space and TAB).
       But after every ``.L`` and the zero or more ASCII upper-case letters behind it, the decimal
       digits that follow directly are skipped.
    2. Otherwise, it starts with none of TAB, ``.``, ``#``, space, and holds a ``:`` (a label): feed
       the bytes up to the first ``:``.
    3. After a line that rule 1 or 2 took, feed one ``\\n``. All other lines are ignored.

    The shim computes the same in C, so any change here is a change of format.
    """
    state = _FNV_OFFSET
    for line in text.split(b"\n"):
        first = line[:1]
        if first == b"\t":
            if not b"a" <= line[1:2] <= b"z":
                continue
            end = line.find(b"#")
            part = (line[1:] if end < 0 else line[1:end]).rstrip(b" \t")
            if b".L" in part:
                part = _DIGITS.sub(rb"\1", part)
        elif first and first not in b".# " and b":" in line:
            part = line[: line.index(b":")]
        else:
            continue
        for byte in part:
            state = ((state ^ byte) * _FNV_PRIME) & _MASK
        state = ((state ^ 10) * _FNV_PRIME) & _MASK
    return state
