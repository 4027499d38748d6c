"""verl in a process of its own: what it is given, following it, and stopping it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gccllm import process
from gccllm.errors import GccllmError, UsageError
from gccllm.lanes import lane_cores
from trainer.folders import replace_file
from trainer.on_verl import names as shared
from trainer.on_verl.pin import cpu_environment
from trainer.ppo.config import Paths
from trainer.ppo.progress import Follower

__all__ = [
    "environment_of",
    "follow",
    "known_run",
    "last_step",
    "ray_folder",
    "run_verl",
    "write_json",
]

POLL_SECONDS = 2.0
SHORT_TEMP = "/tmp"
"""Ray makes sockets deep below; their paths may have 107 characters"""


@contextmanager
def ray_folder() -> Iterator[str]:
    """A folder for what Ray writes, gone afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="gccllm-ray-", dir=SHORT_TEMP, ignore_cleanup_errors=True
    ) as folder:
        yield folder


def environment_of(
    profile: str, lanes: int, paths: Paths, socket: str, temp: str, left: float = math.inf
) -> dict[str, str]:
    """verl's processes get our variables, the parts' and places for what they write. ``profile`` is
    "cpu" or "gpu", ``temp`` Ray's folder, ``left`` the seconds that steps may begin in."""
    cores = sorted(os.sched_getaffinity(0))
    timed = lane_cores()[:lanes]
    free = [x for x in cores if x not in timed] or cores
    package = str(Path(__file__).parents[2])
    found = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "VERL_FILE_LOGGER_PATH": str(paths.verl_metrics),
        "RAY_TMPDIR": temp,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        # Ray's idle processes, one a core, would start beside those that are used.
        "RAY_enable_worker_prestart": "0",
        shared.SOCKET_VARIABLE: socket,
        shared.STOP_VARIABLE: str(paths.out / "verl" / "stop"),
    }
    if left < math.inf:
        found[shared.UNTIL_VARIABLE] = str(time.time() + left)
    if profile == "cpu":
        # Small models of our own: nothing is fetched, and nothing written into the user's home.
        found |= {"HF_HOME": str(paths.out / "verl" / "cache"), "HF_HUB_OFFLINE": "1"}
        found |= cpu_environment()
        found[shared.CORES_VARIABLE] = ",".join(map(str, free))
        found.setdefault("OMP_NUM_THREADS", str(len(cores)))
    return found


def run_verl(
    paths: Paths,
    environment: dict[str, str],
    began: int,
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    """Run verl's PPO to its end, as ``verl/config.json`` says, while its figures are followed.

    ``began`` is the step that it goes on from; ``stop()`` true asks it to end after its step.
    Raises GccllmError if it fails; the end of its log is in the message.
    """
    config = paths.out / "verl" / "config.json"
    argv = [sys.executable, "-m", "trainer.on_verl.run", str(config)]
    with Follower(paths, began, say) as follower:
        follower.begin()
        follow(argv, paths, environment, follower.look, stop, say)


def follow(
    argv: Sequence[str],
    paths: Paths,
    environment: dict[str, str],
    look: Callable[[bool], None],
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    """Run a program of verl's to its end; ``look(False)`` is called now and then, ``look(True)``
    behind it. For ``stop`` and errors see :func:`run_verl`."""
    flag = paths.out / "verl" / "stop"
    flag.unlink(missing_ok=True)
    with paths.log.open("ab") as log:
        # Not process.run: it runs for hours, is looked at meanwhile, and has to end when we do.
        child = subprocess.Popen(
            argv,
            cwd=paths.out,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while child.poll() is None:
                time.sleep(POLL_SECONDS)
                look(False)
                if stop() and not flag.exists():
                    flag.touch()
                    say("stopping after this step")
        finally:
            process.kill_tree(child)
        look(True)
    if child.returncode:
        raise GccllmError(f"verl failed; the end of {paths.log}:\n{_tail(paths.log)}")


def last_step(paths: Paths) -> int:
    """The step of the last whole checkpoint, 0 without one."""
    path = paths.checkpoints / "latest_checkpointed_iteration.txt"
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def known_run(paths: Paths, identity: Mapping[str, object]) -> bool:
    """Whether the folder is of this very run already, as its ``run.json`` says. Raises UsageError
    where it is another one's."""
    known = paths.out / "run.json"
    if not known.exists():
        return False
    before = json.loads(known.read_text(encoding="utf-8"))
    for name, value in identity.items():
        if before.get(name) != value:
            raise UsageError(f"{paths.out} is of a run with other {name}; give another --out")
    return True


def write_json(path: Path, content: object) -> None:
    """Write ``content``, all or nothing."""
    text = json.dumps(content, indent=1, default=str) + "\n"
    replace_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def _tail(path: Path, lines: int = 25) -> str:
    if not path.exists():
        return "(it wrote none)"
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
