"""Questions about functions of held-out packages: rebuilt from their sources, tried by the harness.

There is no program to run, so such answers are compared with gcc's own lines only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gccllm.errors import ToolchainError
from gccllm.toolchain import Toolchain
from trainer.corpus.builds import baseline
from trainer.corpus.debian import fetch, include_options, preprocess
from trainer.differential import JudgedRegion, regions_of
from trainer.evaluation.questions import Asked
from trainer.pairs import read_pairs

__all__ = ["PackageFile", "package_files", "package_regions"]


@dataclass
class PackageFile:
    """A file of a package and the questions about its functions."""

    package: str
    file: str
    asked: list[Asked] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"{self.package}: {self.file}"


def package_files(
    folder: Path, levels: Sequence[str], *, seed: int, most: int
) -> list[PackageFile]:
    """The files behind the pairs of held-out packages in an order drawn by ``seed``, each with at
    most ``most`` questions. Raises UsageError as :func:`trainer.pairs.read_pairs` does."""
    found: dict[tuple[str, str], list[tuple[Asked, str]]] = {}
    for pair in read_pairs(folder, "heldout-package"):
        file, function = pair.provenance.get("file"), pair.provenance.get("function")
        if isinstance(file, str) and isinstance(function, str) and pair.isa in levels:
            asked = Asked(pair.prompt, pair.isa, pair.answer)
            found.setdefault((pair.package, file), []).append((asked, function))
    rng = random.Random(f"{seed} packages")
    files: list[PackageFile] = []
    for package, file in sorted(found):
        known = found[package, file]
        made = PackageFile(package, file)
        for asked, function in rng.sample(known, min(most, len(known))):
            made.asked.append(asked)
            made.functions.add(function)
        files.append(made)
    rng.shuffle(files)
    return files


def package_regions(
    tools: Toolchain, file: PackageFile, cache: Path, scratch: Path
) -> tuple[JudgedRegion, ...]:
    """The regions of the functions asked about, as they were when the pairs were made. ``cache``
    holds the sources; they are fetched where they are missing.

    Raises SourceMissing where the archive has them no more, ToolchainError where the file does not
    compile.
    """
    source = fetch(file.package, cache)
    text = preprocess(tools, source, source.folder / file.file, include_options(source))
    unit = baseline(tools, text, scratch) if text else None
    if unit is None:
        raise ToolchainError(f"{file.name} does not compile")
    return regions_of(tools, unit, sorted(file.functions), scratch / "layout.o")
