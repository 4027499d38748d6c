"""What is done already, on disk: an evaluation that was stopped goes on where it was.

A ledger is a folder with ``settings.json`` and ``*.jsonl``, a line each for what was finished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.types import Json

__all__ = ["Ledger"]


class Ledger:
    """Entries of one kind by key, appended as they come. Raises UsageError for damaged files, and
    for a folder of other settings: figures of different settings must not be mixed.

    ``grows`` names a list among the settings that may have become longer since."""

    def __init__(
        self, folder: Path, kind: str, settings: Mapping[str, Json], grows: str = ""
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        named = folder / "settings.json"
        content = json.dumps(dict(settings), indent=1, sort_keys=True)
        if named.exists() and not _fits(named.read_text(), content, grows):
            raise UsageError(f"{folder} holds figures of other settings; give another --out")
        named.write_text(content)
        self._path = folder / f"{kind}.jsonl"
        self.entries: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            whole = self._path.read_bytes()
            kept = whole[: whole.rfind(b"\n") + 1]  # a killed write leaves half a line
            if kept != whole:
                self._path.write_bytes(kept)
            try:
                for line in kept.decode().splitlines():
                    entry = json.loads(line)
                    self.entries[entry["key"]] = entry
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"{self._path} is damaged: {error}") from error

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def add(self, key: str, content: Mapping[str, Any]) -> None:
        """Write an entry down; it then is there for good."""
        entry = {"key": key, **content}
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self.entries[key] = entry


def _fits(earlier: str, now: str, grows: str) -> bool:
    """Whether settings are the same, but for what may have grown."""
    if not grows or earlier == now:
        return earlier == now
    try:
        old, new = json.loads(earlier), json.loads(now)
        had, has = old.pop(grows), new.pop(grows)
        return bool(old == new and all(x in has for x in had))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
