"""What is running on this machine, for tests that kill it or look for what is left."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["command_lines", "inherited_environment"]


def command_lines() -> set[str]:
    """Of all processes."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found.add(text)
    return found


def inherited_environment(path: Path) -> str:
    """The environment of a process or, where that is cleared, of its ancestors."""
    text = ""
    for _ in range(6):
        try:
            text += (path / "environ").read_bytes().decode(errors="replace")
            parent = re.search(r"^PPid:\s*(\d+)", (path / "status").read_text(), re.MULTILINE)
        except OSError:
            break
        if parent is None or parent.group(1) in ("0", "1"):
            break
        path = Path("/proc") / parent.group(1)
    return text
