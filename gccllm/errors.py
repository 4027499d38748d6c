"""Every exception that gccllm raises; the whole tree on one page.

An expected failure of a candidate is never an exception but a :class:`gccllm.types.Verdict`.
These are for our own faults and for what the user must mend.

    GccllmError
    ├── UsageError           an option or a variable that makes no sense
    ├── ToolchainError       the real gcc, as or ld can't be used as needed
    ├── SandboxUnavailable   no sandbox passes its self-test here
    ├── SandboxError         a sandbox that did start broke down
    ├── RecordingError       a recording that can't be read, or a program that can't be recorded
    ├── StoreError           the store can't be opened, read or written
    ├── LockError            a lock file that can't be read, or a rewrite that can't be locked
    └── ProposerError        a proposer that can't work at all (server down, package missing)
"""

from __future__ import annotations

__all__ = [
    "GccllmError",
    "LockError",
    "ProposerError",
    "RecordingError",
    "SandboxError",
    "SandboxUnavailable",
    "StoreError",
    "ToolchainError",
    "UsageError",
]


class GccllmError(Exception):
    """Base of all. ``reason`` is a stable word that gets a counter; the message says what to do."""

    reason = "internal-error"


class UsageError(GccllmError):
    reason = "bad-option"


class ToolchainError(GccllmError):
    reason = "toolchain"


class SandboxUnavailable(GccllmError):
    reason = "no-sandbox"


class SandboxError(GccllmError):
    reason = "sandbox-broke"


class RecordingError(GccllmError):
    reason = "bad-recording"


class StoreError(GccllmError):
    reason = "store-unusable"


class LockError(GccllmError):
    reason = "bad-lock"


class ProposerError(GccllmError):
    reason = "proposer-unusable"
