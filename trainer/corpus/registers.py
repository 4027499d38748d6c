"""Registers by full name in AT&T text: which occur, which can't be others, all put as told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["anonymous", "class_of", "named", "pinned", "put"]

_NAME = re.compile(r"%([a-z]+\d*[dwb]?)\b")
_ONE_OPERAND = re.compile(r"^\s*(?:i?mul|i?div)[bwlq]\s+[^,]*(?:\([^)]*\))?$")
_EXTENDS = re.compile(r"^\s*(?:cqto|cltd|cltq|cwtl|cwtd|cbtw|cqo|cdq|cdqe|cwde|cbw|sahf|lahf)\b")
_STRING = re.compile(
    r"^\s*(?:rep\w*\b|(?:lods|stos|scas|cmps)[bwlq]\b|movs[bwlq]\s*$|cmpxchg|xlat|loop|jrcxz|jecxz)"
)
_FIRST_VECTOR = re.compile(r"^\s*v?(?:p?blendv|sha256rnds2|pcmp[ei]str)")
_HIGH_BYTE = re.compile(r"%[abcd]h\b")


def _widths() -> dict[str, tuple[str, str]]:
    """Name without % → (full name, width letter), for general registers."""
    found: dict[str, tuple[str, str]] = {}
    for stem in "abcd":
        full = f"r{stem}x"
        found |= {full: (full, "q"), f"e{stem}x": (full, "l")}
        found |= {f"{stem}x": (full, "w"), f"{stem}l": (full, "b")}
    for stem in ("si", "di", "bp", "sp"):
        full = f"r{stem}"
        found |= {full: (full, "q"), f"e{stem}": (full, "l")}
        found |= {stem: (full, "w"), f"{stem}l": (full, "b")}
    for number in range(8, 16):
        full = f"r{number}"
        found |= {full: (full, "q"), f"{full}d": (full, "l")}
        found |= {f"{full}w": (full, "w"), f"{full}b": (full, "b")}
    return found


_GENERAL = _widths()
_AT_WIDTH = {place: name for name, place in _GENERAL.items()}
_SPECIAL = re.compile(r"([xyz])mm(\d+)|k([0-7])")


def class_of(register: str) -> str:
    """ "r", "zmm" or "k"."""
    return "zmm" if register.startswith("zmm") else register[0]


def named(lines: Iterable[str]) -> list[str]:
    """Full names of the registers that ``lines`` name, in order of first appearance, less rsp."""
    found: dict[str, None] = {}
    for line in lines:
        for name in _NAME.findall(line):
            full = _full(name)
            if full and full != "rsp":
                found.setdefault(full)
    return list(found)


def pinned(lines: Iterable[str]) -> frozenset[str]:
    """Registers that some instruction uses without naming them, or names as it can no others."""
    found: set[str] = set()
    for line in lines:
        if _ONE_OPERAND.match(line) or _EXTENDS.match(line):
            found |= {"rax", "rdx"}
        if "%cl" in line:
            found.add("rcx")
        if "mulx" in line:
            found.add("rdx")
        if _STRING.match(line):
            found |= {"rax", "rcx", "rdi", "rsi"}
        if _HIGH_BYTE.search(line):
            found |= {"rax", "rbx", "rcx", "rdx"}
        if _FIRST_VECTOR.match(line):
            found.add("zmm0")
    return frozenset(found)


def put(line: str, homes: Mapping[str, str]) -> str:
    """``line`` with each register replaced by its home at the same width; others stay."""

    def new(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in _GENERAL:
            full, width = _GENERAL[name]
            return "%" + _AT_WIDTH[homes.get(full, full), width]
        found = _SPECIAL.fullmatch(name)
        if found is None:
            return match.group()
        if found.group(3):
            return "%" + homes.get(name, name)
        home = homes.get(f"zmm{found.group(2)}", f"zmm{found.group(2)}")
        return f"%{found.group(1)}{home[1:]}"

    return _NAME.sub(new, line)


def anonymous(lines: Iterable[str]) -> tuple[str, ...]:
    """``lines`` with registers numbered as they appear: the same for code that differs in them."""
    numbers: dict[str, int] = {}

    def new(match: re.Match[str]) -> str:
        name = match.group(1)
        full, width = _GENERAL.get(name, (_full(name), name[0]))
        return f"%{numbers.setdefault(full, len(numbers))}{width}" if full else match.group()

    return tuple(_NAME.sub(new, x) for x in lines)


def _full(name: str) -> str:
    if name in _GENERAL:
        return _GENERAL[name][0]
    found = _SPECIAL.fullmatch(name)
    if found is None:
        return ""
    return name if found.group(3) else f"zmm{found.group(2)}"
