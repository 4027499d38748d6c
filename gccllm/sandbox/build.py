"""Compile small C programs of our own once and keep them: the runner and the self-test's probe.

A kept program is named after the hash of its sources, so a new version never meets an old one.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gccllm.errors import SandboxUnavailable
from gccllm.paths import cache_dir
from gccllm.process import run

__all__ = ["build_runner", "build_tool", "usable_cache"]

HERE = Path(__file__).resolve().parent
RUNNER_SOURCES = (
    "runner.c",
    "child.h",
    "confine.h",
    "folder.h",
    "many.h",
    "protocol.h",
    "run.h",
    "settings.h",
)
COMPILE_SECONDS = 60.0


def usable_cache(folder: Path | None = None) -> Path:
    """The cache folder (default :func:`gccllm.paths.cache_dir`), created if need be.

    Where it can't be written: a private temporary folder that lives as long as this process.
    """
    wanted = folder if folder is not None else cache_dir()
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _private_folder()
    return wanted if os.access(wanted, os.W_OK | os.X_OK) else _private_folder()


@cache
def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="gccllm-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def build_tool(sources: Sequence[Path], folder: Path, *, cc: str = "gcc") -> Path:
    """The program compiled from ``sources`` (the first is the C file, the rest it includes).

    Static where the C library allows it. Raises SandboxUnavailable when gcc can't compile it.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    target = folder / f"{sources[0].stem}-{digest.hexdigest()[:16]}"
    if target.exists():
        return target
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=folder)
    os.close(descriptor)
    fresh = Path(name)
    try:
        for kind in (["-static"], []):
            command = [cc, "-O2", "-std=gnu11", *kind, "-o", name, str(sources[0]), "-pthread"]
            done = run(command, timeout=COMPILE_SECONDS)
            if done.ok:
                fresh.chmod(0o755)
                fresh.replace(target)  # several processes may do this at once: the last one wins
                return target
        raise SandboxUnavailable(
            f"{cc} can't compile {sources[0].name}, which every sandbox needs: {done.error_line()}"
        )
    finally:
        fresh.unlink(missing_ok=True)


def build_runner(cache_folder: Path | None = None) -> Path:
    """The runner, compiled at first use into the cache folder. Raises SandboxUnavailable."""
    return build_tool([HERE / name for name in RUNNER_SOURCES], usable_cache(cache_folder))
