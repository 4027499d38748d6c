"""What was linked how: kept beside the store, so that a program can be made faster after its build.

A note is of use as long as the objects of the link are there and give, linked again, the very
bytes. Those that gcc itself removes (of a command that compiles and links) are kept with it.
Builds that copy or move what they have linked, as zstd's does, are followed by its digest.

    STORE/links/DIGEST/link.json   DIGEST: of the output's path
    STORE/links/DIGEST/N.o         a copy of an object that gcc removes
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gccllm.paths import cache_dir

__all__ = ["Link", "find_link", "find_links", "note_link"]

_OF_GCC = re.compile(r"cc\w{6}\.o")
_VARIABLES = (
    "COLLECT_GCC",
    "COLLECT_GCC_OPTIONS",
    "COLLECT_LTO_WRAPPER",
    "COMPILER_PATH",
    "LIBRARY_PATH",
)
"""what gcc exports to collect2"""


@dataclass(frozen=True)
class Link:
    """A link: ``argv`` is collect2's, without argv[0]; ``directory`` where it ran; ``environment``
    what gcc had exported; ``sha256`` of what gcc's link wrote to ``output``."""

    output: str
    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    sha256: str

    @property
    def shared(self) -> bool:
        return "-shared" in self.argv


def note_link(output: Path, argv: Sequence[str], directory: Path) -> None:
    """Keep how ``output`` was linked, just now. What can't be kept is not: nothing is raised."""
    try:
        folder = _folder(output)
        folder.mkdir(parents=True, exist_ok=True)
        kept = []
        for number, argument in enumerate(argv):
            path = directory / argument
            if _OF_GCC.fullmatch(path.name) and path.is_file():
                copy = folder / f"{number}.o"
                shutil.copyfile(path, copy)
                argument = str(copy)
            kept.append(argument)
        link = Link(
            str(output.resolve()),
            tuple(kept),
            str(directory),
            {x: os.environ[x] for x in _VARIABLES if x in os.environ},
            _sha256(output),
        )
        _write(folder, link)
    except (OSError, ValueError):
        return


def find_link(output: Path) -> Link | None:
    """How ``output``, or the file that it was copied or moved from, was linked last, if that was
    noted. What is found for a copy is noted for it too: the copy may change."""
    own = _load(_folder(output) / "link.json")
    try:
        digest = _sha256(output)
    except OSError:
        return own
    if own is not None and own.sha256 == digest:
        return own
    source = next((x for x in _all_links() if x.sha256 == digest), None)
    if source is None:
        return own
    place = str(output.resolve())
    copied = replace(source, output=place, argv=(*source.argv, "-o", place))
    _write(_folder(output), copied)
    return copied


def find_links() -> list[Link]:
    """All that are noted and whose outputs are still there."""
    return [x for x in _all_links() if Path(x.output).is_file()]


def _all_links() -> list[Link]:
    noted = (_load(x) for x in sorted((cache_dir() / "links").glob("*/link.json")))
    return [x for x in noted if x is not None]


def _write(folder: Path, link: Link) -> None:
    """What can't be written is not: the next build, or question, tries again."""
    part = folder / f".link.{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(link)))
        part.replace(folder / "link.json")


def _folder(output: Path) -> Path:
    name = os.fsencode(str(output.resolve()))
    return cache_dir() / "links" / hashlib.sha256(name).hexdigest()[:24]


def _load(path: Path) -> Link | None:
    try:
        fields = json.loads(path.read_text())
        return Link(**{**fields, "argv": tuple(fields["argv"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
