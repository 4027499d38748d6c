"""What was made and what was found, on disk: one JSON object a line, so that a run can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Ledger"]


class Ledger:
    """A file of objects with a ``name``; the last one of a name counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self._known[entry["name"]] = entry

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._known.values())

    def get(self, name: str) -> dict[str, Any] | None:
        return self._known.get(name)

    def add(self, entry: Mapping[str, Any]) -> None:
        self._known[entry["name"]] = dict(entry)
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
