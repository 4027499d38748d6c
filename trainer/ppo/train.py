"""PPO on verl with the real judge as the reward: tasks and a model in, a better model out.

    tasks ─▶ verl (a process of its own, with Ray) ─answers─▶ reward service ─▶ judge
               └─ samples, figures, checkpoints ─▶ metrics.jsonl, curve.png, model/

verl is not edited; on a CPU a plugin (:mod:`trainer.on_verl.cpu`) makes it run. This module writes
what verl reads, runs the reward service beside it, follows what it writes, and at the end makes a
Hugging Face folder of the last checkpoint. The same command goes on from the last checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm import process
from gccllm.errors import GccllmError, UsageError
from gccllm.lanes import lane_cores
from gccllm.paths import cache_dir
from trainer import tokenizer as tokenizers
from trainer.folders import replace_file
from trainer.metrics import FILE, read_metrics
from trainer.model import load_model, save_model
from trainer.on_verl import names as shared
from trainer.on_verl.pin import check_version, cpu_environment
from trainer.ppo.config import Paths, Settings, verl_overrides
from trainer.ppo.progress import Follower
from trainer.ppo.rows import Split, rows, split_tasks
from trainer.ppo.service import RewardService
from trainer.ppo.tasks import Task
from trainer.ppo.text import CHAT_TEMPLATE, prompt_ids
from trainer.ppo.worker import How

__all__ = ["Done", "train"]

POLL_SECONDS = 2.0
SHORT_TEMP = "/tmp"
"""Ray makes sockets deep below; their paths may have 107 characters"""


@dataclass(frozen=True)
class Done:
    """``steps`` that the last checkpoint has; ``finished``: as many as were asked for, or the hours
    are over. Only then is there ``model/``."""

    steps: int
    finished: bool


def train(
    model: Path,
    tasks: Sequence[Task],
    out: Path,
    settings: Settings,
    *,
    tokenizer: Path | None = None,
    critic: Path | None = None,
    write_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Done:
    """Train until the steps or hours are over, or ``stop()`` is true; → how far it came.

    ``model`` is the folder of a supervised model, ``tokenizer`` its tokeniser's if it lies
    elsewhere, ``critic`` what the critic begins with (default: the model). ``write_only`` writes
    what verl reads and ends. Raises UsageError for what can't be used and GccllmError if verl
    fails; the end of its log is in the message.
    """
    if not write_only:
        check_version()
    paths = Paths(out.absolute())
    split = _prepare(model, tokenizer or model, critic or model, tasks, paths, settings, say)
    began = _last_step(paths)
    left = _seconds_left(paths, settings, began)
    if began and (began >= settings.steps or left <= 0):
        _finish(paths, tokenizer or model)
        return Done(began, True)
    overrides = verl_overrides(settings, paths, not began)
    _write_json(paths.out / "verl" / "config.json", overrides)
    if write_only:
        return Done(began, False)
    how = How(settings.timing, settings.states, lanes=cache_dir())
    everything = [*split.train, *split.held]
    cache = cache_dir() / "rewards.sqlite"
    with (
        RewardService(everything, settings.reward, how, cache, lanes=settings.lanes) as service,
        tempfile.TemporaryDirectory(
            prefix="gccllm-ray-", dir=SHORT_TEMP, ignore_cleanup_errors=True
        ) as temp,
    ):
        environment = _environment(settings, paths, service.address, temp, left)
        _run_verl(paths, environment, began, stop, say)
    steps = _last_step(paths)
    # With hours it ends by itself before it has made all steps.
    finished = steps >= settings.steps or (left < math.inf and not stop())
    if finished:
        _finish(paths, tokenizer or model)
    return Done(steps, finished)


def _prepare(
    model: Path,
    tokenizer: Path,
    critic: Path,
    tasks: Sequence[Task],
    paths: Paths,
    settings: Settings,
    say: Callable[[str], None],
) -> Split:
    """Write models, rows and agents for verl. Raises UsageError, also for another run's folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    loaded = tokenizers.load(tokenizer)
    fitting = [x for x in tasks if len(prompt_ids(loaded, x.prompt)) <= settings.prompt_length]
    if len(fitting) < len(tasks):
        say(f"{len(tasks) - len(fitting)} prompts too long, left out")
    split = split_tasks(fitting, settings.held)
    if len(split.train) < settings.batch:
        raise UsageError(f"{len(split.train)} tasks to train on are less than a batch")
    names = [[x.name for x in split.train], [x.name for x in split.held]]
    identity = {"settings": settings.identity(), "tasks": names, "model": str(model.absolute())}
    known = paths.out / "run.json"
    if known.exists():
        before = json.loads(known.read_text(encoding="utf-8"))
        for name, value in identity.items():
            if before.get(name) != value:
                raise UsageError(f"{paths.out} is of a run with other {name}; give another --out")
        return split
    (paths.out / "verl").mkdir(parents=True, exist_ok=True)
    for source, target in ((model, paths.start), (critic, paths.critic)):
        loaded.chat_template = CHAT_TEMPLATE
        save_model(load_model(source), loaded, target)
    pq.write_table(pa.Table.from_pylist(rows(split.train)), paths.train_rows)
    held = rows(split.held, held_samples=settings.held_samples)
    pq.write_table(pa.Table.from_pylist(held), paths.held_rows)
    paths.agents.write_text("- name: region\n  _target_: trainer.on_verl.parts.RegionAgent\n")
    _write_json(known, identity)
    say(f"{len(split.train)} tasks to train on, {len(split.held)} held out")
    return split


def _environment(
    settings: Settings, paths: Paths, socket: Path, temp: str, left: float
) -> dict[str, str]:
    """verl's processes get our variables, the parts' and places for what they write."""
    cores = sorted(os.sched_getaffinity(0))
    timed = lane_cores()[: settings.lanes]
    free = [x for x in cores if x not in timed] or cores
    package = str(Path(__file__).parents[2])
    found = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "VERL_FILE_LOGGER_PATH": str(paths.verl_metrics),
        "HF_HOME": str(paths.out / "verl" / "cache"),
        "HF_HUB_OFFLINE": "1",
        "RAY_TMPDIR": temp,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        # Ray's idle processes, one a core, would start beside those that are used.
        "RAY_enable_worker_prestart": "0",
        shared.SOCKET_VARIABLE: str(socket),
        shared.STOP_VARIABLE: str(paths.out / "verl" / "stop"),
    }
    if left < math.inf:
        found[shared.UNTIL_VARIABLE] = str(time.time() + left)
    if settings.profile == "cpu":
        found |= cpu_environment()
        found[shared.CORES_VARIABLE] = ",".join(map(str, free))
        found.setdefault("OMP_NUM_THREADS", str(len(cores)))
    return found


def _run_verl(
    paths: Paths,
    environment: dict[str, str],
    began: int,
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    """Run it to its end while its figures are followed. Raises GccllmError if it fails."""
    flag = paths.out / "verl" / "stop"
    flag.unlink(missing_ok=True)
    paths.verl_metrics.unlink(missing_ok=True)
    config = paths.out / "verl" / "config.json"
    argv = [sys.executable, "-m", "trainer.on_verl.run", str(config)]
    with Follower(paths, began, say) as follower, paths.log.open("ab") as log:
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
                follower.look()
                if stop() and not flag.exists():
                    flag.touch()
                    say("stopping after this step")
        finally:
            process.kill_tree(child)
        follower.look()
    if child.returncode:
        raise GccllmError(f"verl failed; the end of {paths.log}:\n{_tail(paths.log)}")


def _finish(paths: Paths, tokenizer: Path) -> None:
    """The last checkpoint as an ordinary model folder."""
    step = _last_step(paths)
    source = paths.checkpoints / f"global_step_{step}" / "actor" / "huggingface"
    save_model(load_model(source), tokenizers.load(tokenizer), paths.out / "model")


def _seconds_left(paths: Paths, settings: Settings, began: int) -> float:
    """Of the hours that were asked for; those of steps that a checkpoint has are spent."""
    if settings.hours is None:
        return math.inf
    metrics = paths.out / FILE
    known = read_metrics(metrics) if metrics.exists() else []
    spent = sum(x.get("seconds", 0.0) for x in known if x["step"] <= began)
    return 3600 * settings.hours - float(spent)


def _last_step(paths: Paths) -> int:
    """The step of the last whole checkpoint, 0 without one."""
    path = paths.checkpoints / "latest_checkpointed_iteration.txt"
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, indent=1, default=str) + "\n"
    replace_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def _tail(path: Path, lines: int = 25) -> str:
    if not path.exists():
        return "(it wrote none)"
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
