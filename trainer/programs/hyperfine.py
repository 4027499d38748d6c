"""hyperfine, for whoever wants the paper's own instrument.

It starts programs itself, so it runs inside bubblewrap, with no network and nothing writable but a
folder in memory; only candidates that have passed the gates and every recording in the full
sandbox are timed this way. What it can't do, and ours does, is look at the output of a timed run.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gccllm import process
from gccllm.sandbox.base import RunInput

__all__ = ["RUNS", "WARMUPS", "Hyperfine", "find_hyperfine"]

WARMUPS, RUNS = 3, 10
MOST_SECONDS = 600.0
HELP_SECONDS = 10.0


@dataclass(frozen=True)
class Hyperfine:
    """Where the two programs are. ``takes_input``: it knows ``--input`` (since 1.16); before, a
    shell has to redirect, whose own time hyperfine subtracts."""

    path: Path
    bwrap: Path
    takes_input: bool = True

    def mean(self, program: Path, given: RunInput, core: int | None = None) -> float | None:
        """Seconds of wall time of one run of ``program``: the mean of ten after three warm-ups.
        None where a run fails, or does not end."""
        with tempfile.TemporaryDirectory(prefix="gccllm-hyperfine-") as folder:
            out = Path(folder) / "result.json"
            pinned = ["taskset", "-c", str(core)] if core is not None else []
            argv = [*pinned, *self._confined(Path(folder)), str(self.path)]
            argv += [f"--warmup={WARMUPS}", f"--runs={RUNS}", f"--export-json={out}"]
            command = " ".join(shlex.quote(x) for x in (str(program), *given.args))
            stdin = str(given.stdin or "/dev/null")
            if self.takes_input:
                argv += ["--shell=none", f"--input={stdin}"]
            else:
                argv.append("--shell=/bin/sh")
                command += f" < {shlex.quote(stdin)}"
            done = process.run([*argv, "--", command], timeout=MOST_SECONDS)
            try:
                (result,) = json.loads(out.read_text())["results"]
                return float(result["mean"]) if done.ok else None
            except (OSError, ValueError, KeyError, TypeError):
                return None

    def _confined(self, folder: Path) -> list[str]:
        # As root without a user namespace: one of root's would map to root outside.
        user = [] if os.geteuid() == 0 else ["--unshare-user"]
        spaces = [f"--unshare-{x}" for x in ("ipc", "pid", "net", "uts")]
        return [
            *(str(self.bwrap), "--die-with-parent", "--new-session", "--clearenv", *user, *spaces),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *("--bind", str(folder), str(folder), "--chdir", str(folder), "--"),
        ]


def find_hyperfine() -> Hyperfine | None:
    """None unless both hyperfine and bubblewrap are installed."""
    found, bwrap = shutil.which("hyperfine"), shutil.which("bwrap")
    if found is None or bwrap is None:
        return None
    told = process.run([found, "--help"], timeout=HELP_SECONDS)
    return Hyperfine(Path(found), Path(bwrap), b"--input" in told.stdout)
