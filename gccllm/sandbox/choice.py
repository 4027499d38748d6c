"""Pick the strongest sandbox that passes its self-test here, or refuse."""

from __future__ import annotations

import os
from pathlib import Path

from gccllm.errors import SandboxUnavailable, UsageError
from gccllm.sandbox import selftest
from gccllm.sandbox.base import Sandbox
from gccllm.sandbox.bwrap import BwrapSandbox
from gccllm.sandbox.landlock import LandlockSandbox, UnconfinedSandbox

__all__ = ["VARIABLE", "choose"]

VARIABLE = "GCCLLM_SANDBOX"
ADVICE = (
    "install bubblewrap (apt install bubblewrap) and allow user namespaces, or use Linux 5.13 or "
    f"later with Landlock switched on; {VARIABLE}=none runs candidates without protection"
)


def choose(preference: str = "auto", *, cache_folder: Path | None = None) -> Sandbox:
    """``auto`` (then ``$GCCLLM_SANDBOX``, then bwrap before landlock), or one by name.

    ``none`` is explicit consent to resource limits only and is never chosen otherwise.
    Raises UsageError for another word and SandboxUnavailable with what to do about it.
    """
    wanted = preference
    if wanted == "auto":
        wanted = os.environ.get(VARIABLE) or "auto"
    if wanted == "none":
        return UnconfinedSandbox(cache_folder)
    known: dict[str, Sandbox] = {
        "bwrap": BwrapSandbox(cache_folder),
        "landlock": LandlockSandbox(cache_folder),
    }
    if wanted != "auto" and wanted not in known:
        raise UsageError(f"{VARIABLE} is auto, bwrap, landlock or none, not {wanted!r}")
    reasons = []
    for sandbox in known.values():
        if wanted not in ("auto", sandbox.name):
            continue
        failure = _why_not(sandbox, cache_folder)
        if not failure:
            return sandbox
        reasons.append(f"{sandbox.name}: {failure}")
    raise SandboxUnavailable(f"no sandbox works here ({'; '.join(reasons)}): {ADVICE}")


def _why_not(sandbox: Sandbox, cache_folder: Path | None) -> str:
    """Empty when the sandbox passes, now or under the same circumstances before."""
    if selftest.is_remembered(sandbox, cache_folder):
        return ""
    failed = [check for check in selftest.run(sandbox, cache_folder) if not check.passed]
    if not failed:
        selftest.remember(sandbox, cache_folder)
        return ""
    return "; ".join(f"{check.name} ({check.detail})" for check in failed)
