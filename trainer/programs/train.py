"""PPO or GRPO on whole programs: a dataset and a model in, a better model out.

verl does the training, as a configuration of ``trainer/configs`` says; the rewards are those of the
real judge, from the same service that serves regions. The folder of a run looks as that of
``gccllm-train ppo``; the same command goes on from the last checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.paths import cache_dir
from gccllm.toolchain import Toolchain
from trainer.corpus.program_rows import read_program_rows
from trainer.folders import replace_folder
from trainer.on_verl.pin import check_version
from trainer.ppo.config import ENDLESS_EPOCHS, Paths
from trainer.ppo.rows import rows
from trainer.ppo.train import Done
from trainer.ppo.verl_process import (
    environment_of,
    known_run,
    last_step,
    ray_folder,
    run_verl,
    write_json,
)
from trainer.programs.serving import served
from trainer.programs.settings import ProgramSettings, composed
from trainer.programs.tasks import ProgramHow, ProgramTask, program_tasks

__all__ = ["ProgramRun", "train_programs"]

HARMLESS = (
    *("trainer.", "ray_kwargs.", "gccllm.lanes", "gccllm.checkers", "gccllm.queue"),
    *("gccllm.deadline", "gccllm.where", "gccllm.isolated"),
)
"""beginnings of settings that the weights do not depend on"""


@dataclass(frozen=True)
class ProgramRun:
    """What to train.

    ``config`` is one of ``CONFIGURATIONS``, ``given`` Hydra's ``key=value`` on top. ``data`` is a
    dataset with splits train and val, ``model`` a folder or a name on the hub ("" for that of the
    configuration).
    """

    config: str
    data: Path
    out: Path
    model: str = ""
    given: tuple[str, ...] = ()

    @property
    def hydra(self) -> tuple[str, ...]:
        """All of ``given``, the model's place among them."""
        if not self.model:
            return self.given
        paths = (f"actor_rollout_ref.model.path={self.place}", f"critic.model.path={self.place}")
        return (*paths, *self.given)

    @property
    def place(self) -> str:
        """The model's folder in full, or its name on the hub."""
        place = Path(self.model)
        return str(place.absolute()) if place.exists() else self.model


def train_programs(
    run: ProgramRun,
    *,
    write_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Done:
    """Train until verl has made all its steps, or ``stop()`` is true; → how far it came.

    ``write_only`` writes what verl reads and ends. Raises UsageError for what can't be used and
    GccllmError if verl fails.
    """
    if not write_only:
        check_version()
    config, settings = composed(run.config, run.hydra)
    paths = Paths(run.out.absolute())
    train, held = _tasks(run.data, paths, settings, say)
    batch = int(config["data"]["train_batch_size"])
    if len(train) < batch:
        raise UsageError(f"{len(train)} programs to train on are less than a batch of {batch}")
    _same_run(paths, run, train, held)
    began = last_step(paths)
    steps = config["trainer"]["total_training_steps"]
    _write(paths, run, train, held, steps, not began)
    if write_only:
        return Done(began, False)
    how = ProgramHow(
        timing=settings.timing,
        lanes=cache_dir(),
        isa=settings.isa,
        isolated=settings.isolated,
        examine=settings.examine,
    )
    cache, log = cache_dir() / "rewards.sqlite", paths.out / "verl" / "rewards.jsonl"
    with served([*train, *held], settings, how, cache, log) as service, ray_folder() as temp:
        environment = environment_of(
            settings.profile, settings.lanes, paths, service.reached_at, temp
        )
        run_verl(paths, environment, began, stop, say)
    reached = last_step(paths)
    if stop():
        return Done(reached, False)
    made = paths.checkpoints / f"global_step_{reached}" / "actor" / "huggingface"
    replace_folder(
        paths.out / "model", lambda part: shutil.copytree(made, part, dirs_exist_ok=True)
    )
    return Done(reached, True)


def _tasks(
    data: Path, paths: Paths, settings: ProgramSettings, say: Callable[[str], None]
) -> tuple[list[ProgramTask], list[ProgramTask]]:
    tools = Toolchain()
    found = list(read_program_rows(data))
    others = sum(x.compiler != tools.identity.version for x in found)
    if others:
        say(
            f"{others} of {len(found)} prompts show assembly of another compiler than the judge's; "
            "gccllm-train data hub --rebuild makes them anew"
        )
    folder = paths.out / "programs"
    both = [
        program_tasks([x for x in found if x.split == name], folder, settings.prompt, tools)
        for name in ("train", "val")
    ]
    if not all(both):
        raise UsageError(f"{data} needs programs in both splits, train and val")
    say(f"{len(both[0])} programs to train on, {len(both[1])} held out")
    return both[0], both[1]


def _same_run(
    paths: Paths, run: ProgramRun, train: Sequence[ProgramTask], held: Sequence[ProgramTask]
) -> None:
    """Raises UsageError for another run's folder."""
    identity: dict[str, Any] = {
        "kind": "programs",
        "config": run.config,
        "given": [x for x in run.hydra if not x.lstrip("+").startswith(HARMLESS)],
        "programs": [[x.name for x in train], [x.name for x in held]],
    }
    if not known_run(paths, identity):
        write_json(paths.out / "run.json", identity)


def _write(
    paths: Paths,
    run: ProgramRun,
    train: Sequence[ProgramTask],
    held: Sequence[ProgramTask],
    steps: int | None,
    fresh: bool,
) -> None:
    """The rows, agents and overrides that verl reads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (paths.out / "verl").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows(train)), paths.train_rows)
    pq.write_table(pa.Table.from_pylist(rows(held, held_samples=0)), paths.held_rows)
    paths.agents.write_text("- name: region\n  _target_: trainer.on_verl.parts.RegionAgent\n")
    overrides: dict[str, Any] = {
        "config": run.config,
        "given": list(run.hydra),
        "data.train_files": str(paths.train_rows),
        "data.val_files": str(paths.held_rows),
        "actor_rollout_ref.rollout.agent.agent_loop_config_path": str(paths.agents),
        "trainer.default_local_dir": str(paths.checkpoints),
        "trainer.rollout_data_dir": str(paths.train_samples),
        "trainer.validation_data_dir": str(paths.held_samples),
        "trainer.val_before_train": fresh,
    }
    if steps is not None:
        # verl saves its last step, but not where the epochs end before it.
        overrides["trainer.total_epochs"] = ENDLESS_EPOCHS
    write_json(paths.out / "verl" / "config.json", overrides)
