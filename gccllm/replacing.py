"""Replace a file that gcc wrote, all or nothing. Light: it is on the compile path."""

from __future__ import annotations

import os
import stat

__all__ = ["NotReplaceable", "replace_bytes", "replace_file"]


class NotReplaceable(Exception):
    """The file is no plain file of its own (a link, a device), or its folder can't be written."""

    reason = "not-replaceable"


def replace_bytes(path: str, content: bytes) -> None:
    """``path`` becomes ``content`` and keeps its mode; or it stays, and NotReplaceable rises."""
    part = _part(path)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        _swap(part, path)
    except OSError as error:
        _remove(part)
        raise NotReplaceable(f"{path}: {error}") from error


def replace_file(path: str, source: str) -> None:
    """``path`` becomes a copy of ``source`` with its own mode; like :func:`replace_bytes`."""
    with open(source, "rb") as file:
        replace_bytes(path, file.read())


def _part(path: str) -> str:
    try:
        now = os.lstat(path)
    except OSError as error:
        raise NotReplaceable(f"{path}: {error}") from error
    if not stat.S_ISREG(now.st_mode) or now.st_nlink != 1:
        raise NotReplaceable(f"{path} is not a plain file of its own")
    return f"{path}.gccllm-{os.getpid()}"


def _swap(part: str, path: str) -> None:
    os.chmod(part, stat.S_IMODE(os.lstat(path).st_mode))
    os.replace(part, path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
