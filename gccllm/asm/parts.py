"""A spliced unit taken apart again: what each candidate gave to it.

Each was spliced in with a tag of its own that stands in all new names. A part holds the functions
of one of them, with their helpers and constants, under the names that they had before; splicing it
in again with its tag makes the very text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.bind import Refused
from gccllm.asm.lines import Line, label_of, rename, split_statement, strip_comment, symbols_of
from gccllm.asm.objects import DataObject
from gccllm.asm.unit import Function, Unit

__all__ = ["Part", "parts_of", "replaced"]

_TAG = r"[0-9a-f]{8}x{0,8}"
_TAGGED_LABEL = re.compile(rf"\.L({_TAG})\.")
_TAGGED_SYMBOL = re.compile(rf"[\w.$]+?\.({_TAG})(?:\.cold)?")
_DEBUG = re.compile(r"\s*\.(?:loc|file|ident|set\s+\.LVU\d+,)")


@dataclass(frozen=True)
class Part:
    """What one candidate gave: a donor of ``names`` as ``text``, which came with that ``tag``."""

    tag: str
    names: tuple[str, ...]
    text: str


def replaced(base: Unit, unit: Unit) -> tuple[str, ...]:
    """The functions of ``base`` that ``unit``, a splice into it, has otherwise."""
    return tuple(
        name
        for name, function in base.functions.items()
        if name in unit.functions and _lines(base, function) != _lines(unit, unit.functions[name])
    )


def parts_of(base: Unit, unit: Unit, names: Sequence[str]) -> tuple[Part, ...]:
    """The parts that splicing has put into ``base`` to make ``unit``, in the order of ``names``.

    Raises Refused for a function that holds parts of several candidates.
    """
    found = _by_tag(base, unit, names)
    return tuple(Part(tag, own, _donor(base, unit, own, tag)) for tag, own in found.items())


def _by_tag(base: Unit, unit: Unit, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Tag → the functions that came with it; one without new names gets a tag of its own."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        function = unit.functions[name]
        own = {x.group(1) for x in map(_TAGGED_LABEL.match, sorted(function.labels)) if x}
        tags = own or {
            tag
            for symbol in function.label_refs | function.symbols
            if (tag := _tag_of(symbol)) and not base.defines(symbol)
        }
        if len(tags) > 1:
            raise Refused("several-donors", f"{name}: its parts are from several candidates")
        plain = "\n".join(_lines(unit, function))
        digest = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()
        tag = next(iter(tags), digest[:8])
        found[tag] = (*found.get(tag, ()), name)
    return found


def _lines(unit: Unit, function: Function) -> list[str]:
    return [unit.lines[i] for i in function.indices()]


def _tag_of(symbol: str) -> str:
    found = _TAGGED_LABEL.match(symbol) or _TAGGED_SYMBOL.fullmatch(symbol)
    return found.group(1) if found else ""


def _donor(base: Unit, unit: Unit, names: Sequence[str], tag: str) -> str:
    """What one candidate gave: its functions, their helpers and constants, under old names."""
    functions, data = list(names), list[str]()
    for name in functions:  # grows meanwhile
        function = unit.functions[name]
        for symbol in _in_order(unit, function.indices()):
            _want(base, unit, symbol, functions, data)
    for name in data:  # grows meanwhile
        for symbol in _in_order(unit, unit.objects[name].lines):
            _want(base, unit, symbol, functions, data)
    lines: list[str] = []
    for name in functions:
        lines += _function(unit, unit.functions[name])
    for name in data:
        lines += _data(unit.objects[name], unit)
    referred = {n for x in lines if label_of(x) is None for n, _ in symbols_of(x)}
    return "\n".join(_untagged(x, tag) for x in lines if not _is_idle_label(x, referred))


def _is_idle_label(line: str, referred: set[str]) -> bool:
    """Debug information may refer to such a label, and would find another one in its place."""
    label = label_of(line)
    return label is not None and label.startswith(".L") and label not in referred


def _in_order(unit: Unit, indices: Sequence[int] | Iterator[int]) -> Iterator[str]:
    for index in indices:
        if unit.kinds[index] in (Line.INSTRUCTION, Line.DIRECTIVE):
            for symbol, _ in symbols_of(split_statement(unit.lines[index])[1]):
                yield symbol


def _want(base: Unit, unit: Unit, symbol: str, functions: list[str], data: list[str]) -> None:
    """Note what a symbol needs that the baseline does not have, or not aligned as far."""
    if symbol in unit.functions:
        if symbol not in base.functions and symbol not in functions:
            functions.append(symbol)
    elif symbol in unit.objects:
        one = unit.objects[symbol]
        ours = base.objects.get(symbol)
        new = ours is None or (not symbol.startswith(".L") and one.alignment > ours.alignment)
        if new and one.names[0] not in data:
            data.append(one.names[0])


def _function(unit: Unit, function: Function) -> Iterator[str]:
    name = function.name
    yield unit.directive_at(function.start)
    yield "\t.p2align 4"
    if function.is_global:
        yield f"\t.globl\t{name}"
    yield f"\t.type\t{name}, @function"
    for part in function.ranges:
        if part is not function.ranges[0]:
            yield unit.directive_at(part.start)
        for index in part:
            line = unit.lines[index]
            empty = unit.kinds[index] in (Line.BLANK, Line.COMMENT)
            if not empty and not _DEBUG.match(line):
                yield strip_comment(line)


def _data(one: DataObject, unit: Unit) -> Iterator[str]:
    name = one.names[0]
    if one.common:
        if not one.is_global:
            yield f"\t.local\t{name}"
        yield f"\t.comm\t{name},{one.size},{one.alignment}"
        return
    yield one.directive
    yield f"\t.balign {one.alignment}"
    if not name.startswith(".L"):
        yield f"\t.type\t{name}, @object"
        yield f"\t.size\t{name}, {one.declared if one.declared is not None else one.size}"
    for index in one.lines:
        if unit.kinds[index] not in (Line.BLANK, Line.COMMENT):
            yield strip_comment(unit.lines[index])


def _untagged(line: str, tag: str) -> str:
    def old(name: str) -> str:
        if name.startswith(f".L{tag}."):
            return f".L{name[len(tag) + 3 :]}"
        if name.endswith((f".{tag}", f".{tag}.cold")):
            return name.replace(f".{tag}", "", 1)
        return name

    return rename(line, old) if tag in line else line
