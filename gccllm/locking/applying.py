"""Put the rewrites of a lock file into a unit that gcc has just emitted."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from gccllm.asm.normalise import unit_key
from gccllm.assurance.levels import Assurance
from gccllm.carrying import frame_of
from gccllm.errors import LockError
from gccllm.events import count_event
from gccllm.lockfile import read_lock
from gccllm.locking.matching import match
from gccllm.replacing import replace_bytes
from gccllm.settings import Settings
from gccllm.toolchain import Toolchain

__all__ = ["apply_lock"]


def apply_lock(out: str, lock: str, command: list[str]) -> str:
    """Rewrite the unit in ``out`` as the lock file says; returns a reason for the counters.

    Says on stderr (which the shim keeps from the user unless told to be verbose) why not. Raises
    NotReplaceable, ToolchainError and others: then ``out`` is as gcc made it.
    """
    baseline = Path(out).read_bytes()
    try:
        file = read_lock(Path(lock))
    except LockError as error:
        _tell(str(error))
        return f"lock:{error.reason}"
    for line in file.damaged:
        count_event("lock:damaged")
        _tell(f"{lock}: {line}")
    text = baseline.decode("utf-8", "surrogateescape")
    frame = frame_of(text, "", command)
    settings = Settings.from_environment()
    least = Assurance(settings.lock_assurance)
    toolchain = Toolchain(os.environ.get("COLLECT_GCC"))

    def promised() -> frozenset[str]:
        return toolchain.isa("target", frame.options).features

    allowed = promised if settings.isa == "target" else None
    version = toolchain.identity.version
    found = match(file, frame.unit, unit_key(text), version, least, allowed)
    if not found.blocks:
        _tell(found.detail)
        return f"lock:{found.reason}"
    # Heavy, and most units do not get here.
    from gccllm.locking.restoring import Restorer
    from gccllm.program import one_unit

    with tempfile.TemporaryDirectory(prefix="gccllm-") as folder:
        scratch = Path(folder)
        restorer = Restorer(one_unit(toolchain, frame, scratch), scratch)
        try:
            made = restorer.restore(frame.unit, found.blocks)
            restorer.check(frame.unit, made, found.blocks, settings.isa)
            made = restorer.shipped(frame.unit, made, found.blocks, settings.isa)
        except LockError as error:
            _tell(f"{frame.unit}: {error}")
            return "lock:refused"
    replace_bytes(out, made.encode("utf-8", "surrogateescape"))
    names = ", ".join(name for x in found.blocks for name in x.functions)
    _tell(f"{frame.unit}: {names}: from the lock file")
    return "lock:applied"


def _tell(text: str) -> None:
    line = text.encode("utf-8", "backslashreplace").decode()
    print(f"gcc-llm: {line}", file=sys.stderr)
