"""The assembly that gcc writes, as patterns, and how its lines are taken apart.

Operands are matched after :func:`normalised`: one space between words, none around commas. The
directives are those of gcc 12 and clang 19 for C on x86-64 (GNU as manual, chapter 7).
"""

from __future__ import annotations

import re

__all__ = [
    "ALIGN",
    "ALLOWED",
    "CODE_FILL",
    "DATA_WORDS",
    "FREE_SECTIONS",
    "FREE_SUFFIX",
    "FUNCTION_SECTION",
    "LABEL",
    "LINE_MARKER",
    "MNEMONIC",
    "OPERANDS",
    "PREFIXES",
    "SECTION",
    "STACK_NOTE",
    "STRINGS",
    "SYMBOL",
    "TLS_PADDING",
    "VERBATIM",
    "normalised",
    "take_labels",
    "without_comment",
]

SYMBOL = r"[A-Za-z_.][\w.$]*"
# Patterns with one way only to match a text: a hostile line must not make them try many.
_STRING = r'"(?:[^"\\\n]|\\[0-7btnfr"\\])*"'
LINE_MARKER = re.compile(r'# \d+ "[^"\\;]*"(?: \d)*[ \t]*')
LABEL = re.compile(rf"(\d{{1,6}}|{SYMBOL})[ \t]*:")
STRINGS = re.compile(_STRING)
_STOPS = re.compile(r"[\"#'/\\`]")
_SPACES = re.compile(r"[ \t]+")
_AROUND_COMMA = re.compile(r" ?, ?")

_RELOCATION = "|".join(
    ("plt", "gotpcrel", "gotpcrelx", "gottpoff", "tpoff", "tlsgd", "tlsld", "dtpoff", "gotoff")
)
OPERANDS = re.compile(
    rf"""(?:
      %[c-g]s:                                  # a segment; the object gate says which
    | %[a-z][a-z0-9]*(?:\(\d\))?(?![\w.$@])     # a register, also %st(1)
    | (?:[A-Za-z_][\w.$]*|\.[\w$][\w.$]*)(?:@(?:{_RELOCATION}))?(?![\w.$@])
    | (?:0x[0-9a-f]+|\d+[bf]?)(?![\w.$@])
    | \{{(?:%k[0-7]|z|1to\d{{1,2}}|r[nduz]-sae|sae)\}}
    | [-+*,()$\ ]
    )*""",
    re.VERBOSE | re.IGNORECASE,
)
MNEMONIC = re.compile(r"[a-z][a-z0-9]{1,23}(?:,p[nt])?")
PREFIXES = frozenset(
    "rep repe repz repne repnz lock notrack data16 rex64 cs bnd"
    " {evex} {vex} {vex2} {vex3} {disp8} {disp32} {load} {store}".split()
)

_NUMBER = r"-?(?:0x[0-9a-f]+|\d+)"
_TERM = rf"(?:0x[0-9a-fA-F]+|\d+[bf]?|{SYMBOL}(?:@(?i:{_RELOCATION}))?)"
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
    rf"|is_stmt [01]|discriminator \d+|view (?:-?\d+|{SYMBOL})))*",
    ".local": SYMBOL,
    ".size": rf"{SYMBOL},{_EXPRESSION}",
    ".type": rf"{SYMBOL},@(?:function|object)",
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
ALLOWED = {word: re.compile(pattern) for word, pattern in _PLAIN.items()}
DATA_WORDS = frozenset((*_DATA, *_FLOATS, *_TEXT_DATA, ".zero"))
VERBATIM = frozenset(
    ".globl .weak .comm .set .hidden .protected .internal .type .size .section .p2align .align"
    " .balign .zero .cfi_personality .cfi_lsda .cfi_sections".split()
)
ALIGN = re.compile(r"(\d{1,3})(?:,(|0x90|144|0x0|0)(?:,(\d{1,3}))?)?")
CODE_FILL = ("0x90", "144")
SECTION = re.compile(r'("?)([\w.$-]+)\1(?:,("[a-zA-Z]*")((?:,[@\w.]+)*))?')
_TEXT_SECTION = re.compile(r"\.text(?:\.(?:unlikely|hot|startup))?")
FUNCTION_SECTION = re.compile(r"(\.text(?:\.(?:unlikely|hot|startup))?)\.(\w[\w.$]*)")
FREE_SECTIONS = (
    (_TEXT_SECTION, ('"ax"',)),
    (re.compile(r"\.rodata(?:\.[\w.$]+)?"), ('"a"', '"aM"', '"aMS"')),
    (re.compile(r"\.data\.rel\.ro(?:\.local)?"), ('"aw"',)),
)
FREE_SUFFIX = re.compile(r"(?:,@progbits(?:,(?:1|2|4|8|16|32|64))?)?")
# gcc pads thread-local accesses like this, so that the linker may rewrite them; rex64 follows.
TLS_PADDING = ".value 0x6666"
STACK_NOTE = '.note.GNU-stack,"",@progbits'


def without_comment(line: str) -> tuple[str, str]:
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
        string = STRINGS.match(line, stop.start())
        if string is None:
            return "", "string"
        position = string.end()


def take_labels(bare: str) -> tuple[str, list[str]]:
    labels: list[str] = []
    while True:
        match = LABEL.match(bare)
        if match is None:
            return bare, labels
        labels.append(match.group(1))
        bare = bare[match.end() :].lstrip()


def normalised(bare: str) -> str:
    """One space between words, none around commas, strings left as they are."""
    pieces: list[str] = []
    position = 0
    for string in STRINGS.finditer(bare):
        pieces.append(_squeezed(bare[position : string.start()]))
        pieces.append(string.group())
        position = string.end()
    pieces.append(_squeezed(bare[position:]))
    return "".join(pieces).strip()


def _squeezed(text: str) -> str:
    return _AROUND_COMMA.sub(",", _SPACES.sub(" ", text))
