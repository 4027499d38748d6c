"""The embedded model's folder: where it is, whether it is whole.

A folder is what ``gccllm-train export`` writes (``model.bin``, ``config.json``, the vocabulary, the
tokeniser) and ``manifest.json``, which names every file with its size and SHA-256. A damaged file
must be found out here: CTranslate2 trusts what it reads.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import ProposerError
from gccllm.types import Json

__all__ = ["FOLDER", "MANIFEST", "Weights", "check", "claimed", "present", "seal"]

FOLDER = Path(__file__).resolve().parents[1] / "models" / "mini"
"""the weights that come with the package"""
MANIFEST = "manifest.json"
_VERSION = 2
"""of the manifest and of the prompts that the weights were trained on"""
_NEEDED = ("model.bin", "tokenizer.json")


@dataclass(frozen=True)
class Weights:
    """A folder that is whole. ``identity`` is a digest of all its files; ``about`` is whatever
    its maker noted (training, figures)."""

    folder: Path
    name: str
    identity: str
    size: int
    about: dict[str, Json]


def present(folder: Path) -> bool:
    """Is there anything at all that claims to be a model?"""
    return (folder / MANIFEST).exists() or (folder / "model.bin").exists()


def claimed(folder: Path) -> str:
    """A digest of the manifest, which says what the files should be; "" where there is none."""
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def check(folder: Path) -> Weights:
    """Compare all files with the manifest. Raises ProposerError, naming what is wrong."""
    try:
        content = json.loads((folder / MANIFEST).read_text())
        if content["version"] != _VERSION:
            raise ProposerError(f"{folder}: manifest of version {content['version']}")
        listed = {str(x): (int(y["bytes"]), str(y["sha256"])) for x, y in content["files"].items()}
        name, about = str(content["name"]), dict(content["about"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProposerError(f"{folder}: no readable {MANIFEST}: {error}") from error
    missing = [x for x in _NEEDED if x not in listed]
    if missing:
        raise ProposerError(f"{folder}: {MANIFEST} names no {missing[0]}")
    for file, wanted in listed.items():
        try:
            found = _measured(folder / file)
        except OSError as error:
            raise ProposerError(f"{folder / file} can't be read: {error.strerror}") from error
        if found != wanted:
            raise ProposerError(f"{folder / file} is not the file that {MANIFEST} names")
    identity = hashlib.sha256(repr(sorted(listed.items())).encode()).hexdigest()[:16]
    return Weights(folder, name, identity, sum(x for x, _ in listed.values()), about)


def seal(folder: Path, name: str, about: dict[str, Json]) -> Weights:
    """Write the manifest of an exported folder. Raises ProposerError for one that lacks a file
    that is needed, OSError where it can't be read or written."""
    files = sorted(x for x in folder.iterdir() if x.is_file() and x.name != MANIFEST)
    measured = {x.name: _measured(x) for x in files}
    content = {
        "version": _VERSION,
        "name": name,
        "about": about,
        "files": {x: {"bytes": size, "sha256": digest} for x, (size, digest) in measured.items()},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n")
    return check(folder)


def _measured(path: Path) -> tuple[int, str]:
    """(bytes, SHA-256) of a file."""
    data = path.read_bytes()
    return len(data), hashlib.sha256(data).hexdigest()
