"""Model and tokeniser folders: written all or nothing, so that a kill leaves a whole one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from gccllm.errors import UsageError

__all__ = ["replace_file", "replace_folder"]


def replace_folder(folder: Path, fill: Callable[[str], object]) -> None:
    """``fill`` writes into a new folder, which then takes the place of ``folder``.

    What is replaced is the folder as a whole, so nothing of an older one is left in it. Raises
    UsageError where ``folder`` holds something other than a model or a tokeniser, or can't be
    written.
    """
    if folder.exists() and not _ours(folder):
        raise UsageError(f"{folder} exists and is no model or tokeniser folder; not replaced")
    part = folder.with_name(f".{folder.name}.part-{os.getpid()}")
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        fill(str(part))
        if folder.exists():
            folder.rename(old)
        try:
            part.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise UsageError(f"{folder} can't be written: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """``write`` fills a new file, which reaches the disk and then takes the place of ``path``."""
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    finally:
        part.unlink(missing_ok=True)


def _ours(folder: Path) -> bool:
    names = {x.name for x in folder.iterdir()} if folder.is_dir() else {"no folder"}
    return not names or bool(names & {"tokenizer.json", "config.json", "model.bin"})
