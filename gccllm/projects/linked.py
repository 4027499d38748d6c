"""A program after its build: its link found again, with the shared libraries that it uses.

A library's functions are judged inside the program: for that its objects are linked into it in the
library's place. What is accepted goes back into the library.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.carry import Frame
from gccllm.errors import ToolchainError, UsageError
from gccllm.judge.screen import check_executable
from gccllm.links import Link, find_link, find_links
from gccllm.program import Build, Program
from gccllm.replacing import NotReplaceable, replace_file
from gccllm.toolchain import Toolchain

__all__ = ["Linked", "open_linked"]

_KEPT = frozenset(("--whole-archive", "--no-whole-archive", "--start-group", "--end-group"))
_RUNTIME = frozenset(("-lgcc", "-lgcc_s", "-lc"))
_APART = frozenset(
    "-o -soname -h -m -z -T -u -e -init -fini -rpath -plugin -dynamic-linker".split()
)


@dataclass(frozen=True)
class _Part:
    """A file that the build made: gcc's own ``baseline`` of it, and how it is built again."""

    output: Path
    program: Program
    baseline: Path


@dataclass(frozen=True)
class Linked:
    """``program`` is what is judged, ``shipped`` gcc's own build of it."""

    program: Program
    shipped: Path
    parts: tuple[_Part, ...]
    scratch: Path

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that are replaced: the program's, then its libraries'."""
        return tuple(x.output for x in self.parts)

    def install(self, texts: Mapping[str, str]) -> None:
        """Put the program with these units, by their names in ``program``, in its place.

        No texts: gcc's own. Raises ToolchainError, and then nothing was replaced.
        """
        changed = {_identity(self.program.units[x]): text for x, text in texts.items()}
        built: list[tuple[_Part, Path]] = []
        for number, part in enumerate(self.parts):
            own = {
                name: changed[_identity(frame)]
                for name, frame in part.program.units.items()
                if _identity(frame) in changed
            }
            out = part.program.build(own, self.scratch / f"installed-{number}")
            if not isinstance(out, Build):
                raise ToolchainError(f"{part.output}: {out.stage}: {out.detail}")
            findings = check_executable(out.executable, part.baseline)
            if findings:
                raise ToolchainError(f"{part.output}: {findings[0].rule}: {findings[0].detail}")
            built.append((part, out.executable))
        for part, executable in built:
            try:
                replace_file(str(part.output), str(executable))
            except NotReplaceable as error:
                raise ToolchainError(str(error)) from error


def _identity(frame: Frame) -> tuple[str, str]:
    text = frame.assembly.encode("utf-8", "surrogateescape")
    return frame.unit, hashlib.sha256(text).hexdigest()


def open_linked(path: Path, scratch: Path) -> Linked:
    """The program at ``path`` from the note of its link. ``scratch``: an existing folder.

    Raises UsageError where it was not linked by gcc-llm from units that carry their assembly, and
    ToolchainError where its objects don't give it any more.
    """
    link = find_link(path)
    if link is None:
        raise UsageError(
            f"nothing is known of how {path} was linked: build it with CC=gcc-llm and "
            "GCCLLM_TESTS=DIR (the folder for its recording), or give the build with --build"
        )
    os.environ.update(link.environment)
    os.environ["GCCLLM_ACTIVE"] = "1"
    toolchain = Toolchain(link.environment.get("COLLECT_GCC"))
    argv, libraries = _with_libraries(link, [x for x in find_links() if x.shared])
    parts = [_part(x, toolchain, scratch, n) for n, x in enumerate((link, *libraries))]
    if not libraries:
        return Linked(parts[0].program, parts[0].baseline, tuple(parts), scratch)
    whole = _program(toolchain, replace(link, argv=argv), scratch, "whole")
    built = whole.build({}, scratch / "whole-program")
    if not isinstance(built, Build):
        names = ", ".join(Path(x.output).name for x in libraries)
        raise ToolchainError(f"{path} can't be linked with the objects of {names}: {built.detail}")
    return Linked(whole, built.executable, tuple(parts), scratch)


def _program(toolchain: Toolchain, link: Link, scratch: Path, name: str) -> Program:
    folder = scratch / name
    folder.mkdir()
    return Program(toolchain, link.argv, Path(link.directory), folder)


def _part(link: Link, toolchain: Toolchain, scratch: Path, number: int) -> _Part:
    program = _program(toolchain, link, scratch, f"part-{number}")
    output = Path(link.output)
    built = program.build({}, program.scratch / output.name)
    if not isinstance(built, Build):
        raise ToolchainError(f"{output} can't be linked again: {built.detail}; build it anew")
    if hashlib.sha256(built.executable.read_bytes()).hexdigest() != link.sha256:
        raise ToolchainError(
            f"{output}: its objects give another file than when it was linked; build it anew"
        )
    return _Part(output, program, built.executable)


def _with_libraries(link: Link, shared: Sequence[Link]) -> tuple[tuple[str, ...], list[Link]]:
    """The program's link with the objects of shared libraries in their place."""
    known = {Path(x.output).resolve(): x for x in shared}
    folders = [Path(link.directory, x[2:]) for x in link.argv if x.startswith("-L") and x != "-L"]
    argv: list[str] = []
    used: list[Link] = []
    for argument in link.argv:
        if argument.startswith("-l"):
            places = [x / f"lib{argument[2:]}.so" for x in folders]
        else:
            places = [] if argument.startswith("-") else [Path(link.directory, argument)]
        found = next((known[x.resolve()] for x in places if x.resolve() in known), None)
        if found is None:
            argv.append(argument)
        else:
            used += [] if found in used else [found]
            argv += _objects(found)
    return tuple(argv), used


def _objects(library: Link) -> Iterator[str]:
    """What was linked into a library, as another folder's link names it."""
    skip = False
    for argument in library.argv:
        if skip or argument in _APART:
            skip = not skip
        elif argument in _KEPT:
            yield argument
        elif argument.startswith("-L"):
            yield f"-L{Path(library.directory, argument[2:])}"
        elif argument.startswith("-"):
            if argument.startswith("-l") and argument not in _RUNTIME:
                yield argument
        elif not Path(argument).name.startswith("crt"):
            yield str(Path(library.directory, argument))
