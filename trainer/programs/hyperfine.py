"""hyperfine, for whoever wants the paper's own instrument.

It starts programs itself, so it runs inside bubblewrap, with no network and nothing writable but a
folder in memory; only candidates that have passed the gates and every recording in the full
sandbox are timed this way. What it can't do, and ours does, is look at the output of a timed run.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gccllm import process
from gccllm.sandbox.base import RunInput

__all__ = ["RUNS", "WARMUPS", "Hyperfine", "find_hyperfine"]

WARMUPS, RUNS = 3, 10
MOST_SECONDS = 600.0


@dataclass(frozen=True)
class Hyperfine:
    """Where the two programs are."""

    path: Path
    bwrap: Path

    def mean(self, program: Path, given: RunInput, core: int | None = None) -> float | None:
        """Seconds of wall time of one run of ``program``: the mean of ten after three warm-ups.
        None where a run fails, or does not end."""
        with tempfile.TemporaryDirectory(prefix="gccllm-hyperfine-") as folder:
            out = Path(folder) / "result.json"
            pinned = ["taskset", "-c", str(core)] if core is not None else []
            argv = [*pinned, *self._confined(Path(folder)), str(self.path), "--shell=none"]
            argv += ["--style=none", f"--warmup={WARMUPS}", f"--runs={RUNS}"]
            argv += [f"--input={given.stdin or '/dev/null'}", f"--export-json={out}", "--"]
            quoted = " ".join(_quoted(x) for x in (str(program), *given.args))
            done = process.run([*argv, quoted], timeout=MOST_SECONDS)
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
    return Hyperfine(Path(found), Path(bwrap)) if found and bwrap else None


def _quoted(word: str) -> str:
    """For hyperfine's own splitting of a command without a shell."""
    return "'" + word.replace("'", "'\"'\"'") + "'"
