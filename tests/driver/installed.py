"""gcc-llm as pip lays it out, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Installed", "clean_environment", "install", "write_index"]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


@dataclass(frozen=True)
class Installed:
    """``front`` is gcc-llm, ``shim`` its cc1; ``compiled`` tells the C shim from the one in sh."""

    front: Path
    shim: Path
    compiled: bool

    def run(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run gcc-llm in ``cwd``."""
        return subprocess.run(
            [str(self.front), *arguments],
            cwd=cwd,
            env=clean_environment(env),
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
        )


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without what steers gcc, gcc-llm, make or messages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GCC", "COLLECT_", "MAKE", "CCACHE", "LC_"))
        and name not in {"COMPILER_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "LANG"}
    }
    return {**kept, "LC_ALL": "C.UTF-8", **(extra or {})}


def install(prefix: Path, *, compiled: bool) -> Installed:
    """Lay out ``prefix`` as the wheel does."""
    front = prefix / "bin" / "gcc-llm"
    libexec = prefix / "libexec" / "gccllm"
    front.parent.mkdir(parents=True)
    libexec.mkdir(parents=True)
    shutil.copy(ROOT / "wrapper" / "bin" / "gcc-llm", front)
    shim = libexec / "cc1"
    if compiled:
        build = [str(ROOT / "scripts" / "build-shim"), str(shim)]
        subprocess.run(build, check=True, timeout=SECONDS, env=clean_environment())
    else:
        shutil.copy(ROOT / "wrapper" / "libexec" / "cc1", shim)
    shutil.copy(shim, libexec / "collect2")
    return Installed(front, shim, compiled)


def write_index(store: Path, fingerprints: Sequence[int]) -> None:
    """An index as the store writes it."""
    store.mkdir(parents=True, exist_ok=True)
    keys = sorted(fingerprints)
    (store / "index").write_bytes(b"GCCLLMX1" + struct.pack(f"<Q{len(keys)}Q", len(keys), *keys))
