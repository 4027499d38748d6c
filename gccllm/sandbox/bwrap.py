"""The strongest sandbox: bubblewrap's namespaces around the runner, seccomp and Landlock inside.

Covered: no network, no other processes, no host files but read-only libraries and three devices,
a scratch folder in memory that dies with the session, resource limits, an allow-list of system
calls. Not covered: the libraries' contents can be read; the clock and the CPU's side channels;
memory is limited per process and files per run, not for all sessions together.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from gccllm.errors import SandboxUnavailable
from gccllm.process import run
from gccllm.sandbox.base import RunInput, RunLimits
from gccllm.sandbox.build import build_runner, usable_cache
from gccllm.sandbox.session import (
    Confinement,
    RunnerSession,
    runner_arguments,
    runner_session,
    scratch_bytes,
)
from gccllm.sandbox.staging import Stage, staged

__all__ = ["NOBODY", "BwrapSandbox"]

NOBODY = 65534
PROCESSES = 512
"""threads of all runs of the uid together; counted for the user namespace since Linux 5.14"""
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


class BwrapSandbox:
    """Sessions in their own user, pid, network, ipc, uts, mount and cgroup namespaces."""

    name = "bwrap"

    def __init__(self, cache_folder: Path | None = None, *, landlock: bool = True) -> None:
        """``landlock=False``: as on a kernel without it; the namespaces have to do."""
        self._cache = cache_folder
        self._landlock = landlock

    @contextmanager
    def open(
        self,
        programs: Mapping[str, Path],
        cases: Sequence[RunInput],
        *,
        limits: RunLimits,
        core: int | None = None,
    ) -> Iterator[RunnerSession]:
        """See :class:`gccllm.sandbox.base.Sandbox`."""
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SandboxUnavailable("bubblewrap is not installed: apt install bubblewrap")
        runner = build_runner(self._cache)
        confinement = Confinement(
            landlock=int(self._landlock),
            seccomp=True,
            uid=NOBODY,
            processes=PROCESSES if _counts_per_namespace() else 0,
        )
        with staged(programs, cases, usable_cache(self._cache)) as stage:
            prefix = [bwrap, *_options(bwrap, runner, stage), "--"]
            argv = ["/runner", *runner_arguments("/cell", stage, limits, core, confinement)]
            with runner_session(prefix, argv, stage, cases, limits) as session:
                yield session


def _options(bwrap: str, runner: Path, stage: Stage) -> list[str]:
    options = ["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    options += ["--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # A user namespace of root's would map the programs to root outside. Without one the
        # runner itself becomes a real nobody, which is what the two capabilities are for.
        options += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        options += ["--unshare-cgroup-try", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        options += ["--unshare-all", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    for folder in ("/usr", "/usr/local", "/etc", "/dev"):
        options += ["--dir", folder]  # left to itself, bwrap makes parents for their owner only
    for place in LIBRARIES:
        path = Path(place)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), place]
        elif path.is_dir():
            options += ["--ro-bind", place, place]
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for device in DEVICES:
        options += ["--dev-bind", device, device]
    options += ["--ro-bind", str(runner), "/runner"]
    if _knows_size(bwrap):
        options += ["--size", str(scratch_bytes(stage))]
    # the root itself is a writable tmpfs until it is made read-only
    return [*options, "--tmpfs", "/cell", "--remount-ro", "/", "--chdir", "/cell"]


@cache
def _knows_size(bwrap: str) -> bool:
    """Since bubblewrap 0.5; without it the runner's own watch over the folder must do."""
    return b"--size" in run([bwrap, "--help"], timeout=10).stdout


def _counts_per_namespace() -> bool:
    """May RLIMIT_NPROC be set, or would it count what else the user runs?"""
    if os.geteuid() == 0:
        return True
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    return version is not None and (int(version[1]), int(version[2])) >= (5, 14)
