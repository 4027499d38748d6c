"""Compile and link a program as gcc-llm does: its object carries the assembly it was made of."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from gccllm import process
from gccllm.asm.carry import Frame, encode
from gccllm.errors import ToolchainError
from gccllm.program import Program
from gccllm.toolchain import Toolchain
from trainer.corpus.programs import JudgedProgram

__all__ = ["link_program"]

BUILD_SECONDS = 60.0


def link_program(tools: Toolchain, program: JudgedProgram, scratch: Path) -> Program:
    """The program at its link, in ``scratch``; its executable lies at ``output``. One unit, named
    as the program is. Raises ToolchainError."""
    source = scratch / program.source.name
    shutil.copyfile(program.source, source)
    plain, assembly = source.with_suffix(".o"), source.with_suffix(".s")
    _run(tools, [*program.options, "-w", "-S", str(source), "-o", str(assembly)], scratch)
    text = assembly.read_text()
    frame = Frame(
        unit=program.name,
        assembly=text,
        source=str(source),
        source_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        directory=str(scratch),
        options=program.options,
        tests=str(program.tests),
        compiler=tools.identity.version,
    )
    assembly.write_text(text + encode(frame))
    _run(tools, ["-c", str(assembly), "-o", str(plain)], scratch)
    link = [*program.options, str(plain), *program.libraries, "-o", str(scratch / "program")]
    _run(tools, link, scratch)
    shown = _run(tools, ["-###", *link], scratch).stderr.decode("utf-8", "replace")
    commands = [shlex.split(x) for x in shown.splitlines() if x.startswith(" ")]
    collect2 = next((x for x in commands if Path(x[0]).name == "collect2"), None)
    if collect2 is None:
        raise ToolchainError(f"{tools.cc} -### shows no collect2")
    return Program(tools, collect2[1:], scratch, scratch)


def _run(tools: Toolchain, arguments: Sequence[str], directory: Path) -> process.Completed:
    done = process.run([tools.cc, *arguments], timeout=BUILD_SECONDS, cwd=directory)
    if not done.ok:
        raise ToolchainError(f"{tools.cc} {arguments[0]}: {done.error_line()}")
    return done
