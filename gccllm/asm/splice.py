"""Splicing: functions of a donor take the place of the same functions in a base unit.

A donor is any unit-like text: another compiler's output, a model's program, one function with its
constants. What its functions need comes along under new names; what the program can write stays
the base's own. The result keeps the base's symbols, sections, visibility and debug sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.beside import Switch, insertion
from gccllm.asm.bind import HELPFUL_EXTERNALS, Refused, bind_object, realigned
from gccllm.asm.keep import COLD_SECTION, labels_wanted, replacement
from gccllm.asm.lines import Line, label_of, rename, split_statement, symbols_of
from gccllm.asm.model import is_branch, reference_forms
from gccllm.asm.objects import DataObject, data_bytes, is_code_section
from gccllm.asm.relocate import Relocator
from gccllm.asm.unit import Function, Unit

__all__ = ["Refusal", "Spliced", "splice"]

_RELRO_SECTION = '\t.section\t.data.rel.ro.local,"aw",@progbits'
_CLONE = re.compile(r"\.(?:constprop|isra|part|lto_priv|llvm)\b")
_DROPPED = re.compile(r"\s*\.(?:size|file|loc|cv_\w+|addrsig\w*|globl|weak|hidden|local|ident)\b")
_ALIAS_TARGET = re.compile(r"([A-Za-z_.$][\w.$]*)\s*([-+]\s*\d+)?$")


@dataclass(frozen=True)
class Refusal:
    """Why it was not done: ``reason`` is a stable word for counters, ``detail`` one line."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Spliced:
    """A unit with ``functions`` replaced.

    ``brought`` are the new names of constants and helper functions that came along; ``assumed``
    the functions that the donor defines too but whose direct calls now reach the base's version.
    """

    text: str
    functions: tuple[str, ...]
    brought: tuple[str, ...]
    assumed: tuple[str, ...]


def splice(
    base: Unit,
    donor: Unit,
    names: Sequence[str],
    *,
    tag: str,
    foreign: bool = False,
    beside: Mapping[str, Switch] | None = None,
) -> Spliced | Refusal:
    """Replace the functions ``names`` of ``base`` by the donor's versions.

    ``tag`` (letters, digits, underscore) makes the new names unique; it is lengthened where the
    base holds it already. ``foreign`` says that the donor is another compilation of the source, not
    a rewrite of the base (clang's output is recognised): its local functions may then have calling
    conventions of their own, so a local function is replaced only together with all its callers.
    Functions of ``beside`` keep the base's version next to the donor's
    (:mod:`gccllm.asm.beside`); what their switches name is for the caller to add.
    """
    once = tuple(dict.fromkeys(names))
    try:
        return _Splicer(base, donor, once, tag, foreign, beside or {}).run()
    except Refused as refused:
        return Refusal(refused.reason, refused.detail)


class _Splicer:
    def __init__(
        self,
        base: Unit,
        donor: Unit,
        names: tuple[str, ...],
        tag: str,
        foreign: bool,
        beside: Mapping[str, Switch],
    ) -> None:
        self.base = base
        self.donor = donor
        self.names = names
        self.beside = beside
        self.foreign = foreign or (donor.is_clang and not base.is_clang)
        text = base.text
        while f".{tag}" in text or f".L{tag}." in text:
            tag += "x"
        self.tag = tag
        self.relocator = Relocator(base)
        self.copies: dict[str, str] = {}
        """donor function → its name in the result"""
        self.objects: dict[str, str] = {}
        """first name of a donor's object that comes along → nothing yet or its lines' head"""
        self.queue: list[tuple[str, str]] = []
        self.bound: dict[str, str] = {}
        self.assumed: set[str] = set()
        self.aligned: dict[str, int] = {}
        """the base's own data that the donor's code needs aligned further → bytes"""

    # What is wanted ------------------------------------------------------------------------------

    def run(self) -> Spliced:
        if not self.names:
            raise Refused("no-functions", "nothing to replace")
        for name in self.names:
            self._check(name)
            self.copies[name] = name
        bodies = {name: self._body(name) for name in self.names}
        blocks: list[str] = []
        while self.queue:
            kind, name = self.queue.pop(0)
            blocks += self._helper(name) if kind == "function" else self._object(name)
        brought = [n for f, n in self.copies.items() if f not in self.names]
        brought += self.objects.values()
        return Spliced(
            "\n".join(self._assemble(bodies, blocks)),
            self.names,
            tuple(brought),
            tuple(sorted(self.assumed)),
        )

    def _check(self, name: str) -> None:
        ours = self.base.functions.get(name)
        theirs = self.donor.functions.get(name)
        if ours is None:
            raise Refused("no-such-function", f"the unit has no function {name}")
        if theirs is None:
            raise Refused("not-in-donor", f"the donor has no function {name}")
        if ours.obstacles:
            raise Refused(
                ours.obstacles[0], f"{name} can't be replaced: {', '.join(ours.obstacles)}"
            )
        self._check_donor(theirs)
        if self.foreign and not ours.is_global:
            if _CLONE.search(name):
                raise Refused("clone", f"{name} is specialised for the callers of its own unit")
            # gcc renames what it specialises; clang does not, unless the address is taken.
            if self.donor.is_clang and name not in self.donor.addressed:
                for caller in self._users(name):
                    if caller not in self.names:
                        raise Refused("local-convention", f"{caller} calls {name} its own way")

    def _check_donor(self, function: Function) -> None:
        if function.obstacles:
            why = ", ".join(function.obstacles)
            raise Refused(function.obstacles[0], f"{function.name} of the donor: {why}")

    def _users(self, name: str) -> Iterator[str]:
        for other in self.base.functions.values():
            if other.name != name and name in other.symbols:
                yield other.name
        if "data" in self.base.references.get(name, ()):
            yield "data"

    # What a symbol becomes -----------------------------------------------------------------------

    def _resolve(self, name: str, branch: bool) -> str:
        """The result's name (or ``name+offset``) for a donor's symbol. Raises Refused."""
        donor = self.donor
        if name.isdigit():
            return name
        owner = donor.owners.get(name)
        if name.startswith(".L"):
            if name.endswith("$local"):
                return self._resolve(name[2 : -len("$local")], branch)
            if owner is not None:
                if owner not in self.copies:
                    raise Refused("shared-label", f"{name} lies in {owner}")
                return self._local(name)
            if name in donor.objects:
                return self._bring_object(donor.objects[name], name)
            if name in donor.aliases:
                return self._resolve_alias(name, branch)
            raise Refused("undefined-label", f"{name} is not defined in the donor")
        if name in donor.functions:
            return self._resolve_function(donor.functions[name], branch)
        if owner is not None and owner in self.copies and name in donor.functions[owner].cold:
            return self._cold_name(owner, name)
        if name in donor.objects:
            data = donor.objects[name]
            if name not in self.bound:
                own_table = name in donor.label_tables
                ours = None if own_table else bind_object(self.base, donor, data, self.foreign)
                self.bound[name] = self._bring_object(data, name) if ours is None else ours
                if ours is not None and data.alignment > self.base.objects[ours].alignment:
                    self.aligned[ours] = max(self.aligned.get(ours, 1), data.alignment)
            return self.bound[name]
        if name in donor.aliases:
            return self._resolve_alias(name, branch)
        if name in self.base.known_symbols or name in HELPFUL_EXTERNALS:
            return name
        if name == "_GLOBAL_OFFSET_TABLE_":
            return name
        raise Refused("new-symbol", f"{name} is neither in the unit nor in the donor")

    def _resolve_alias(self, name: str, branch: bool) -> str:
        found = _ALIAS_TARGET.match(self.donor.aliases[name])
        if found is None or found.group(1) == name:
            raise Refused("alias", f"{name} = {self.donor.aliases[name]}")
        return self._resolve(found.group(1), branch) + (found.group(2) or "")

    def _resolve_function(self, function: Function, branch: bool) -> str:
        name = function.name
        ours = self.base.functions.get(name)
        if name in self.names:
            return name
        if function.is_global and ours is not None and ours.is_global:
            if branch and not self.donor.is_clang:
                # clang relies on nothing beyond the ABI across a call of a global function.
                self.assumed.add(name)
            return name
        if not branch and ours is not None and name in self.base.addressed:
            # Its address is known in both, so both obey the ABI, and pointers to it stay equal.
            return name
        if self._binds_to_ours(function, ours, branch):
            self.assumed.add(name)
            return name
        if name not in self.copies:
            self._check_donor(function)
            self.copies[name] = f"{name}.{self.tag}"
            self.queue.append(("function", name))
        return self.copies[name]

    def _binds_to_ours(self, function: Function, ours: Function | None, branch: bool) -> bool:
        """Whether the base's own version of a local function serves the donor's calls as well.

        gcc compiles local functions to the ABI, and renames those that it specialises for their
        callers; so of two compilations of one source either version will do. clang does not.
        """
        return (
            branch
            and self.foreign
            and not self.donor.is_clang
            and not self.base.is_clang
            and ours is not None
            and not ours.is_global
            and not function.is_global
            and _CLONE.search(function.name) is None
        )

    def _bring_object(self, data: DataObject, name: str) -> str:
        if not data.read_only:
            raise Refused("new-data", f"{data.name} is writable")
        first = data.names[0]
        if first not in self.objects:
            self.objects[first] = self._local(first)
            self.queue.append(("object", first))
        return self._local(name)

    def _local(self, name: str) -> str:
        return f".L{self.tag}.{name[2:] if name.startswith('.L') else name}"

    def _cold_name(self, owner: str, name: str) -> str:
        new = f"{self.copies[owner]}.cold"
        ours = self.base.functions.get(owner)
        replaced = owner in self.names and owner not in self.beside
        mine = ours.cold if ours is not None and replaced else ()
        if self.donor.functions[owner].cold[0] != name or (
            new in self.base.labels and new not in mine
        ):
            new = f"{name}.{self.tag}"
        return new

    # What is written -----------------------------------------------------------------------------

    def _body(self, name: str) -> list[str]:
        """A donor function's lines behind its entry label: renamed, debug directives gone."""
        function = self.donor.functions[name]
        ours = self.base.functions.get(name) if name in self.names else None
        main = self.base.directive_at(ours.start) if ours is not None else "\t.text"
        keep_endbr = ours is None or _starts_with_endbr(self.base, ours)
        notrack = keep_endbr and self.base.has_endbr
        out: list[str] = []
        first_instruction = True
        for part in function.ranges:
            if part is not function.ranges[0]:
                out.append(self._section(part.start, function, main))
            for index in part:
                kind, line = self.donor.kinds[index], self.donor.lines[index]
                if kind in (Line.BLANK, Line.COMMENT) or index == function.start:
                    continue
                if index in self.donor.directives:
                    out.append(self._section(index, function, main))
                elif kind is Line.LABEL:
                    label = label_of(line) or ""
                    out.append(rename(line, lambda n: self._resolve(n, False)))
                    if label in function.cold and not label.startswith(".L"):
                        out[-1] = f"{self._cold_name(name, label)}:"
                elif kind is Line.INSTRUCTION:
                    endbr = line.strip().startswith("endbr64")
                    if first_instruction:
                        first_instruction = False
                        if keep_endbr and not endbr and ours is not None:
                            out.append("\tendbr64")
                        if endbr and not keep_endbr:
                            continue
                    out.append(self._instruction(line, notrack))
                else:
                    out += self._directive(index, line)
        if not self.base.has_cfi:
            out = [x for x in out if not x.lstrip().startswith(".cfi_")]
        elif not any(".cfi_startproc" in x for x in out):
            out = ["\t.cfi_startproc", *out, main, "\t.cfi_endproc"]
        for cold in function.cold:
            new = self._cold_name(name, cold)
            out += [
                self._section(self.donor.labels[cold], function, main),
                f"\t.size\t{new}, .-{new}",
            ]
        out.append(main)
        return out

    def _instruction(self, line: str, notrack: bool) -> str:
        head, operands = split_statement(line)
        branch = is_branch(head, operands)
        fixed = self.relocator.adjust(
            rename(line, lambda n: self._resolve(n, branch)),
            {n: self._resolve(n, branch) for n, _ in reference_forms(line)},
        )
        indirect = head.strip() in ("jmp", "jmpq") and operands.lstrip().startswith("*")
        if notrack and indirect and "GOT" not in operands:
            fixed = fixed.replace("jmp", "notrack jmp", 1)
        return fixed

    def _directive(self, index: int, line: str) -> list[str]:
        head, _ = split_statement(line)
        word = head.strip()
        if _DROPPED.match(line):
            return []
        if word.startswith(".cfi_") or word in (".p2align", ".align", ".balign"):
            return [re.sub(r"(\.p2align\s+\d+),\s*0x90", r"\1", split_head(line))]
        if word == ".type" or data_bytes(word, "") != ():
            if is_code_section(self.donor.sections[index]) and word != ".type":
                raise Refused("data-in-code", line.strip())
            return [rename(line, lambda n: n if n == "function" else self._resolve(n, False))]
        raise Refused("directive", line.strip())

    def _section(self, index: int, function: Function, main: str) -> str:
        """The section directive of the result for the section of a line of the donor."""
        name = self.donor.sections[index]
        if name == function.section:
            return main
        if is_code_section(name):
            return self.base.section_forms.get(".text.unlikely", COLD_SECTION)
        return self.base.section_forms.get(name, self.donor.directive_at(index))

    def _helper(self, name: str) -> list[str]:
        new = self.copies[name]
        body = self._body(name)
        return [
            "\t.text",
            "\t.p2align 4",
            f"\t.type\t{new}, @function",
            f"{new}:",
            *body,
            f"\t.size\t{new}, .-{new}",
        ]

    def _object(self, first: str) -> list[str]:
        data = self.donor.objects[first]
        lines: list[str] = []
        pointers = False
        for index in data.lines:
            if self.donor.kinds[index] is not Line.DIRECTIVE:
                continue
            word, operands = split_statement(self.donor.lines[index])
            if data_bytes(word.strip(), operands) == ():
                continue
            if word.strip() in (".incbin", ".org", ".rept", ".macro"):
                raise Refused("directive", self.donor.lines[index].strip())
            names = [n for n, _ in symbols_of(operands)]
            pointers = pointers or bool(names and "-" not in operands)
            lines.append(
                rename(self.donor.lines[index], lambda n: self._resolve(n, False))
                if names
                else split_head(self.donor.lines[index])
            )
        directive = self.base.section_forms.get(data.section, data.directive)
        if pointers and data.section.startswith(".rodata"):
            directive = _RELRO_SECTION
        shift = data.alignment.bit_length() - 1
        align = [f"\t.p2align {shift}"] if shift else []
        return [directive, *align, *(f"{self._local(n)}:" for n in data.names), *lines]

    def _assemble(self, bodies: dict[str, list[str]], blocks: list[str]) -> Iterator[str]:
        """The base's lines with the bodies in place and the blocks behind the first of them."""
        base = self.base
        plain = [x for x in self.names if x not in self.beside]
        removed: dict[int, str] = {}
        for name in plain:
            for index in (*base.functions[name].indices(), *_table_lines(base, name)):
                removed[index] = name
        wanted = labels_wanted(base, removed)
        starts = {base.functions[n].start: n for n in plain}
        inserted: dict[int, Sequence[str]] = {}
        moved: set[int] = set()
        for name in (x for x in self.names if x in self.beside):
            done = insertion(base, base.functions[name], bodies[name], self.beside[name])
            inserted[done.after] = done.lines
            moved |= done.moved
        first = min((base.functions[x] for x in self.names), key=lambda x: x.start)
        last_of_first = max(x.stop for x in first.ranges) - 1 if first.name in self.beside else -1
        edited = dict(
            realigned(base, base.objects[name], bytes_) for name, bytes_ in self.aligned.items()
        )
        for index, line in enumerate(base.lines):
            if index in starts:
                name = starts[index]
                yield from replacement(base, base.functions[name], bodies[name], wanted)
                if index == first.start:
                    yield from blocks
                yield base.directive_at(base.functions[name].ranges[0].stop - 1)
            if index not in removed and index not in moved:
                yield edited.get(index, line)
            yield from inserted.get(index, ())
            if index == last_of_first and blocks:
                yield from blocks
                yield base.directive_at(index)


def _table_lines(unit: Unit, function: str) -> Iterator[int]:
    """The lines that lay down, or describe, the named tables of a function's labels."""
    for table in unit.tables_of(function):
        describing = re.compile(rf"\s*\.(?:type|size)\s+{re.escape(table.name)}\s*,")
        for index in table.lines:
            word, operands = split_statement(unit.lines[index])
            laid = unit.kinds[index] is Line.DIRECTIVE and data_bytes(word.strip(), operands) != ()
            if laid or index == table.lines.start:
                yield index
        yield from (x for x, line in enumerate(unit.lines) if describing.match(line))


def split_head(line: str) -> str:
    """The line without its comment."""
    head, operands = split_statement(line)
    return (head + operands).rstrip()


def _starts_with_endbr(unit: Unit, function: Function) -> bool:
    for index in function.indices():
        if unit.kinds[index] is Line.INSTRUCTION:
            return unit.lines[index].strip().startswith("endbr64")
    return False
