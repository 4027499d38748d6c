"""Other compilers' assembly in the plain dialect that gcc writes without -g.

clang 19 and other option sets of gcc differ in comments, fill bytes, section notes, end labels and
the like; after :func:`canonical` none of that is left, and what the text means is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gccllm.asm.lines import SectionState, label_of, rename, split_statement, strip_comment

__all__ = ["as_donor", "canonical"]

_DROPPED = frozenset((".ident", ".file", ".loc", ".addrsig", ".addrsig_sym", ".cfi_sections"))
_DROPPED_SECTION = re.compile(
    r"\.(?:z?debug_|note\.(?!GNU-stack$)|llvm|comment$|gnu\.debuglto_|deplibs|stack_sizes)"
)
_ALIGN = re.compile(r"(\s*\.(?:p2align|balign|align))\s+(\d+)(?:\s*,\s*(\w*))?(?:\s*,\s*(\d+))?$")
_SIZE = re.compile(r"\s*\.size\s+([^,\s]+)\s*,\s*(\.L\w+)-(\S+)$")
_TYPE = re.compile(r"\s*\.type\s+([^,\s]+)\s*,\s*[@%](\w+)$")
_LCOMM = re.compile(r"\s*\.lcomm\s+([^,\s]+)\s*,\s*(\d+)(?:\s*,\s*(\d+))?$")
_FILLED = re.compile(r"\s*\.zero\s+(\d{1,4})\s*,\s*(-?\w+)$")
_SET = re.compile(r"\s*(?:\.(?:set|equ|equiv)\s+(\.L[^,\s]+)\s*,|(\.L[\w.$]+)\s*=)\s*(.+)$")
_TARGET = re.compile(r"([A-Za-z_.$][\w.$]*)((?:\s*[-+]\s*\d+)*)$")
_VISIBILITY = re.compile(r"\s*\.(?:hidden|internal|protected)\s")
_COMMON = re.compile(r"\s*\.comm\s+([^,\s]+)\s*,\s*(\d+)")
_LOCAL = re.compile(r"\s*\.local\s+(\S+)")
_REPEATED = re.compile(r"(\s*rep\w*);\s*(\w)")
_TEXT = re.compile(r'(\s*)\.(ascii|asciz|string)\s+"((?:[^"\\]|\\.)*)"$')
_CHARACTER = re.compile(r"\\[0-7]{1,3}|\\.|[^\\]")
MOST_CHARACTERS = 256
"""of a string, in one line"""
_MARKER = re.compile(r"\s*#(?:NO_)?APP\b")


def canonical(text: str) -> str:
    """The same assembly without debug information, comments and clang's own directives.

    Local symbols set to ``symbol±number`` are replaced by that; other assignments stay. ``#APP``
    lines stay too, for they mark code that no compiler vouches for.
    """
    lines = list(_plain_lines(text))
    aliases = _aliases(lines)
    out: list[str] = []
    for line in lines:
        found = _SET.match(line)
        if found and (found.group(1) or found.group(2)) in aliases:
            continue
        out.append(rename(line, aliases) if aliases and ".L" in line else line)
    used = {token for line in out if label_of(line) is None for token in _end_labels(line)}
    kept = [x for x in out if not x.startswith(".Lfunc_end") or (label_of(x) or "") in used]
    return "\n".join(kept) + "\n"


def as_donor(text: str, baseline: str) -> str:
    """Canonical ``text`` without what functions that go into ``baseline`` have no use for.

    How visible a symbol is says the baseline; clang says it of other units' symbols too, and has no
    word for ``.internal``. Zeroed variables that the baseline does not have, or has in another size
    (parts of a structure that clang takes apart, flags that it makes bytes of) can not be put in:
    what needs one then lacks a symbol, and does not hold up the others.
    """
    lines = text.split("\n")
    known = {x.group(1, 2) for x in map(_COMMON.match, baseline.split("\n")) if x}
    sizes = {x.group(1, 2) for x in map(_COMMON.match, lines) if x}
    gone = {name for name, _ in sizes - known}

    def stays(line: str) -> bool:
        found = _COMMON.match(line) or _LOCAL.match(line)
        return _VISIBILITY.match(line) is None and (found is None or found.group(1) not in gone)

    return "\n".join(filter(stays, lines))


def _end_labels(line: str) -> list[str]:
    return re.findall(r"\.Lfunc_end\w*", line) if ".Lfunc_end" in line else []


def _plain_lines(text: str) -> Iterator[str]:
    state = SectionState()
    for raw in text.split("\n"):
        if _MARKER.match(raw):
            yield raw.strip()
            continue
        line = strip_comment(raw)
        if not line.strip():
            continue
        head, operands = split_statement(line)
        word = head.strip()
        label = label_of(line)
        if label is None and state.feed(word, operands):
            if not _DROPPED_SECTION.match(state.name):
                yield _section(word, operands)
            continue
        if _DROPPED_SECTION.match(state.name):
            continue
        if label is not None:
            yield f"{label}:"
            rest = line[line.index(":", line.index(label) + len(label)) + 1 :].strip()
            if rest:
                yield from _statement("\t" + rest)
            continue
        yield from _statement(line)


def _section(word: str, operands: str) -> str:
    if word in (".section", ".pushsection"):
        return f"\t{word}\t" + re.sub(r'^"([\w.-]+)"', r"\1", operands.strip())
    return f"\t{word}"


def _statement(line: str) -> Iterator[str]:
    """One statement in gcc's way of writing it; none for what only tools read."""
    word = split_statement(line)[0].strip()
    if word in _DROPPED or word.startswith(".cv_"):
        return
    if found := _ALIGN.match(line):
        limit = f",,{found.group(4)}" if found.group(4) else ""
        yield f"{found.group(1)} {found.group(2)}{limit}"
    elif found := _SIZE.match(line):
        same = found.group(1) == found.group(3) and found.group(2).startswith(".Lfunc_end")
        yield f"\t.size\t{found.group(1)}, .-{found.group(3)}" if same else line
    elif found := _TYPE.match(line):
        yield f"\t.type\t{found.group(1)}, @{found.group(2)}"
    elif (found := _FILLED.match(line)) and int(found.group(1)) > 0:
        yield "\t.byte\t" + ",".join([found.group(2)] * int(found.group(1)))
    elif found := _REPEATED.match(line):
        yield f"{found.group(1)} {line[found.start(2) :]}"
    elif len(line) > MOST_CHARACTERS and (found := _TEXT.match(line)):
        yield from _in_pieces(*found.groups())
    elif found := _LCOMM.match(line):
        yield f"\t.local\t{found.group(1)}"
        yield f"\t.comm\t{found.group(1)},{found.group(2)},{found.group(3) or 1}"
    else:
        yield line


def _in_pieces(blank: str, word: str, text: str) -> Iterator[str]:
    """A long string in several lines, cut between its characters."""
    characters = _CHARACTER.findall(text)
    starts = range(0, len(characters), MOST_CHARACTERS)
    for start in starts:
        last = start == starts[-1]
        piece = "".join(characters[start : start + MOST_CHARACTERS])
        yield f'{blank}.{word if last else "ascii"}\t"{piece}"'


def _aliases(lines: list[str]) -> dict[str, str]:
    """Local symbols that are set to a symbol and an offset, chains followed."""
    direct: dict[str, str] = {}
    for line in lines:
        found = _SET.match(line)
        if found and _TARGET.match(found.group(3).strip()):
            direct[found.group(1) or found.group(2)] = found.group(3).replace(" ", "")
    resolved: dict[str, str] = {}
    for name in direct:
        value, steps = direct[name], 0
        while steps < len(direct):
            target = _TARGET.match(value)
            if target is None or target.group(1) not in direct:
                break
            value = direct[target.group(1)] + target.group(2)
            steps += 1
        resolved[name] = value
    return resolved
