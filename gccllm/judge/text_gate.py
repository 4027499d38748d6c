"""The first gate: what a candidate's text may say, decided before anything assembles it.

The assembler is a powerful language (it reads files, loops, defines macros), so this is an
allow-list of labels, of directives with the operands that gcc gives them, and of lines that look
like one instruction. A list of bad words fails: ``.irp x,incbin`` followed by ``.\\x`` reads any
file. Some comments are not comments either: after a line marker (``# 1 "x" ;``) and in a file that
starts with ``#NO_APP``, GNU as 2.40 goes on reading the same line.

What an instruction does is not asked here but in the object gate, on what was really encoded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from gccllm.judge.finding import Finding
from gccllm.judge.text_grammar import (
    ALIGN,
    ALLOWED,
    CODE_FILL,
    DATA_WORDS,
    FREE_SECTIONS,
    FREE_SUFFIX,
    FUNCTION_SECTION,
    LINE_MARKER,
    MNEMONIC,
    OPERANDS,
    PREFIXES,
    SECTION,
    STACK_NOTE,
    STRINGS,
    SYMBOL,
    TLS_PADDING,
    VERBATIM,
    normalised,
    take_labels,
    without_comment,
)

__all__ = ["Finding", "check_text"]

MAX_TEXT = 1 << 20
MAX_LINES = 60_000
MAX_LINE = 4_096
MAX_PREFIXES = 4
MAX_ZEROS = 1 << 20
MAX_FINDINGS = 50
MAX_ALIGN_POWER = 6
BASELINES_KEPT = 8
"""reading one of megabytes takes seconds, and every candidate of its unit needs it"""


def check_text(candidate: str, baseline: str) -> list[Finding]:
    """Findings of the candidate's raw text, in the order of its lines; at most fifty.

    ``baseline`` is the unit that the candidate is to change. It serves as the list of what may be
    said word for word (global symbols, sections of the program's own, large alignments).
    """
    return list(_first(_Gate(_Baseline.of(baseline)).check(candidate, len(baseline))))


def _first(findings: Iterator[Finding]) -> Iterator[Finding]:
    for count, one in enumerate(findings):
        if count == MAX_FINDINGS:
            return
        yield one


@dataclass(frozen=True)
class _Baseline:
    """What the baseline says, normalised, for comparison word for word."""

    statements: frozenset[str]
    sections: frozenset[str]
    labels: frozenset[str]
    mentioned: frozenset[str]
    zeros: int
    markers: bool

    @classmethod
    @lru_cache(maxsize=BASELINES_KEPT)
    def of(cls, text: str) -> _Baseline:
        statements: set[str] = set()
        labels: set[str] = set()
        zeros = 0
        for line in text.split("\n"):
            bare, problem = without_comment(line)
            if problem:
                continue
            rest, found = take_labels(bare)
            labels.update(found)
            statement = normalised(rest)
            if statement.startswith(".zero "):
                zeros += int(statement[6:]) if statement[6:].isdecimal() else 0
            statements.add(statement)
        defining = (one for one in statements if one.startswith((".comm ", ".set ")))
        labels.update(one.split(" ", 1)[1].split(",", 1)[0] for one in defining)
        words = (re.findall(SYMBOL, STRINGS.sub("", one)) for one in statements)
        sections = (SECTION.match(one[9:]) for one in statements if one.startswith(".section "))
        return cls(
            statements=frozenset(statements),
            sections=frozenset(one.group(2) for one in sections if one is not None),
            labels=frozenset(labels),
            mentioned=frozenset(word for found in words for word in found),
            zeros=zeros,
            markers="#APP" in text,
        )


@dataclass
class _Gate:
    """One reading of one candidate; keeps the section it is in and what was counted so far."""

    baseline: _Baseline
    in_text: bool = True
    zeros: int = 0
    tls_padding: bool = False
    labels: Counter[str] = field(default_factory=Counter)

    def check(self, text: str, baseline_size: int) -> Iterator[Finding]:
        # Units of megabytes exist; a rewrite is held to a small multiple of what it replaces.
        size_limit = max(MAX_TEXT, 4 * baseline_size)
        if len(text) > size_limit:
            yield Finding("too-large", 0, f"more than {size_limit} characters")
            return
        lines = text.split("\n")
        if len(lines) > max(MAX_LINES, baseline_size // 2):
            yield Finding("too-large", 0, f"{len(lines)} lines")
            return
        for number, line in enumerate(lines, 1):
            for rule, detail in self._line(number, line):
                yield Finding(rule, number, detail[:120])

    def _line(self, number: int, line: str) -> Iterator[tuple[str, str]]:
        if not line:
            return
        odd = re.search(r"[^\t\x20-\x7e]", line)
        if odd is not None:
            yield "character", f"U+{ord(odd.group()):04X}"
            return
        if len(line) > MAX_LINE:
            yield "too-large", f"a line of {len(line)} characters"
            return
        stripped = line.strip()
        if stripped.startswith("#"):
            yield from self._comment_line(number, stripped)
            return
        bare, problem = without_comment(line)
        if problem:
            yield problem, stripped
            return
        plain = STRINGS.sub('""', bare)
        rest, labels = take_labels(bare)
        for label in labels:
            yield from self._label(label)
        statement = normalised(rest)
        if not statement:
            return
        if self.tls_padding and statement != "rex64":
            yield "data-in-text", ".value 0x6666"
        self.tls_padding = statement == TLS_PADDING and self.in_text
        if ";" in plain:
            yield from self._joined(statement)
        elif "=" in plain:
            yield "assignment", statement
        elif statement.startswith("."):
            yield from self._directive(statement)
        else:
            yield from self._instruction(statement)

    def _comment_line(self, number: int, line: str) -> Iterator[tuple[str, str]]:
        word = line[1:].strip()
        if line.startswith(("#APP", "#NO_APP")):
            # At the start of a file these switch off how the assembler reads comments.
            if number == 1 or not self.baseline.markers:
                yield "marker", line
        elif (
            word[:1].isdigit()
            and ('"' in word or ";" in word)
            and LINE_MARKER.fullmatch(line) is None
        ):
            yield "marker", line

    def _label(self, label: str) -> Iterator[tuple[str, str]]:
        if label[0].isdigit():
            return
        self.labels[label] += 1
        if self.labels[label] > 1:
            yield "duplicate-label", label
        if label in self.baseline.mentioned and label not in self.baseline.labels:
            yield "shadows-import", label

    def _joined(self, statement: str) -> Iterator[tuple[str, str]]:
        # Inline assembly such as "lock; xaddl" may stay, as long as it is instructions only.
        parts = [part.strip() for part in statement.split(";")]
        if statement not in self.baseline.statements or any(p.startswith(".") for p in parts):
            yield "separator", statement
            return
        for part in parts:
            if part in PREFIXES:
                continue
            yield from self._instruction(part)

    def _instruction(self, statement: str) -> Iterator[tuple[str, str]]:
        if not self.in_text:
            yield "section", f"instruction outside a text section: {statement}"
        words = statement.split(" ")
        count = 0
        while count < len(words) and words[count] in PREFIXES:
            count += 1
        if count > MAX_PREFIXES:
            yield "too-large", f"{count} prefixes"
            return
        if count == len(words):
            if count == 0 or words[-1] not in ("rex64", "lock", "rep", "repz", "repnz", "data16"):
                yield "syntax", statement
            return
        operands = " ".join(words[count + 1 :])
        if (
            MNEMONIC.fullmatch(words[count]) is None
            or OPERANDS.fullmatch(operands) is None
            # "x y: ..." is no label to us and must not become one to the assembler.
            or re.search(r"(?<!%[c-g]s):", operands) is not None
        ):
            yield "syntax", statement

    def _directive(self, statement: str) -> Iterator[tuple[str, str]]:
        word, _, operands = statement.partition(" ")
        if word in DATA_WORDS and self.in_text:
            if statement != TLS_PADDING:
                yield "data-in-text", statement
        elif word == ".section":
            yield from self._section(statement, operands)
        elif word in (".p2align", ".align", ".balign"):
            yield from self._align(statement, word, operands)
        elif word == ".zero":
            yield from self._zero(statement, operands)
        elif word in ALLOWED and ALLOWED[word].fullmatch(operands) is not None:
            if word in (".text", ".data", ".bss"):
                self.in_text = word == ".text"
        elif word in VERBATIM:
            if statement not in self.baseline.statements and not self._realigned(statement):
                yield "not-in-baseline", statement
        elif word in ALLOWED:
            yield "directive-form", statement
        else:
            yield "directive", statement

    def _realigned(self, statement: str) -> bool:
        """A .comm of the baseline with another alignment: compilers differ in that alone."""
        head, _, alignment = statement.rpartition(",")
        sizes = {one.rpartition(",")[0] for one in self.baseline.statements if "," in one}
        return (
            statement.startswith(".comm ")
            and head.count(",") == 1
            and head in sizes
            and alignment in ("1", "2", "4", "8", "16", "32", "64")
        )

    def _section(self, statement: str, operands: str) -> Iterator[tuple[str, str]]:
        match = SECTION.fullmatch(operands)
        if match is None:
            yield "section", statement
            return
        _, name, flags, suffix = match.groups()
        self.in_text = name.startswith(".text")
        plain = f"{name},{flags}{suffix}" if flags is not None else name
        if (
            plain == STACK_NOTE
            or f".section {plain}" in self.baseline.statements
            or (flags is None and name in self.baseline.sections)
        ):
            return
        own = FUNCTION_SECTION.fullmatch(name)
        if own is not None and own.group(2).split(".")[0] in self.baseline.labels:
            name = own.group(1)
        for names, allowed in FREE_SECTIONS:
            if names.fullmatch(name) is not None:
                if flags is None:
                    return
                if flags in allowed and FREE_SUFFIX.fullmatch(suffix) is not None:
                    return
        yield "section", statement

    def _align(self, statement: str, word: str, operands: str) -> Iterator[tuple[str, str]]:
        if statement in self.baseline.statements:
            return
        match = ALIGN.fullmatch(operands)
        limit = MAX_ALIGN_POWER if word == ".p2align" else 1 << MAX_ALIGN_POWER
        if match is None or int(match.group(1)) > limit:
            yield "alignment", statement
            return
        fill = match.group(2)
        # clang spells the no-operation fill of code and the zero fill of data out.
        if fill and (fill in CODE_FILL) is not self.in_text:
            yield "alignment", statement

    def _zero(self, statement: str, operands: str) -> Iterator[tuple[str, str]]:
        if not operands.isdecimal() or len(operands) > 12:
            yield "directive-form", statement
            return
        self.zeros += int(operands)
        if self.zeros > MAX_ZEROS + self.baseline.zeros:
            yield "zero-fill", statement
