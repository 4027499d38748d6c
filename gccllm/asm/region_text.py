"""Regions as text: a canonical form for prompts and comparisons, and back into a unit.

In the canonical form labels inside are L0 (the entry, always written), L1 … in order, exits are X0,
X1 … in the order of ``region.exits``, and nothing but instructions and labels is left. New lines
for a region are written in the same form; they may end with constants of their own::

    L0:
            movdqa  D0(%rip), %xmm1
            ...
            jne     L0
    D0:
            .quad   1, 2
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gccllm.asm.lines import Line, classify, label_of, rename, split_statement, symbols_of
from gccllm.asm.region_model import Region
from gccllm.asm.unit import Unit

__all__ = ["NewLines", "parse_lines", "render", "replace"]

_PRIVATE = re.compile(r"[LXD]\d+")
_DATA = frozenset(
    ".byte .value .short .word .long .int .quad .zero .p2align .align .balign".split()
)
_JUMPS = ("jmp", "jmpq")
_ALIGNS = (".p2align", ".align", ".balign")


@dataclass(frozen=True)
class NewLines:
    """Checked lines in canonical form: ``code`` and, behind it, ``data`` (labels D0 …).

    ``starts_at_top`` says that the entry is the first line, for L0 is not defined.
    """

    code: tuple[str, ...]
    data: tuple[str, ...]
    starts_at_top: bool
    exits_used: frozenset[int]

    def data_with(self, names: dict[str, str]) -> list[str]:
        return [rename(line, names) for line in self.data]


def render(unit: Unit, region: Region) -> str:
    """The canonical text of a region, one statement a line, each ended by a newline."""
    names = _names(unit, region)
    exits = {x.label: f"X{i}" for i, x in enumerate(region.exits) if x.label}
    written: set[str] = set()
    out: list[str] = []
    if not region.entry:
        out.append("L0:")
        written.add("L0")
    for index in region.lines:
        kind, line = unit.kinds[index], unit.lines[index]
        if kind is Line.LABEL:
            name = names.get(label_of(line) or "")
            if name is not None and name not in written:
                out.append(f"{name}:")
                written.add(name)
        elif kind is Line.INSTRUCTION:
            branch = split_statement(line)[0].split()[-1].startswith("j")
            head, operands = split_statement(rename(line, {**exits, **names}) if branch else line)
            out.append(f"\t{head.strip()}\t{operands.strip()}".rstrip())
    return "".join(f"{x}\n" for x in out)


def replace(unit: Unit, region: Region, lines: Sequence[str], *, tag: str = "r") -> str:
    """The unit's text with ``lines`` (canonical form) in the region's place: a donor for
    :func:`gccllm.asm.splice.splice`.

    A label that had an alignment keeps it. ``tag`` (letters) goes into the names of new labels.
    Raises ValueError for lines that are not in canonical form or leave by no exit of the region's.
    """
    new = parse_lines(region, lines)
    while any(f".L{tag}" in x for x in unit.lines):
        tag += "x"
    old = _names(unit, region)
    names = {n: f".L{tag}{n}" for n in _defined((*new.code, *new.data))}
    end = f".L{tag}end"
    for number, leaving in enumerate(region.exits):
        names[f"X{number}"] = leaving.label or end
    if region.entry:
        names["L0"] = region.entry
    aligned = _alignments(unit, region, old)
    body: list[str] = []
    if region.entry and new.starts_at_top:
        body += [*aligned.get("L0", ()), f"{region.entry}:"]
    for line in new.code:
        body += aligned.get(label_of(line) or "", ())
        body.append(rename(line, names))
    if any(not region.exits[i].label for i in new.exits_used):
        body.append(f"{end}:")
    data = [
        '\t.section\t.rodata.gccllm,"a",@progbits',
        "\t.p2align 6",
        *new.data_with(names),
    ]
    before, after = unit.lines[: region.lines.start], unit.lines[region.lines.stop :]
    kept = [
        unit.lines[i]
        for i in region.lines
        if unit.kinds[i] is Line.DIRECTIVE and unit.lines[i].lstrip().startswith(".file")
    ]
    text = "\n".join([*before, *kept, *body, *after])
    return f"{text}\n" + "\n".join(data) + "\n" if new.data else text


def parse_lines(region: Region, lines: Sequence[str]) -> NewLines:
    """Check lines in canonical form. Raises ValueError, saying what is wrong with them."""
    code: list[str] = []
    data: list[str] = []
    last = ""
    for line in lines:
        kind = classify(line)
        if kind in (Line.BLANK, Line.COMMENT):
            continue
        label = label_of(line) if kind is Line.LABEL else None
        if kind is Line.LABEL and (label is None or line.split(":", 1)[1].strip()):
            raise ValueError(f"a label stands on a line of its own: {line.strip()}")
        if label is not None and not re.fullmatch(r"[LD]\d+", label):
            raise ValueError(f"labels are L0, L1 … and D0, D1 …: {line.strip()}")
        word = split_statement(line)[0].strip()
        if label is not None and label.startswith("D"):
            data.append(line.strip())
        elif data:
            if kind is not Line.DIRECTIVE or word not in _DATA:
                raise ValueError(f"not a constant: {line.strip()}")
            data.append(line)
        elif kind is Line.DIRECTIVE:
            if word not in _ALIGNS:
                raise ValueError(f"not an instruction: {line.strip()}")
        elif label is not None:
            code.append(line.strip())
        else:
            if ";" in line:
                raise ValueError(f"two statements in a line: {line.strip()}")
            code.append(line)
            last = word
    if "" not in (x.label for x in region.exits) and last not in _JUMPS:
        raise ValueError("control must not run off the end")
    defined = _defined((*code, *data))
    if len(defined) != sum(classify(x) is Line.LABEL for x in (*code, *data)):
        raise ValueError("a label is defined twice")
    used = {n for line in (*code, *data) for n in _private(line)}
    exits = {int(n[1:]) for n in used if n[0] == "X"}
    missing = sorted(n for n in used if n[0] != "X" and n not in defined)
    missing += [f"X{i}" for i in sorted(exits) if i >= len(region.exits)]
    if missing:
        raise ValueError(f"no such label: {missing[0]}")
    return NewLines(tuple(code), tuple(data), "L0" not in defined, frozenset(exits))


def _private(line: str) -> Iterator[str]:
    if classify(line) is not Line.LABEL:
        for name, _ in symbols_of(split_statement(line)[1]):
            if _PRIVATE.fullmatch(name):
                yield name


def _defined(lines: Sequence[str]) -> set[str]:
    return {label_of(x) or "" for x in lines if classify(x) is Line.LABEL}


def _names(unit: Unit, region: Region) -> dict[str, str]:
    """Local label of the region → L0, L1 …, for those that it jumps to and its entry."""
    used = {region.entry} if region.entry else set()
    for index in region.lines:
        if unit.kinds[index] is Line.INSTRUCTION:
            head, operands = split_statement(unit.lines[index])
            if head.split()[-1].startswith("j"):
                used.add(operands.strip())
    names: dict[str, str] = {}
    groups: list[list[str]] = []
    fresh = True
    for index in region.lines:
        if unit.kinds[index] is Line.LABEL:
            label = label_of(unit.lines[index]) or ""
            if label in used:
                if fresh:
                    groups.append([])
                groups[-1].append(label)
                fresh = False
        elif unit.kinds[index] is Line.INSTRUCTION:
            fresh = True
    first = next((i for i in region.lines if unit.kinds[i] is Line.INSTRUCTION), -1)
    at_top = {label_of(unit.lines[i]) for i in range(region.lines.start, first)}
    number = 1
    for group in groups:
        entered = region.entry in group if region.entry else bool(at_top & set(group))
        for label in group:
            names[label] = "L0" if entered else f"L{number}"
        number += not entered
    return names


def _alignments(unit: Unit, region: Region, names: dict[str, str]) -> dict[str, list[str]]:
    """Label in canonical form → the alignment directives in front of it."""
    found: dict[str, list[str]] = {}
    pending: list[str] = []
    for index in region.lines:
        line = unit.lines[index]
        if unit.kinds[index] is Line.DIRECTIVE and line.lstrip().startswith(_ALIGNS):
            pending.append(line)
        elif unit.kinds[index] is Line.LABEL:
            name = names.get(label_of(line) or "")
            if name is not None and pending:
                found.setdefault(name, pending)
                pending = []
        elif unit.kinds[index] is Line.INSTRUCTION:
            pending = []
    return found
