"""The compile step with recordings: the unit goes along in its own object, for the link step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from gccllm.asm.carry import SECTION, Frame, encode
from gccllm.replacing import replace_bytes
from gccllm.toolchain import OPTIONS_WITH_VALUE, assembler_options, collect_options

__all__ = ["carry_unit", "frame_of", "main_input"]

# cc1 has options of its own whose value stands apart and may look like an input file.
_TAKES_VALUE = OPTIONS_WITH_VALUE | frozenset(
    "-imultiarch -MD -MMD -auxbase -auxbase-strip".split()
)


def main_input(command: Sequence[str]) -> str:
    """The input file of a cc1 command line, "" for stdin or when there is none."""
    skip = False
    for argument in command[1:]:
        if skip or argument.startswith("-"):
            skip = not skip and argument in _TAKES_VALUE
            continue
        return argument
    return ""


def carry_unit(out: str, tests: str, command: Sequence[str]) -> None:
    """Append the unit in ``out`` to itself, as a section that the linker leaves out.

    ``tests`` is the folder of recordings that was announced, or "". Raises NotReplaceable.
    """
    content = Path(out).read_bytes()
    text = content.decode("utf-8", "surrogateescape")
    if SECTION in text:
        return
    frame = frame_of(text, tests, command)
    separator = "" if text.endswith("\n") else "\n"
    section = (separator + encode(frame)).encode("utf-8", "surrogateescape")
    replace_bytes(out, content + section)


def frame_of(text: str, tests: str, command: Sequence[str]) -> Frame:
    """What there is to know of the unit with that assembly, from its cc1's command line."""
    source = main_input(command)
    path = Path(source).absolute() if source else None
    digest = ""
    if path is not None and path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    named = next((command[i + 1] for i, x in enumerate(command[:-1]) if x == "-dumpbase"), source)
    options = (
        *collect_options(os.environ),
        *(f"-Wa,{x}" for x in assembler_options(os.environ)),
    )
    return Frame(
        unit=Path(named).stem or "stdin",
        assembly=text,
        source=str(path) if path is not None and digest else "",
        source_sha256=digest,
        directory=str(Path.cwd()),
        options=options,
        tests=str(Path(tests).absolute()) if tests else "",
        compiler=command[0],
    )
