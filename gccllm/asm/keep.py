"""What of a replaced function stays: labels, files and views that debug sections refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gccllm.asm.lines import Line, label_of, split_statement, symbols_of
from gccllm.asm.unit import Function, Unit

__all__ = ["COLD_SECTION", "labels_wanted", "replacement"]

COLD_SECTION = '\t.section\t.text.unlikely,"ax",@progbits'


def labels_wanted(base: Unit, removed: dict[int, str]) -> set[str]:
    """Local labels that lines which stay refer to (debug sections mostly)."""
    wanted: set[str] = set()
    for index, line in enumerate(base.lines):
        if index not in removed and ".L" in line:
            wanted.update(n for n, _ in symbols_of(split_statement(line)[1]) if n[:2] == ".L")
    return wanted


def replacement(base: Unit, function: Function, body: list[str], wanted: set[str]) -> Iterator[str]:
    """The new lines of one function, with what the base's other lines need of the old ones."""
    entry: list[str] = []
    ends: list[str] = []
    cold: list[str] = []
    views: list[str] = []
    loc: str | None = None
    forms: list[str] = []
    cold_directive = COLD_SECTION
    for index in function.indices():
        kind, line = base.kinds[index], base.lines[index]
        if kind is Line.LABEL:
            label = label_of(line) or ""
            if label in wanted and label.startswith(".L"):
                if base.sections[index] != function.section:
                    cold_directive = base.directive_at(index)
                    cold.append(f"{label}:")
                else:
                    (ends if label.startswith(".LFE") else entry).append(f"{label}:")
        elif index in base.directives:
            form = base.directives[index]
            if "," in line and form not in forms:
                forms.append(form)
        elif kind is Line.DIRECTIVE and line.lstrip().startswith(".file"):
            yield line
        elif kind is Line.DIRECTIVE and line.lstrip().startswith(".loc"):
            found = re.search(r"\sview\s+(\.L\w+)", line)
            if found and found.group(1) in wanted:
                views.append(f"\t.set\t{found.group(1)}, 0")
            if loc is None:
                loc = re.sub(r"\s+view\s+\S+", "", line)
    yield from views
    yield f"{function.name}:"
    yield from entry
    if loc is not None:
        yield loc
    yield from body
    yield from ends
    yield f"\t.size\t{function.name}, .-{function.name}"
    if cold:
        yield cold_directive
        yield from cold
    yield from forms
