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

from gccllm.judge.finding import Finding

__all__ = ["Finding", "check_text"]

MAX_TEXT = 1 << 20
MAX_LINES = 60_000
MAX_LINE = 4_096
MAX_PREFIXES = 4
MAX_ZEROS = 1 << 20
MAX_FINDINGS = 50
MAX_ALIGN_POWER = 6

_SYMBOL = r"[A-Za-z_.][\w.$]*"
_STRING = r'"(?:[^"\\\n]|\\(?:[0-7]{1,3}|[btnfr"\\]))*"'
_LINE_MARKER = re.compile(r'# \d+ "[^"\\;]*"(?: \d)*[ \t]*')
_LABEL = re.compile(rf"(\d{{1,6}}|{_SYMBOL})[ \t]*:")
_WORD = re.compile(r"[^ \t]+")
_STRINGS = re.compile(_STRING)
_STOPS = re.compile(r"[\"#'/\\`]")
_SPACES = re.compile(r"[ \t]+")
_AROUND_COMMA = re.compile(r" ?, ?")

_RELOCATION = "|".join(
    ("plt", "gotpcrel", "gotpcrelx", "gottpoff", "tpoff", "tlsgd", "tlsld", "dtpoff", "gotoff")
)
_OPERANDS = re.compile(
    rf"""(?:
      %[c-g]s:                                  # a segment; the object gate says which
    | %[a-z][a-z0-9]*(?:\(\d\))?                # a register, also %st(1)
    | (?:[A-Za-z_][\w.$]*|\.[\w$][\w.$]*)(?:@(?:{_RELOCATION}))?
    | 0x[0-9a-f]+ | \d+[bf]?
    | \{{(?:%k[0-7]|z|1to\d{{1,2}}|r[nduz]-sae|sae)\}}
    | [-+*,()$\ ]
    )*""",
    re.VERBOSE | re.IGNORECASE,
)
_MNEMONIC = re.compile(r"[a-z][a-z0-9]{1,23}(?:,p[nt])?")
_PREFIXES = frozenset(
    "rep repe repz repne repnz lock notrack data16 rex64 cs bnd"
    " {evex} {vex} {vex2} {vex3} {disp8} {disp32} {load} {store}".split()
)

_NUMBER = r"-?(?:0x[0-9a-f]+|\d+)"
_TERM = rf"(?:0x[0-9a-fA-F]+|\d+[bf]?|{_SYMBOL}(?:@(?i:{_RELOCATION}))?)"
_EXPRESSION = rf"-?{_TERM}(?: ?[-+] ?{_TERM}){{0,3}}"
_FLOAT = r"-?\d{1,40}(?:\.\d{0,40})?(?:[eE][-+]?\d{1,4})?"
_REGISTER = r"(?:%[a-z][a-z0-9]{1,4}|\d{1,2})"
_BYTES = r"(?:0x[0-9a-f]{1,2}|\d{1,3})"

_DATA = dict.fromkeys(
    (
        ".byte .2byte .value .short .word .4byte .long .int .8byte .quad .octa .uleb128 .sleb128"
    ).split(),
    rf"{_EXPRESSION}(?:,{_EXPRESSION})*",
)
_FLOATS = dict.fromkeys((".float", ".single", ".double"), rf"{_FLOAT}(?:,{_FLOAT})*")
_TEXT_DATA = dict.fromkeys((".string", ".ascii", ".asciz"), rf"{_STRING}(?:,{_STRING})*")
_PLAIN: dict[str, str] = {
    ".text": "",
    ".data": "",
    ".bss": "",
    ".ident": _STRING,
    ".file": rf"(?:\d{{1,5}} )?{_STRING}(?: {_STRING})?",
    ".loc": r"\d+ \d+(?: \d+)?(?: (?:basic_block|prologue_end|epilogue_begin"
    rf"|is_stmt [01]|discriminator \d+|view (?:-?\d+|{_SYMBOL})))*",
    ".local": _SYMBOL,
    ".size": rf"{_SYMBOL},{_EXPRESSION}",
    ".type": rf"{_SYMBOL},@(?:function|object)",
    ".cfi_startproc": "",
    ".cfi_endproc": "",
    ".cfi_remember_state": "",
    ".cfi_restore_state": "",
    ".cfi_def_cfa": rf"{_REGISTER},{_NUMBER}",
    ".cfi_def_cfa_offset": _NUMBER,
    ".cfi_def_cfa_register": _REGISTER,
    ".cfi_adjust_cfa_offset": _NUMBER,
    ".cfi_offset": rf"{_REGISTER},{_NUMBER}",
    ".cfi_rel_offset": rf"{_REGISTER},{_NUMBER}",
    ".cfi_restore": _REGISTER,
    ".cfi_undefined": _REGISTER,
    ".cfi_same_value": _REGISTER,
    # gcc writes DW_CFA_def_cfa_expression, _expression and _GNU_args_size this way.
    ".cfi_escape": rf"(?:0x0?f|0x10|0x2e)(?:,{_BYTES}){{1,24}}",
    **_DATA,
    **_FLOATS,
    **_TEXT_DATA,
}
_ALLOWED = {word: re.compile(pattern) for word, pattern in _PLAIN.items()}
_DATA_WORDS = frozenset((*_DATA, *_FLOATS, *_TEXT_DATA, ".zero"))
_VERBATIM = frozenset(
    ".globl .weak .comm .set .hidden .protected .internal .type .size .section .p2align .align"
    " .balign .zero .cfi_personality .cfi_lsda .cfi_sections".split()
)
_ALIGN = re.compile(r"(\d{1,3})(?:,(|0x90|144|0x0|0)(?:,(\d{1,3}))?)?")
_CODE_FILL = ("0x90", "144")
_SECTION = re.compile(r'("?)([\w.$-]+)\1(?:,("[a-zA-Z]*")((?:,[@\w.]+)*))?')
_TEXT_SECTION = re.compile(r"\.text(?:\.(?:unlikely|hot|startup))?")
_FUNCTION_SECTION = re.compile(r"(\.text(?:\.(?:unlikely|hot|startup))?)\.(\w[\w.$]*)")
_FREE_SECTIONS = (
    (_TEXT_SECTION, ('"ax"',)),
    (re.compile(r"\.rodata(?:\.[\w.$]+)?"), ('"a"', '"aM"', '"aMS"')),
    (re.compile(r"\.data\.rel\.ro(?:\.local)?"), ('"aw"',)),
)
_FREE_SUFFIX = re.compile(r"(?:,@progbits(?:,(?:1|2|4|8|16|32|64))?)?")
# gcc pads thread-local accesses like this, so that the linker may rewrite them; rex64 follows.
_TLS_PADDING = ".value 0x6666"
_STACK_NOTE = '.note.GNU-stack,"",@progbits'


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
    def of(cls, text: str) -> _Baseline:
        statements: set[str] = set()
        labels: set[str] = set()
        zeros = 0
        for line in text.split("\n"):
            bare, problem = _without_comment(line)
            if problem:
                continue
            rest, found = _take_labels(bare)
            labels.update(found)
            statement = _normalised(rest)
            if statement.startswith(".zero "):
                zeros += int(statement[6:]) if statement[6:].isdecimal() else 0
            statements.add(statement)
        defining = (one for one in statements if one.startswith((".comm ", ".set ")))
        labels.update(one.split(" ", 1)[1].split(",", 1)[0] for one in defining)
        words = (re.findall(_SYMBOL, _STRINGS.sub("", one)) for one in statements)
        sections = (_SECTION.match(one[9:]) for one in statements if one.startswith(".section "))
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
        if len(lines) > max(MAX_LINES, size_limit // 8):
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
        bare, problem = _without_comment(line)
        if problem:
            yield problem, stripped
            return
        plain = _STRINGS.sub('""', bare)
        rest, labels = _take_labels(bare)
        for label in labels:
            yield from self._label(label)
        statement = _normalised(rest)
        if not statement:
            return
        if self.tls_padding and statement != "rex64":
            yield "data-in-text", ".value 0x6666"
        self.tls_padding = statement == _TLS_PADDING and self.in_text
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
            and _LINE_MARKER.fullmatch(line) is None
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
            if part in _PREFIXES:
                continue
            yield from self._instruction(part)

    def _instruction(self, statement: str) -> Iterator[tuple[str, str]]:
        if not self.in_text:
            yield "section", f"instruction outside a text section: {statement}"
        words = statement.split(" ")
        count = 0
        while count < len(words) and words[count] in _PREFIXES:
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
            _MNEMONIC.fullmatch(words[count]) is None
            or _OPERANDS.fullmatch(operands) is None
            # "x y: ..." is no label to us and must not become one to the assembler.
            or re.search(r"(?<!%[c-g]s):", operands) is not None
        ):
            yield "syntax", statement

    def _directive(self, statement: str) -> Iterator[tuple[str, str]]:
        word, _, operands = statement.partition(" ")
        if word in _DATA_WORDS and self.in_text:
            if statement != _TLS_PADDING:
                yield "data-in-text", statement
        elif word == ".section":
            yield from self._section(statement, operands)
        elif word in (".p2align", ".align", ".balign"):
            yield from self._align(statement, word, operands)
        elif word == ".zero":
            yield from self._zero(statement, operands)
        elif word in _ALLOWED and _ALLOWED[word].fullmatch(operands) is not None:
            if word in (".text", ".data", ".bss"):
                self.in_text = word == ".text"
        elif word in _VERBATIM:
            if statement not in self.baseline.statements:
                yield "not-in-baseline", statement
        elif word in _ALLOWED:
            yield "directive-form", statement
        else:
            yield "directive", statement

    def _section(self, statement: str, operands: str) -> Iterator[tuple[str, str]]:
        match = _SECTION.fullmatch(operands)
        if match is None:
            yield "section", statement
            return
        _, name, flags, suffix = match.groups()
        self.in_text = name.startswith(".text")
        plain = f"{name},{flags}{suffix}" if flags is not None else name
        if (
            plain == _STACK_NOTE
            or f".section {plain}" in self.baseline.statements
            or (flags is None and name in self.baseline.sections)
        ):
            return
        own = _FUNCTION_SECTION.fullmatch(name)
        if own is not None and own.group(2).split(".")[0] in self.baseline.labels:
            name = own.group(1)
        for names, allowed in _FREE_SECTIONS:
            if names.fullmatch(name) is not None:
                if flags is None:
                    return
                if flags in allowed and _FREE_SUFFIX.fullmatch(suffix) is not None:
                    return
        yield "section", statement

    def _align(self, statement: str, word: str, operands: str) -> Iterator[tuple[str, str]]:
        if statement in self.baseline.statements:
            return
        match = _ALIGN.fullmatch(operands)
        limit = MAX_ALIGN_POWER if word == ".p2align" else 1 << MAX_ALIGN_POWER
        if match is None or int(match.group(1)) > limit:
            yield "alignment", statement
            return
        fill = match.group(2)
        # clang spells the no-operation fill of code and the zero fill of data out.
        if fill and (fill in _CODE_FILL) is not self.in_text:
            yield "alignment", statement

    def _zero(self, statement: str, operands: str) -> Iterator[tuple[str, str]]:
        if not operands.isdecimal() or len(operands) > 12:
            yield "directive-form", statement
            return
        self.zeros += int(operands)
        if self.zeros > MAX_ZEROS + self.baseline.zeros:
            yield "zero-fill", statement


def _without_comment(line: str) -> tuple[str, str]:
    """The line up to its comment, stripped, and the rule that it breaks (empty: none).

    A quote, slash or backslash outside strings changes how the assembler reads what follows.
    """
    position = 0
    while True:
        stop = _STOPS.search(line, position)
        if stop is None:
            return line.strip(), ""
        if stop.group() == "#":
            return line[: stop.start()].strip(), ""
        if stop.group() != '"':
            return "", "character"
        string = _STRINGS.match(line, stop.start())
        if string is None:
            return "", "string"
        position = string.end()


def _take_labels(bare: str) -> tuple[str, list[str]]:
    labels: list[str] = []
    while True:
        match = _LABEL.match(bare)
        if match is None:
            return bare, labels
        labels.append(match.group(1))
        bare = bare[match.end() :].lstrip()


def _normalised(bare: str) -> str:
    """One space between words, none around commas, strings left as they are."""
    pieces: list[str] = []
    position = 0
    for string in _STRINGS.finditer(bare):
        pieces.append(_squeezed(bare[position : string.start()]))
        pieces.append(string.group())
        position = string.end()
    pieces.append(_squeezed(bare[position:]))
    return "".join(pieces).strip()


def _squeezed(text: str) -> str:
    return _AROUND_COMMA.sub(",", _SPACES.sub(" ", text))
