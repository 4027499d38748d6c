"""Does a sandbox hold here? Judged by what a probe program gets done inside it, not by uid.

Every check runs in one session. A pass is remembered until the next boot or until kernel, user,
runner, probe or bubblewrap change, so that a link step does not pay for it each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import SandboxError, SandboxUnavailable
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox
from gccllm.sandbox.build import build_runner, build_tool, usable_cache

__all__ = ["Check", "is_remembered", "remember", "run"]

PROBE = Path(__file__).resolve().parent / "probe.c"
LIMITS = RunLimits(wall_seconds=5.0, cpu_seconds=5, output_bytes=1 << 16)
MEANINGS = {
    "ordinary": "a program that reads, writes a file and starts a thread works",
    "write": "it can't write outside its working folder",
    "read": "it can't read the host's files",
    "socket": "it can't open a socket",
    "fork": "it can't start processes",
    "signal": "it can't signal its parent",
    "trace": "it can't trace its parent",
    "exec": "it can't run a shell",
    "code": "it can't make writable memory executable",
    "flood": "endless output is cut off",
    "again": "an ordinary program still works after all that",
}


@dataclass(frozen=True)
class Check:
    """One finding of the self-test; ``detail`` says what happened when it did not pass."""

    name: str
    passed: bool
    detail: str

    @property
    def meaning(self) -> str:
        """What holds when it passed; one line for ``gccllm doctor``."""
        return MEANINGS.get(self.name, self.name)


def run(sandbox: Sandbox, cache_folder: Path | None = None) -> list[Check]:
    """Every check, in one session; a sandbox that can't be opened gives one failed check."""
    try:
        with tempfile.TemporaryDirectory(prefix="gccllm-selftest-") as folder:
            return _run(sandbox, Path(folder), cache_folder)
    except (SandboxError, SandboxUnavailable) as error:
        return [Check("open", False, str(error))]


def _run(sandbox: Sandbox, folder: Path, cache_folder: Path | None) -> list[Check]:
    probe = build_tool([PROBE], usable_cache(cache_folder))
    folder.chmod(0o755)
    secret, target, words = folder / "secret", folder / "open", folder / "words"
    secret.write_text("secret\n")
    words.write_text("words\n")
    target.mkdir()
    target.chmod(0o777)  # so that only the sandbox stands in the way
    paths = {
        "write": [f"{target}/x", "/tmp/gccllm-x", "/usr/lib/gccllm-x", "/dev/shm/gccllm-x"],
        "read": [str(secret), "/etc/passwd", os.environ.get("HOME", "/root"), "/proc/self/maps"],
    }
    names = list(MEANINGS)
    attempts = ["ordinary" if name == "again" else name for name in names]
    cases = [RunInput((attempt, *paths.get(attempt, ())), stdin=words) for attempt in attempts]
    with sandbox.open({"probe": probe}, cases, limits=LIMITS) as session:
        checks = [_check(name, session.run("probe", case)) for case, name in enumerate(names)]
    if any(target.iterdir()):
        checks.append(Check("write", False, "a file appeared in a folder of the host"))
    return checks


def _check(name: str, result: RunResult) -> Check:
    if name in ("ordinary", "again"):
        passed = (
            result.ending is Ending.EXITED
            and result.code == 0
            and result.stdout == b"words 42"
            and result.files == {"written": b"words\n"}
        )
    elif name == "flood":
        passed = result.ending is Ending.TOO_MUCH_OUTPUT
    else:
        said = result.stdout.strip()
        passed = said == b"refused" if result.ending is Ending.EXITED else said == b""
    shown = result.stdout[:40].decode("utf-8", "replace").strip()
    return Check(name, passed, f"{result.ending.value} {result.code} {shown}".strip())


def is_remembered(sandbox: Sandbox, cache_folder: Path | None = None) -> bool:
    """Has this sandbox passed under the very same circumstances?"""
    try:
        text = _memory(sandbox, cache_folder).read_text()
        return bool(json.loads(text) == {"passed": _circumstances(sandbox, cache_folder)})
    except (OSError, ValueError):
        return False


def remember(sandbox: Sandbox, cache_folder: Path | None = None) -> None:
    """Note a pass; where the note can't be written, the next process tests again."""
    note = _memory(sandbox, cache_folder)
    fresh = note.with_name(f".{note.name}.{os.getpid()}")
    with suppress(OSError):
        fresh.write_text(json.dumps({"passed": _circumstances(sandbox, cache_folder)}))
        fresh.replace(note)


def _memory(sandbox: Sandbox, cache_folder: Path | None) -> Path:
    return usable_cache(cache_folder) / f"sandbox-{sandbox.name}-{os.geteuid()}.json"


def _circumstances(sandbox: Sandbox, cache_folder: Path | None) -> str:
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    parts = [sandbox.name, boot, platform.release(), platform.version()]
    parts += [build_runner(cache_folder).name, hashlib.sha256(PROBE.read_bytes()).hexdigest()]
    bwrap = shutil.which("bwrap")
    if bwrap is not None:
        status = Path(bwrap).stat()
        parts += [bwrap, str(status.st_mtime_ns), str(status.st_size)]
    # another container or another seccomp policy of our own is another place
    with suppress(OSError):
        parts += [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("mnt", "user", "pid")]
        own = Path("/proc/self/status").read_text().splitlines()
        parts += [line for line in own if line.startswith(("CapEff", "NoNewPrivs", "Seccomp:"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
