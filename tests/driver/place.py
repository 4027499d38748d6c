"""A folder in which gcc-llm compiles, with a Python that is a script of the test's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.driver.installed import clean_environment

__all__ = ["Place", "plain_assembly"]

SOURCE = """#include <stdio.h>
int main(void) { puts("gcc"); return 0; }
"""


class Place:
    """A folder with main.c, a store, a fake Python and an empty TMPDIR."""

    def __init__(self, root: Path) -> None:
        self.tree = root / "tree"
        self.store = root / "store"
        self.temporary = root / "tmp"
        self.python = root / "python"
        self.log = root / "log"
        for folder in (self.tree, self.temporary):
            folder.mkdir()
        (self.tree / "main.c").write_text(SOURCE)
        self.script("exit 0")

    def script(self, text: str) -> None:
        """``$mode`` and ``$target`` are the driver's first two words (after -I -c CODE)."""
        self.python.write_text(
            f"#!/bin/sh\nshift 3\nprintf '%s\\n' \"$*\" >>'{self.log}'\nmode=$1 target=$2\n{text}\n"
        )
        self.python.chmod(0o755)

    def env(self, **more: str) -> dict[str, str]:
        return {
            "GCCLLM_PYTHON": str(self.python),
            "GCCLLM_STORE": str(self.store),
            "TMPDIR": str(self.temporary),
            **more,
        }

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def events(self) -> list[str]:
        path = self.store / "events"
        return path.read_text().splitlines() if path.exists() else []

    def clean(self) -> bool:
        return list(self.temporary.iterdir()) == []


def plain_assembly(place: Place) -> bytes:
    done = subprocess.run(
        ["gcc", "-O2", "-S", "main.c", "-o", "-"],
        cwd=place.tree,
        env=clean_environment(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout
