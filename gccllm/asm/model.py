"""What a parsed unit is: functions, data objects and how the code refers to symbols."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gccllm.asm.lines import Line, split_statement, symbols_of
from gccllm.asm.objects import DataObject

__all__ = ["Function", "Unit", "ignored_section", "is_branch", "reference_forms"]


@dataclass(frozen=True)
class Function:
    """A function's place in its unit and what it touches.

    ``ranges`` are line ranges: the main body from its label to its ``.size`` (and the
    ``.cfi_endproc`` that clang puts behind it), then what of its cold part lies outside.
    ``cold`` names its cold parts' symbols. ``labels`` are the local labels that it defines,
    ``label_refs`` those that it refers to, ``symbols`` the other symbols that it names.
    ``constants`` are local labels that it uses and does not define. ``obstacles`` are stable words:
    why it must not be replaced; empty when it may be.
    """

    name: str
    ranges: tuple[range, ...]
    section: str
    is_global: bool
    cold: tuple[str, ...]
    labels: frozenset[str]
    label_refs: frozenset[str]
    symbols: frozenset[str]
    jump_tables: tuple[range, ...]
    obstacles: tuple[str, ...]

    @property
    def constants(self) -> frozenset[str]:
        return self.label_refs - self.labels

    @property
    def start(self) -> int:
        return self.ranges[0].start

    @property
    def replaceable(self) -> bool:
        return not self.obstacles

    def indices(self) -> Iterator[int]:
        for part in self.ranges:
            yield from part


@dataclass(frozen=True)
class Unit:
    """Parsed assembly; ``"\\n".join(lines)`` is the text again, byte for byte.

    ``sections[i]`` is the section that line i stands in; ``directives`` maps each line that changes
    the section to the directive that names the new one in full.
    """

    lines: tuple[str, ...]
    kinds: tuple[Line, ...]
    sections: tuple[str, ...]
    directives: Mapping[int, str]
    labels: Mapping[str, int]
    globals: frozenset[str]
    aliases: Mapping[str, str]
    section_forms: Mapping[str, str]
    functions: Mapping[str, Function]
    objects: Mapping[str, DataObject]
    owners: Mapping[str, str] = field(repr=False)
    """local label or cold symbol → the function that it lies in"""
    label_tables: Mapping[str, str] = field(default_factory=dict)
    """named table of a function's own labels → that function"""

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @cached_property
    def _changes(self) -> tuple[int, ...]:
        return tuple(sorted(self.directives))

    def directive_at(self, index: int) -> str:
        """The directive that leads to the section in force behind line ``index``."""
        at = bisect_right(self._changes, index)
        return self.directives[self._changes[at - 1]] if at else "\t.text"

    def tables_of(self, function: str) -> Iterator[DataObject]:
        """The named tables of a function's labels."""
        return (self.objects[name] for name, f in self.label_tables.items() if f == function)

    @cached_property
    def has_cfi(self) -> bool:
        return any(".cfi_startproc" in x for x in self.lines)

    @cached_property
    def references(self) -> Mapping[str, frozenset[str]]:
        """Symbol → the relocation forms in which code refers to it.

        "" direct (call, jump or ``sym(%rip)``), "absolute" (``$sym`` and the like), else the
        suffix such as ``@PLT``, ``@GOTPCREL``; "data" when data holds its address.
        """
        found: dict[str, set[str]] = {}
        for index, kind in enumerate(self.kinds):
            if kind is Line.INSTRUCTION:
                for name, form in reference_forms(self.lines[index]):
                    found.setdefault(name, set()).add(form)
            elif kind is Line.DIRECTIVE and not ignored_section(self.sections[index]):
                word, operands = split_statement(self.lines[index])
                if word.strip() in (".quad", ".long", ".8byte", ".4byte", ".dc.a"):
                    for name, _ in symbols_of(operands):
                        found.setdefault(name, set()).add("data")
        return {name: frozenset(forms) for name, forms in found.items()}

    @cached_property
    def addressed(self) -> frozenset[str]:
        """Symbols whose address is used for more than direct branches."""
        found = {name for name, forms in self.references.items() if "data" in forms}
        for index, kind in enumerate(self.kinds):
            if kind is Line.INSTRUCTION:
                head, operands = split_statement(self.lines[index])
                if not is_branch(head, operands):
                    found.update(name for name, _ in symbols_of(operands))
        return frozenset(found)

    @cached_property
    def has_endbr(self) -> bool:
        return any("endbr64" in x for x in self.lines)

    @cached_property
    def known_symbols(self) -> frozenset[str]:
        """Every symbol, local labels aside, that the unit defines or its code and data name."""
        return frozenset(
            name
            for source in (self.references, self.labels, self.objects, self.aliases)
            for name in source
            if not name.startswith(".L")
        )

    def defines(self, name: str) -> bool:
        return name in self.labels or name in self.objects or name in self.aliases

    @cached_property
    def interposable(self) -> bool:
        """True when the unit's own globals are reached through PLT or GOT (-fPIC)."""
        return any(
            forms & {"@PLT", "@GOTPCREL"} and self.defines(name) and name in self.globals
            for name, forms in self.references.items()
        )

    @cached_property
    def is_clang(self) -> bool:
        """True for clang's output: it writes ``retq`` where gcc writes ``ret``."""
        return any(x.startswith(("\tretq", "\tcallq", ".Lfunc_end")) for x in self.lines)


def ignored_section(name: str) -> bool:
    """Sections that the running program never looks at: debug information and notes."""
    return name.startswith((".debug", ".note", ".comment", ".eh_frame", ".zdebug", ".gnu.debug"))


def is_branch(head: str, operands: str) -> bool:
    """True for a direct jump or call, as :func:`gccllm.asm.lines.split_statement` has it."""
    words = head.split()
    return bool(words) and words[-1].startswith(("j", "call")) and "*" not in operands


def reference_forms(line: str) -> Iterator[tuple[str, str]]:
    """(symbol, form) pairs of one instruction, forms as in :attr:`Unit.references`."""
    head, operands = split_statement(line)
    word = head.split()[-1] if head.split() else ""
    branch = word.startswith(("j", "call", "loop", "xbegin"))
    for name, suffix in symbols_of(operands):
        if suffix:
            yield name, suffix.upper()
        elif (branch and "(" not in operands) or _rip_relative(name, operands):
            yield name, ""
        else:
            yield name, "absolute"


def _rip_relative(name: str, operands: str) -> bool:
    return re.search(re.escape(name) + r"(?:[-+]\w+)*\(%rip", operands) is not None
