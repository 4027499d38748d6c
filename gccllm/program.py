"""A program at its link: the units it carries, and how to build it with others in their place.

The link is gcc's own collect2 command line. Objects of carried units are replaced by what we
assemble; everything else stays as it is. The rebuilt baseline has to be byte for byte what gcc
made, else nothing may be concluded from a rebuilt candidate.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gccllm import process
from gccllm.asm.carry import SECTION, Frame, read_object
from gccllm.errors import ToolchainError
from gccllm.toolchain import Toolchain

__all__ = ["Build", "BuildStep", "Program", "one_unit"]

LINK_LIMITS = process.Limits(cpu_seconds=60, file_size=1 << 30)
LINK_TIMEOUT = 60.0
AR_MAGIC = b"!<arch>\n"
RUNTIME_LIBRARIES = ("-lgcc", "-lgcc_s", "-lc", "--start-group")


@dataclass(frozen=True)
class BuildStep:
    """Where a build stopped: ``stage`` is "assemble" or "link"; ``detail`` one line."""

    stage: str
    detail: str


@dataclass(frozen=True)
class Build:
    """An executable and the objects that were assembled for it, by unit."""

    executable: Path
    objects: Mapping[str, Path]


@dataclass
class _Place:
    """An argument of the link that carries units; ``members`` for an archive."""

    position: int
    path: Path
    units: list[str] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)


class Program:
    """The units of one program and its link command."""

    def __init__(
        self,
        toolchain: Toolchain,
        argv: Sequence[str],
        directory: Path,
        scratch: Path,
    ) -> None:
        """``argv`` is collect2's, without argv[0]; ``directory`` where it ran.

        Archives that carry units are unpacked into ``scratch``. Raises ToolchainError.
        """
        self.toolchain = toolchain
        self.argv = [x for x in argv if not x.startswith("-plugin")]
        self._drop_plugin_values(argv)
        self.directory = directory
        self.scratch = scratch
        self.units: dict[str, Frame] = {}
        self._objects: dict[tuple[str, str], Path] = {}
        self._places: list[_Place] = []
        self._find_places()

    @property
    def output(self) -> Path:
        """The executable that the link writes (a.out by default)."""
        named = [self.argv[i + 1] for i, x in enumerate(self.argv[:-1]) if x == "-o"]
        return self.directory / (named[-1] if named else "a.out")

    def recordings_named(self) -> list[str]:
        """The folders of recordings that the units were compiled with, each once."""
        return sorted({frame.tests for frame in self.units.values() if frame.tests})

    def assemble(self, unit: str, text: str) -> Path | BuildStep:
        """Assemble ``text`` as ``unit``; the same text is assembled once."""
        key = (unit, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest())
        known = self._objects.get(key)
        if known is not None:
            return known
        out = self.scratch / f"{_file_name(unit)}-{key[1][:16]}.o"
        options = [x[4:] for x in self.units[unit].options if x.startswith("-Wa,")]
        done = self.toolchain.assemble(text, out, options)
        if not done.ok:
            return BuildStep("assemble", done.error_line())
        self._objects[key] = out
        return out

    def build(
        self,
        replaced: Mapping[str, str],
        out: Path,
        *,
        extra: Sequence[str] = (),
        before: Sequence[Path] = (),
    ) -> Build | BuildStep:
        """Link the program with the assembly of ``replaced`` units in place of their own.

        ``extra`` options and objects go in front of the compiler's own libraries, where gcc puts
        a user's; ``before`` objects in front of the program's first one (they shift its code).
        """
        objects: dict[str, Path] = {}
        for unit, frame in self.units.items():
            done = self.assemble(unit, replaced.get(unit, frame.assembly))
            if isinstance(done, BuildStep):
                return done
            objects[unit] = done
        argv = list(self.argv)
        inserts: dict[int, list[str]] = {}
        for place in self._places:
            if place.members:
                argv[place.position] = str(self._archive(place, objects))
            else:
                inserts[place.position] = [str(self._merged([objects[x] for x in place.units]))]
        first = min((x.position for x in self._places), default=len(argv))
        command: list[str] = []
        runtime = next(
            (i for i, x in enumerate(argv) if i > first and x in RUNTIME_LIBRARIES), len(argv)
        )
        for position, argument in enumerate(argv):
            if position == first:
                command += [str(x) for x in before]
            if position == runtime:
                command += extra
            command += inserts.get(position, [argument])
        if runtime == len(argv):
            command += extra
        command += ["-z", "noexecstack", "-o", str(out)]
        linked = process.run(
            [self.toolchain.collect2, *command],
            cwd=self.directory,
            timeout=LINK_TIMEOUT,
            limits=LINK_LIMITS,
        )
        if not linked.ok or not out.is_file():
            return BuildStep("link", linked.error_line())
        return Build(out, objects)

    def _drop_plugin_values(self, argv: Sequence[str]) -> None:
        # '-plugin FILE' has its value apart; '-plugin-opt=…' has not.
        values = {argv[i + 1] for i, x in enumerate(argv[:-1]) if x == "-plugin"}
        self.argv = [x for x in self.argv if x not in values]

    def _find_places(self) -> None:
        skip = False
        for position, argument in enumerate(self.argv):
            if skip or (argument.startswith("-") and not argument.startswith("-l")):
                skip = argument in ("-o", "-L", "-m", "-z", "-dynamic-linker", "-T", "-u")
                continue
            path = self._library(argument[2:]) if argument[:2] == "-l" else self._plain(argument)
            if path is None:
                continue
            if _is_archive(path):
                self._find_members(position, path)
                continue
            frames = read_object(path)
            if frames:
                place = _Place(position, path)
                place.units = [self._add(frame) for frame in frames]
                self._places.append(place)

    def _plain(self, argument: str) -> Path | None:
        path = self.directory / argument
        return path if path.is_file() else None

    def _library(self, name: str) -> Path | None:
        """What ``-lNAME`` means to ld; only an archive can carry units."""
        for folder in (x[2:] for x in self.argv if x.startswith("-L") and len(x) > 2):
            if "-static" not in self.argv and (self.directory / folder / f"lib{name}.so").exists():
                return None
            path = self.directory / folder / f"lib{name}.a"
            if path.is_file():
                return path
        return None

    def _find_members(self, position: int, archive: Path) -> None:
        if SECTION.encode() not in archive.read_bytes():
            return
        folder = self.scratch / f"archive-{position}"
        folder.mkdir(parents=True, exist_ok=True)
        done = process.run(["ar", "x", str(archive)], cwd=folder, timeout=LINK_TIMEOUT)
        if not done.ok:
            return
        place = _Place(position, archive)
        for member in sorted(folder.iterdir()):
            frames = read_object(member)
            if frames:
                place.members[member.name] = [self._add(frame) for frame in frames]
        if place.members:
            self._places.append(place)

    def _add(self, frame: Frame) -> str:
        name, number = frame.unit, 2
        while name in self.units:
            name, number = f"{frame.unit}~{number}", number + 1
        self.units[name] = frame
        return name

    def _merged(self, objects: Sequence[Path]) -> Path:
        """Several units in one object are the work of ``ld -r``: merge them again."""
        if len(objects) == 1:
            return objects[0]
        digest = hashlib.sha256(" ".join(x.name for x in objects).encode()).hexdigest()[:16]
        out = self.scratch / f"merged-{digest}.o"
        if not out.exists():
            argv = [self.toolchain.linker, "-r", "-o", str(out), *map(str, objects)]
            done = process.run(argv, timeout=LINK_TIMEOUT, limits=LINK_LIMITS)
            if not done.ok:
                raise ToolchainError(f"ld -r can't merge units again: {done.error_line()}")
        return out

    def _archive(self, place: _Place, objects: Mapping[str, Path]) -> Path:
        original = place.path
        names = [objects[x].name for units in place.members.values() for x in units]
        digest = hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]
        out = self.scratch / f"{digest}-{original.name}"
        if out.exists():
            return out
        order = process.run(["ar", "t", str(original)], timeout=LINK_TIMEOUT)
        folder = self.scratch / f"archive-{place.position}"
        members: list[str] = []
        for member in order.stdout.decode("utf-8", "surrogateescape").splitlines():
            units = place.members.get(member)
            members += [str(objects[x]) for x in units] if units else [str(folder / member)]
        done = process.run(["ar", "qcD", str(out), *members], timeout=LINK_TIMEOUT)
        if not done.ok:
            raise ToolchainError(f"ar can't rebuild {original}: {done.error_line()}")
        return out


def one_unit(toolchain: Toolchain, frame: Frame, scratch: Path) -> Program:
    """A program of one unit and no link: enough to assemble and to splice."""
    program = Program(toolchain, (), scratch, scratch)
    program.units[frame.unit] = frame
    return program


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == AR_MAGIC


def _file_name(unit: str) -> str:
    return re.sub(r"[^\w.+-]", "_", unit)[:100]
