"""A translation unit's assembly: parsed without loss into functions and data.

Works on what gcc and clang write for x86-64 ELF in AT&T syntax; anything else parses too, but its
functions carry obstacles, the reasons why they may not be replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gccllm.asm.inline import placing_block
from gccllm.asm.label_tables import find_label_tables
from gccllm.asm.lines import (
    Line,
    SectionState,
    classify,
    label_of,
    split_statement,
    symbols_of,
)
from gccllm.asm.model import Function, Unit, ignored_section
from gccllm.asm.objects import DataObject, find_objects, is_code_section

__all__ = ["Function", "Unit", "parse"]

_TYPE = re.compile(r'\s*\.type\s+("[^"]+"|[^,\s]+)\s*,\s*[@%#]?"?(\w+)')
_SIZE = re.compile(r'\s*\.size\s+("[^"]+"|[^,\s]+)\s*,\s*(\S+)')
_SETJMP = frozenset(
    "setjmp _setjmp sigsetjmp __sigsetjmp savectx vfork getcontext __builtin_setjmp".split()
)
_TLS = re.compile(r"@(?:tpoff|gottpoff|tlsgd|tlsld|dtpoff|tlsdesc|tlscall|indntpoff)\b", re.I)
_NESTED = re.compile(r"[A-Za-z_]\w*\.\d+$")
_COLD = re.compile(r"(.+)\.cold(?:\.[\w.]*)?$")
_NOT_64 = re.compile(r"^\s*(?:pushl|popl)\b|%esp\b")
_ALIAS = re.compile(r"\s*\.(?:set|equ|equiv)\s+([^,\s]+)\s*,\s*(.+?)\s*$")
_ASSIGN = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*=\s*(.+?)\s*$")
_LOC_VIEW = re.compile(r"\s*\.loc\s.*\bview\s+(\.L\w+)")


def parse(text: str) -> Unit:
    """Parse a unit (any text; bytes decoded with surrogateescape). Never raises."""
    return _Parser(text).unit()


class _Parser:
    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.kinds: list[Line] = []
        self.sections: list[str] = []
        self.directives: dict[int, str] = {}
        self.labels: dict[str, int] = {}
        self.duplicates: set[str] = set()
        self.types: dict[str, str] = {}
        self.sizes: dict[str, tuple[int, str]] = {}
        self.globals: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.section_forms: dict[str, str] = {}
        self.everywhere: list[str] = []
        self._scan()

    def _scan(self) -> None:
        state = SectionState()
        in_app = False
        harmless = -1
        for index, line in enumerate(self.lines):
            marker = line.strip() if "APP" in line else ""
            if marker == "#APP" and not in_app:
                harmless = placing_block(self.lines, index) or -1
            in_app = in_app or (marker == "#APP" and index > harmless)
            kind = Line.APP if in_app else classify(line)
            in_app = in_app and marker != "#NO_APP"
            self.kinds.append(kind)
            if kind is Line.DIRECTIVE:
                self._directive(index, line, state)
            elif kind is Line.LABEL:
                name = label_of(line) or ""
                if name in self.labels and not name.isdigit():
                    self.duplicates.add(name)
                self.labels.setdefault(name, index)
            elif kind is Line.APP:
                for statement in line.split(";"):
                    word, operands = split_statement(statement)
                    if state.feed(word.strip(), operands):
                        self.directives[index] = state.directive
            self.sections.append(state.name)
        if re.search(r"^\s*\.(?:intel_syntax|code32|code16)", "\n".join(self.lines), re.M) or any(
            k is Line.INSTRUCTION and ("l\t" in x or "%esp" in x) and _NOT_64.search(x)
            for k, x in zip(self.kinds, self.lines, strict=True)
        ):
            self.everywhere.append("not-att-64")

    def _directive(self, index: int, line: str, state: SectionState) -> None:
        head, operands = split_statement(line)
        word = head.strip()
        if state.feed(word, operands):
            directive = state.directive
            if "," in directive:
                self.section_forms.setdefault(state.name, directive)
            self.directives[index] = self.section_forms.get(state.name, directive)
            if state.name == ".note.GNU-stack" and "x" in directive.split(",", 1)[-1][:6]:
                self.everywhere.append("trampoline")
        elif word == ".type":
            found = _TYPE.match(line)
            if found:
                self.types[found.group(1)] = found.group(2)
        elif word == ".size":
            found = _SIZE.match(line)
            if found:
                self.sizes.setdefault(found.group(1), (index, found.group(2)))
        elif word in (".globl", ".global", ".weak"):
            self.globals.update(x.strip() for x in operands.split(","))
        else:
            alias = _ALIAS.match(line) or _ASSIGN.match(line)
            if alias and not alias.group(1).startswith(".LVU"):
                self.aliases[alias.group(1)] = alias.group(2)

    def unit(self) -> Unit:
        names = [
            n
            for n, kind in self.types.items()
            if kind in ("function", "gnu_indirect_function", "STT_FUNC") and n in self.labels
        ]
        names.sort(key=lambda n: self.labels[n])
        spans = {n: self._span(n, names) for n in names}
        cold: dict[str, list[str]] = {}
        for name in names:
            parent = self._parent_of_cold(name, spans)
            if parent is not None:
                cold.setdefault(parent, []).append(name)
        children = {c for group in cold.values() for c in group}
        ranges = {n: self._ranges(n, spans, cold.get(n, ())) for n in names if n not in children}
        covered = [False] * len(self.lines)
        owners: dict[str, str] = {}
        doubly: set[str] = set()
        for name, parts in ranges.items():
            for part in parts:
                for index in part:
                    covered[index] = True
                    if self.kinds[index] is Line.LABEL:
                        label = label_of(self.lines[index]) or ""
                        if owners.setdefault(label, name) != name and not label.isdigit():
                            doubly.update((owners[label], name))
        declared = {n: int(expr) for n, (_, expr) in self.sizes.items() if expr.isdigit()}
        objects = find_objects(
            self.lines,
            self.kinds,
            self.sections,
            self.directives,
            covered,
            declared,
            frozenset(self.globals),
        )
        line_owner = {i: name for name, parts in ranges.items() for part in parts for i in part}
        tables = find_label_tables(
            self.lines, self.kinds, self.sections, objects, owners, line_owner
        )
        foreign = self._foreign_references(owners, line_owner, objects, tables)
        functions = {
            name: self._function(
                name, parts, spans, tuple(cold.get(name, ())), owners, foreign, name in doubly
            )
            for name, parts in ranges.items()
        }
        return Unit(
            tuple(self.lines),
            tuple(self.kinds),
            tuple(self.sections),
            self.directives,
            self.labels,
            frozenset(self.globals),
            self.aliases,
            self.section_forms,
            functions,
            objects,
            owners,
            tables,
        )

    def _span(self, name: str, names: Sequence[str]) -> range:
        """From the label to .size; without .size to the next function (an obstacle then)."""
        start = self.labels[name]
        end = self.sizes.get(name, (-1, ""))[0] + 1
        if end <= start:
            later = [self.labels[n] for n in names if self.labels[n] > start]
            return range(start, min(later, default=len(self.lines)))
        for index in range(end, min(end + 4, len(self.lines))):
            if ".cfi_endproc" in self.lines[index]:
                return range(start, index + 1)
            if self.kinds[index] not in (Line.BLANK, Line.COMMENT):
                break
        return range(start, end)

    def _parent_of_cold(self, name: str, spans: Mapping[str, range]) -> str | None:
        found = _COLD.match(name)
        if found is not None and found.group(1) in spans:
            return found.group(1)
        return None

    def _ranges(
        self, name: str, spans: Mapping[str, range], cold: Sequence[str]
    ) -> tuple[range, ...]:
        """The main range, and of cold parts the lines that lie outside of it.

        gcc closes a cold part behind the main part's .size: there only the .size line is the
        function's own, for the section changes around it also place what follows.
        """
        main = spans[name]
        parts = [main]
        for child in cold:
            span = spans[child]
            size_line = self.sizes.get(child, (-1, ""))[0]
            if span.start in main:
                if size_line >= main.stop:
                    parts.append(range(size_line, size_line + 1))
            else:
                start = span.start
                while start > 0 and re.match(
                    r"\s*\.(?:type|cfi_startproc|p2align|align)\b", self.lines[start - 1]
                ):
                    start -= 1
                parts.append(range(start, span.stop))
        return tuple(parts)

    def _foreign_references(
        self,
        owners: Mapping[str, str],
        line_owner: Mapping[int, str],
        objects: Mapping[str, DataObject],
        tables: Mapping[str, str],
    ) -> dict[str, set[str]]:
        """Function → obstacles from references to its inner labels from elsewhere."""
        found: dict[str, set[str]] = {}
        private = {
            index
            for data in objects.values()
            if (data.name.startswith(".L") and data.read_only) or data.name in tables
            for index in data.lines
        }
        for index, line in enumerate(self.lines):
            kind = self.kinds[index]
            if ".L" not in line or kind in (Line.COMMENT, Line.LABEL, Line.BLANK):
                continue
            section = self.sections[index]
            if ignored_section(section) or index in private:
                continue
            mine = line_owner.get(index)
            word, operands = split_statement(line)
            if word.strip() in (".loc", ".set", ".size", ".type", ".file", ".cfi_lsda"):
                continue
            for label, _ in symbols_of(operands):
                owner = owners.get(label)
                if owner is None or owner == mine or not label.startswith(".L"):
                    continue
                if label.endswith("$local"):
                    continue
                code = mine is not None and is_code_section(section)
                found.setdefault(owner, set()).add("shared-label" if code else "computed-goto")
                if code and mine is not None:
                    found.setdefault(mine, set()).add("shared-label")
        return found

    def _function(
        self,
        name: str,
        parts: tuple[range, ...],
        spans: Mapping[str, range],
        cold: tuple[str, ...],
        owners: Mapping[str, str],
        foreign: Mapping[str, set[str]],
        overlaps: bool,
    ) -> Function:
        labels: set[str] = set()
        refs: set[str] = set()
        symbols: set[str] = set()
        obstacles: set[str] = set(foreign.get(name, ())) | set(self.everywhere)
        tables: list[range] = []
        table_start: int | None = None
        for index in (i for part in parts for i in part):
            line, kind = self.lines[index], self.kinds[index]
            if is_code_section(self.sections[index]):
                if table_start is not None:
                    tables.append(range(table_start, index))
                    table_start = None
            elif table_start is None:
                table_start = index
            if kind is Line.APP:
                obstacles.add("inline-asm")
            elif kind is Line.LABEL:
                label = label_of(line) or ""
                labels.add(label)
                if label in self.duplicates:
                    obstacles.add("duplicate-label")
                if '"' in label:
                    obstacles.add("quoted-name")
            elif kind is Line.INSTRUCTION:
                if "@" in line and _TLS.search(line):
                    obstacles.add("tls")
                if '"' in line:
                    obstacles.add("quoted-name")
                for symbol, _ in symbols_of(split_statement(line)[1]):
                    (refs if symbol.startswith(".L") else symbols).add(symbol)
            elif kind is Line.DIRECTIVE:
                word, operands = split_statement(line)
                word = word.strip()
                if word in (".cfi_personality", ".cfi_lsda"):
                    obstacles.add("exceptions")
                elif word == ".loc" and "view" in line:
                    view = _LOC_VIEW.match(line)
                    if view:
                        labels.add(view.group(1))
                elif not word.startswith((".cfi_", ".size", ".type", ".file", ".loc", ".section")):
                    for symbol, _ in symbols_of(operands):
                        (refs if symbol.startswith(".L") else symbols).add(symbol)
        if overlaps:
            obstacles.add("overlap")
        if name not in self.sizes or self.sizes[name][0] < spans[name].start:
            obstacles.add("no-size")
        if self.types.get(name) == "gnu_indirect_function":
            obstacles.add("ifunc")
        if symbols & _SETJMP:
            obstacles.add("setjmp")
        if symbols & {"__builtin_nested_func_ptr_created", "__enable_execute_stack"}:
            obstacles.add("trampoline")
        if _NESTED.match(name) and name not in self.globals:
            obstacles.add("nested")
        inner = labels | {name}
        for alias, target in self.aliases.items():
            if target in inner and alias != f"{name}.localalias" and alias not in labels:
                obstacles.add("alias")
        if "__patchable_function_entries" in self.section_forms:
            obstacles.add("patchable")
        return Function(
            name,
            parts,
            self.sections[parts[0].start],
            name in self.globals,
            cold,
            frozenset(labels),
            frozenset(refs),
            frozenset(symbols),
            tuple(tables),
            tuple(sorted(obstacles)),
        )
