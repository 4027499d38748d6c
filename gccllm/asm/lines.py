"""Lines of GNU as text (x86-64 ELF, AT&T syntax): what each one is and which symbols it names.

Everything here looks at one line at a time and knows nothing of units. The text may hold any
bytes (decoded with surrogateescape); nothing here raises for odd text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum

__all__ = [
    "Line",
    "SectionState",
    "classify",
    "label_of",
    "rename",
    "split_statement",
    "strip_comment",
    "symbols_of",
]


class Line(str, Enum):
    """What a line is. APP marks everything between ``#APP`` and ``#NO_APP``, both included."""

    BLANK = "blank"
    COMMENT = "comment"
    LABEL = "label"
    DIRECTIVE = "directive"
    INSTRUCTION = "instruction"
    APP = "app"


_LABEL = re.compile(r'\s*("[^"]+"|[A-Za-z_.$][\w.$]*|\d+):')
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_.$][\w.$]*\s*=")
# Decorations of operands ({z}, {%k1}, {rn-sae}, {1to8}) hold no symbols.
_TOKEN = re.compile(r'\{[^}]*\}|"(?:[^"\\]|\\.)*"?|%\w+|@[A-Za-z_]\w*|\d\w*|[A-Za-z_.][\w.$]*')
_STATEMENT = re.compile(
    r"(\s*(?:(?:rep|repe|repz|repne|repnz|lock|notrack|bnd|data16|cs|ds|\{\w+\})\s+)*"
    r"[^\s#]+\s*)([^\n]*)"
)


def classify(line: str) -> Line:
    """The kind of a line that stands outside an APP block."""
    text = line.lstrip()
    if not text:
        return Line.BLANK
    first = text[0]
    if first == "#":
        return Line.COMMENT
    if ":" in text and _LABEL.match(text):
        return Line.LABEL
    if first == "." or ("=" in text and _ASSIGNMENT.match(text)):
        return Line.DIRECTIVE
    return Line.INSTRUCTION


def label_of(line: str) -> str | None:
    """The name that a line defines as a label, or None."""
    found = _LABEL.match(line)
    return found.group(1) if found else None


def strip_comment(line: str) -> str:
    """The line without its ``#`` comment and trailing blanks; a ``#`` in a string stays."""
    if "#" not in line:
        return line.rstrip()
    quoted = False
    index = 0
    while index < len(line):
        char = line[index]
        if quoted and char == "\\":
            index += 1
        elif char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            return line[:index].rstrip()
        index += 1
    return line.rstrip()


def split_statement(line: str) -> tuple[str, str]:
    """(prefixes and mnemonic or directive with the blanks around, operands without comment)."""
    found = _STATEMENT.match(strip_comment(line))
    return (found.group(1), found.group(2)) if found else (line, "")


def symbols_of(operands: str) -> Iterator[tuple[str, str]]:
    """Pairs (symbol, relocation suffix such as ``@PLT`` or ""), registers and numbers left out."""
    pending = ""
    for found in _TOKEN.finditer(operands):
        token = found.group()
        first = token[0]
        if first == "@":
            if pending:
                yield pending, token
                pending = ""
            continue
        if pending:
            yield pending, ""
            pending = ""
        if first not in '"%{' and not first.isdigit() and token != ".":
            pending = token
    if pending:
        yield pending, ""


def rename(line: str, mapping: Mapping[str, str] | Callable[[str], str]) -> str:
    """The line with every symbol put through ``mapping``; comments go, all else stays."""
    get: Callable[[str], str]
    if callable(mapping):
        get = mapping
    else:
        table = mapping

        def get(name: str) -> str:
            return table.get(name, name)

    def replace(found: re.Match[str]) -> str:
        token = found.group()
        return token if token[0] in '"%@{0123456789' or token == "." else get(token)

    label = _LABEL.match(line)
    if label is not None:
        rest = line[label.end() :]
        return f"{get(label.group(1))}:" + (rename(rest, get) if rest.strip() else "")
    head, operands = split_statement(line)
    return (head + _TOKEN.sub(replace, operands)).rstrip()


class SectionState:
    """The section that as is in, as .section, .pushsection, .previous and the rest move it.

    ``name`` is the section's name without quotes, ``directive`` the text that leads back to it.
    """

    def __init__(self) -> None:
        self.name = ".text"
        self.directive = "\t.text"
        self._previous = (self.name, self.directive)
        self._stack: list[tuple[tuple[str, str], tuple[str, str]]] = []

    def feed(self, word: str, operands: str) -> bool:
        """Take one directive; True when it is one that changes the section."""
        here = (self.name, self.directive)
        if word in (".section", ".pushsection"):
            if word == ".pushsection":
                self._stack.append((here, self._previous))
            name = operands.split(",", 1)[0].strip().strip('"')
            self._enter((name, f"\t.section\t{operands.strip()}"), here)
        elif word in (".text", ".data", ".bss"):
            self._enter((word, f"\t{word}"), here)
        elif word == ".popsection":
            if self._stack:
                target, self._previous = self._stack.pop()
                self.name, self.directive = target
        elif word == ".previous":
            self._enter(self._previous, here)
        else:
            return False
        return True

    def _enter(self, target: tuple[str, str], here: tuple[str, str]) -> None:
        self._previous = here
        self.name, self.directive = target
