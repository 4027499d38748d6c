"""gcc's assembly of a function with the lines of C that it comes from.

The program's link is found again, the unit compiled anew as it was, with line numbers: they change
nothing of the code. Where that can't be done there are no lines, and nobody is told.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gccllm.asm.normalise import function_text, same_code
from gccllm.asm.unit import Unit, parse
from gccllm.errors import GccllmError
from gccllm.links import find_link
from gccllm.program import Program
from gccllm.recompile import recompile
from gccllm.toolchain import Toolchain

__all__ = ["with_lines", "with_source"]

_LOC = re.compile(r"\s*\.loc\s+(\d+)\s+(\d+)")
_FILE = re.compile(r'\s*\.file\s+(\d+)\s+(?:"([^"]*)"\s+)?"([^"]*)"')
_LABEL = re.compile(r"(?:\.L\d+|[A-Za-z_][\w.$]*):")


def with_source(program: Path, unit: str, baseline: str, function: str) -> list[str] | None:
    """The function as ``baseline`` has it, with its C lines ("  12 | text") in between.

    None where the link, the source or that very code is not to be had.
    """
    link = find_link(program)
    if link is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="gccllm-explain-") as name:
            scratch = Path(name)
            toolchain = Toolchain(link.environment.get("COLLECT_GCC"))
            linked = Program(toolchain, link.argv, Path(link.directory), scratch)
            frame = linked.units.get(unit)
            if frame is None or not same_code(frame.assembly, baseline):
                return None
            _, spec = recompile(linked, unit, scratch, lambda text: None)
            out = scratch / "lines.s"
            if (
                spec is None
                or not toolchain.emit(spec.preprocessed, [*spec.options, "-g1"], out).ok
            ):
                return None
            text = out.read_text(errors="surrogateescape")
            return with_lines(parse(text), function, Path(frame.directory))
    except (GccllmError, OSError):
        return None


def with_lines(unit: Unit, function: str, directory: Path) -> list[str] | None:
    """From a unit with line numbers: its code as :func:`function_text` has it, and C lines between.
    ``directory``: that its files' names count from. None for a unit without the function."""
    if function not in unit.functions:
        return None
    code = function_text(unit, function).splitlines()
    files = {
        int(found[1]): directory / (found[2] or "") / found[3]
        for line in unit.lines
        if (found := _FILE.match(line))
    }
    texts: dict[int, Sequence[str]] = {}
    shown: list[str] = []
    wanted = last = (0, 0)
    at = 0
    for part in unit.functions[function].ranges:
        for line in unit.lines[part.start : part.stop]:
            location = _LOC.match(line)
            if location:
                wanted = int(location[1]), int(location[2])
            elif at < len(code) and _same_line(line, code[at]):
                if wanted != last and not code[at].endswith(":"):
                    shown += _source_line(files, texts, *wanted)
                    last = wanted
                shown.append(code[at])
                at += 1
    return shown if at == len(code) else [*shown, *code[at:]]


def _same_line(raw: str, code: str) -> bool:
    """Whether a line of the unit is the next one that is left of it, labels numbered anew."""
    if code.endswith(":"):
        return _LABEL.fullmatch(raw.strip()) is not None
    return raw.split()[:1] == code.split()[:1]


def _source_line(
    files: dict[int, Path], texts: dict[int, Sequence[str]], number: int, line: int
) -> list[str]:
    """The line as it is shown; none for a line that is not there (of a macro's file, say)."""
    if number not in texts:
        try:
            texts[number] = files[number].read_text(errors="replace").splitlines()
        except (KeyError, OSError):
            texts[number] = ()
    if not 0 < line <= len(texts[number]):
        return []
    return [f"{line:4} | {texts[number][line - 1].strip()}"]
