"""The one way to start a child process: a deadline, a tree kill, captured streams.

Every helper process of gccllm (as, ld, gcc, bwrap, a proposer's compiler) goes through here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Completed", "Limits", "kill_tree", "run"]

GRACE_SECONDS = 0.3


@dataclass(frozen=True)
class Limits:
    """Resource limits of a child, applied with prlimit(1). None leaves a limit alone."""

    cpu_seconds: int | None = None
    address_space: int | None = None
    file_size: int | None = None

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """argv with prlimit in front, or argv itself where util-linux is missing."""
        prlimit = shutil.which("prlimit")
        if prlimit is None:
            return list(argv)
        options = ["--core=0"]
        if self.cpu_seconds is not None:
            options.append(f"--cpu={self.cpu_seconds}")
        if self.address_space is not None:
            options.append(f"--as={self.address_space}")
        if self.file_size is not None:
            options.append(f"--fsize={self.file_size}")
        return [prlimit, *options, "--", *argv]


@dataclass(frozen=True)
class Completed:
    """A finished child. ``returncode`` is negative for a signal, as in subprocess."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        return self.returncode == 0 and not self.timed_out

    def error_line(self) -> str:
        """The most telling line of stderr, for messages."""
        lines = [
            x.strip() for x in self.stderr.decode("utf-8", "replace").splitlines() if x.strip()
        ]
        picked = next((x for x in lines if "rror" in x), lines[-1] if lines else "")
        if self.timed_out:
            picked = f"time limit reached {picked}".strip()
        return picked[:300] or f"exit status {self.returncode}"


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    limits: Limits | None = None,
) -> Completed:
    """Run argv to its end or to the deadline (seconds); then TERM, grace, KILL to its group.

    Never raises for what the child does; a program that can't be started gives status 127.
    """
    full = limits.wrap(argv) if limits is not None else list(argv)
    try:
        child = subprocess.Popen(
            full,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            start_new_session=True,
        )
    except OSError as error:
        return Completed(tuple(argv), 127, b"", str(error).encode())
    try:
        stdout, stderr = child.communicate(stdin, timeout=timeout)
        return Completed(tuple(argv), child.returncode, stdout, stderr)
    except subprocess.TimeoutExpired:
        kill_tree(child)
        stdout, stderr = child.communicate()
        return Completed(tuple(argv), child.returncode, stdout, stderr, timed_out=True)
    except BaseException:
        kill_tree(child)
        child.communicate()
        raise


def kill_tree(child: subprocess.Popen[bytes]) -> None:
    """End a child started in a session of its own, and everything in its process group."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, sig)
        if sig is signal.SIGTERM:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(5.0)
