"""What was measured of a project so far, kept as JSON after each step: a run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.projects.building import Built, Effort
from bench.projects.catalogue import PROJECTS

__all__ = ["Record", "load_all"]


@dataclass
class Record:
    """``unbuilt``: variants that can't be had, with the reason; ``failed``: why nothing could be
    measured at all. ``times``: user+sys seconds by variant, one a round, of the same rounds."""

    version: str = ""
    built: dict[str, Built] = field(default_factory=dict)
    unbuilt: dict[str, str] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    failed: str = ""

    @classmethod
    def load(cls, path: Path) -> Record:
        """The record in a file; an empty one where there is none that can be read."""
        try:
            fields = json.loads(path.read_text())
            built = {name: _built(one) for name, one in fields.pop("built").items()}
            return cls(built=built, **fields)
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write it in one step."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1, default=str))
        part.replace(path)

    def has(self, variant: str, effort: Effort) -> bool:
        """Whether a variant's program is there, made with that effort."""
        one = self.built.get(variant)
        return one is not None and one.program.is_file() and one.effort in (None, effort)

    def forget(self, variant: str) -> None:
        """It is to be built again."""
        for known in (self.built, self.unbuilt, self.times):
            known.pop(variant, None)


def _built(fields: Mapping[str, object]) -> Built:
    effort = fields.get("effort")
    return Built(
        Path(str(fields["program"])),
        float(str(fields["seconds"])),
        fields["suite"] is True,
        told if isinstance(told := fields.get("told"), dict) else {},
        Effort(**effort) if isinstance(effort, dict) else None,
        str(fields.get("elsewhere", "")),
    )


def load_all(folder: Path) -> dict[str, Record]:
    """What was measured so far, by project, in the catalogue's order."""
    paths = {name: folder / f"{name}.json" for name in PROJECTS}
    return {name: Record.load(path) for name, path in paths.items() if path.exists()}
