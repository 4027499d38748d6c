"""Tables of a function's own labels, as computed gotos use them: as much its own as a switch's.

A table counts as a function's where nothing but addresses of that function's labels stands in it,
nothing can write it, and that function alone names it, always from its start. Then no other code
can come to these labels by it, and another version of the function brings a table of its own.
Tables of distances between labels stay an obstacle: they leave no trace in an object, so nobody
could say where the jump through them goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gccllm.asm.lines import Line, split_statement
from gccllm.asm.model import ignored_section
from gccllm.asm.objects import DataObject

__all__ = ["find_label_tables"]

_LABEL = re.compile(r"\.L[\w.$]+")
_DESCRIBING = frozenset((".type", ".size"))


def find_label_tables(
    lines: Sequence[str],
    kinds: Sequence[Line],
    sections: Sequence[str],
    objects: Mapping[str, DataObject],
    owners: Mapping[str, str],
    line_owner: Mapping[int, str],
) -> dict[str, str]:
    """Name of a table → the function that it belongs to. ``owners`` maps a local label to the
    function it lies in, ``line_owner`` a line to the function it belongs to."""
    found: dict[str, str] = {}
    for name, data in objects.items():
        if name.startswith(".L") or data.names != (name,) or data.is_global or not data.read_only:
            continue
        functions = {
            owners.get(text) if size == 8 and _LABEL.fullmatch(text) else None
            for size, text in data.content or ()
        }
        owner = functions.pop() if len(functions) == 1 else None
        if owner is not None:
            found[name] = owner
    if not found:
        return found
    mentioned = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, found))})(?![\w.$])")
    for index, line in enumerate(lines):
        if kinds[index] in (Line.BLANK, Line.COMMENT, Line.LABEL) or ignored_section(
            sections[index]
        ):
            continue
        for one in mentioned.finditer(line):
            name = one.group(1)
            if kinds[index] is Line.INSTRUCTION:
                fine = line_owner.get(index) == found.get(name) and _from_start(line, one)
            else:
                word = split_statement(line)[0].strip()
                fine = kinds[index] is Line.DIRECTIVE and word in _DESCRIBING
            if not fine:
                found.pop(name, None)
    return found


def _from_start(line: str, name: re.Match[str]) -> bool:
    """Whether an operand is ``name(…)``, without a distance that would lead into the table."""
    return line[name.start() - 1] in " \t,*" and line[name.end() : name.end() + 1] == "("
