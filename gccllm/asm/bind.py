"""What a donor's symbol means in the base unit: bound to the base's own, brought along, or refused.

Pure decisions over two parsed units; :mod:`gccllm.asm.splice` carries them out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gccllm.asm.lines import symbols_of
from gccllm.asm.objects import DataObject
from gccllm.asm.unit import Unit

__all__ = ["HELPFUL_EXTERNALS", "Refused", "bind_object", "image_of", "realigned"]

HELPFUL_EXTERNALS = frozenset(
    ("memcpy", "memset", "memmove", "memcmp", "strlen", "__stack_chk_fail")
)
"""Functions of libc that a replacement may call even where the base never does."""

_GCC_STATIC = re.compile(r"([A-Za-z_]\w*)\.(\d+)$")
_CLANG_STATIC = re.compile(r"[A-Za-z_][\w.]*\.([A-Za-z_]\w*)(?:\.\d+)?$")
_IMAGE_DEPTH = 6
MOST_ALIGNED = 64
"""bytes: what vector code asks for"""


@dataclass(frozen=True)
class Refused(Exception):
    """Carries a refusal's reason and detail up to splice()."""

    reason: str
    detail: str


def size_of(data: DataObject) -> int | None:
    return data.declared if data.declared is not None else data.size


def image_of(unit: Unit, data: DataObject, depth: int = 0) -> tuple[object, ...] | None:
    """Content with local labels replaced by what they point at; None where it can't be known."""
    if data.common:
        return (("00" * (data.size or 0)),)
    if data.content is None or depth > _IMAGE_DEPTH:
        return None
    pieces: list[object] = []
    for size, text in data.content:
        names = [n for n, _ in symbols_of(text) if n.startswith(".L")]
        if not names or set(text) <= set("0123456789abcdef"):
            pieces.append(text)
            continue
        if len(names) != 1 or names[0] not in unit.objects or text != names[0]:
            return None
        inner = image_of(unit, unit.objects[names[0]], depth + 1)
        if inner is None:
            return None
        pieces.append((size, inner))
    return tuple(pieces)


def _stem(unit: Unit, name: str) -> str | None:
    """The source name of a static local: gcc writes ``var.N``, clang ``func.var``."""
    found = (_CLANG_STATIC if unit.is_clang else _GCC_STATIC).match(name)
    return found.group(1) if found else None


def _counterpart(base: Unit, donor: Unit, data: DataObject, foreign: bool) -> DataObject | None:
    """The base's object for a named object of the donor, or None where the base has none."""
    if "." not in data.name:
        return base.objects.get(data.name)
    if data.is_global or not foreign:
        exact = base.objects.get(data.name)
        if exact is not None:
            return exact
    stem = _stem(donor, data.name)
    if stem is None:
        return None
    if donor.is_clang and data.name == f"{data.name.split('.')[0]}.b":
        # LLVM turns a static with two values into a flag NAME.b: another representation.
        return None
    size = size_of(data)
    theirs = [
        o for o in donor.objects.values() if _stem(donor, o.name) == stem and size_of(o) == size
    ]
    ours = [o for o in base.objects.values() if _stem(base, o.name) == stem and size_of(o) == size]
    if len(ours) > 1 or (ours and len(theirs) > 1):
        if (same := _by_contents(base, donor, data, ours, theirs)) is not None:
            return same
        raise Refused("ambiguous-static", f"{data.name}: several static variables named {stem}")
    return ours[0] if ours else None


def _by_contents(
    base: Unit,
    donor: Unit,
    data: DataObject,
    ours: Sequence[DataObject],
    theirs: Sequence[DataObject],
) -> DataObject | None:
    """Of constants with one name the one that holds the same, such as assert's name of a function;
    None where that does not tell them apart."""
    image = image_of(donor, data) if data.read_only else None
    if image is None or any(x is not data and image_of(donor, x) == image for x in theirs):
        return None
    same = [x for x in ours if x.read_only and image_of(base, x) == image]
    return same[0] if len(same) == 1 else None


def bind_object(base: Unit, donor: Unit, data: DataObject, foreign: bool) -> str | None:
    """The base's symbol that stands for ``data``, or None: bring a copy. Raises Refused.

    Data that the program can write must be the base's own; constants of the source are the base's
    own too when they hold the same, for their address may be compared.
    """
    ours = _counterpart(base, donor, data, foreign)
    if ours is None:
        if not data.read_only:
            raise Refused("new-data", f"{data.name} is writable and the unit has no such variable")
        return None
    if size_of(ours) is None or size_of(data) is None or size_of(ours) != size_of(data):
        raise Refused(
            "data-size", f"{data.name}: {size_of(data)} bytes, in the unit {size_of(ours)}"
        )
    if data.read_only or ours.read_only:
        mine, theirs = image_of(base, ours), image_of(donor, data)
        if mine is None or theirs is None:
            raise Refused("data-unknown", f"{data.name}: contents can't be compared")
        if mine != theirs:
            if data.read_only:
                return None
            raise Refused("data-differs", f"{data.name} is a constant in the unit")
    if data.alignment > ours.alignment and not _can_align(base, ours, data.alignment):
        raise Refused(
            "data-alignment",
            f"{data.name}: aligned to {data.alignment}, in the unit to {ours.alignment}",
        )
    return ours.name


def _can_align(base: Unit, ours: DataObject, alignment: int) -> bool:
    """Whether the base's own definition may be aligned further: zeroed data and plain constants
    lie anywhere, .data keeps its layout, and a symbol that another object may define stays."""
    if alignment > MOST_ALIGNED or (ours.is_global and base.interposable):
        return False
    plain = re.fullmatch(r"\.(?:bss|rodata)(?:\.[\w.$]+)?", ours.section) is not None
    mergeable = re.match(r"\.rodata\.(?:cst|str)", ours.section) is not None
    return plain and not mergeable


def realigned(base: Unit, ours: DataObject, alignment: int) -> tuple[int, str]:
    """The line of the base that changes, and what it becomes, so that ``ours`` is aligned."""
    if not ours.common:
        index = ours.lines.start
        return index, f"\t.balign\t{alignment}\n{base.lines[index]}"
    pattern = re.compile(rf"(\s*\.(?:l?comm)\s+{re.escape(ours.name)},\s*\d+)(?:,\s*\d+)?\s*")
    for index, line in enumerate(base.lines):
        found = pattern.fullmatch(line)
        if found is not None:
            return index, f"{found.group(1)},{alignment}"
    raise Refused("data-alignment", f"{ours.name} is defined in an unknown way")
