"""Supervised training of a large model on whole programs: a prompt in, the dataset's assembly out.

It teaches form and syntax, not what is faster: the published answers are the baseline's own
assembly. The paper leaves this step out and thinks of it as future work; its code has it, and its
values are those of ``trainer/configs/sft.yaml``. verl does the training, one process a GPU of this
node. The folder of a run looks as that of ``ppo-programs``; the same command goes on from the last
checkpoint.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.prompts import answer_text
from trainer.corpus.program_rows import ProgramRow, read_program_rows
from trainer.folders import replace_folder
from trainer.metrics import Metrics, read_metrics
from trainer.on_verl.pin import check_version
from trainer.ppo.config import PROFILES, Paths
from trainer.ppo.train import Done
from trainer.ppo.verl_process import environment_of, follow, known_run, last_step, write_json
from trainer.programs.settings import PROMPTS, resolved
from trainer.programs.train import ProgramRun

__all__ = ["SFT_CONFIGURATIONS", "train_supervised"]

SFT_CONFIGURATIONS = ("sft-7b", "sft-cpu")
_OURS = {"train/loss": "loss", "train/lr": "lr", "train/grad_norm": "norm", "val/loss": "loss"}
"""verl's names → ours"""


def train_supervised(
    run: ProgramRun,
    *,
    write_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Done:
    """Train until all steps are made, or ``stop()`` is true; → how far it came.

    ``run.config`` is one of :data:`SFT_CONFIGURATIONS`. ``write_only`` writes what verl reads and
    ends. Raises UsageError for what can't be used and GccllmError if verl fails.
    """
    if not write_only:
        check_version()
    if run.config not in SFT_CONFIGURATIONS:
        raise UsageError(f"no configuration {run.config!r}: {', '.join(SFT_CONFIGURATIONS)}")
    given = (f"model.path={run.place}", *run.given) if run.model else run.given
    config = resolved(run.config, given)
    ours = config["gccllm"]
    if ours["profile"] not in PROFILES or ours["prompt"] not in PROMPTS:
        raise UsageError(f"gccllm.profile is one of {PROFILES}, gccllm.prompt of {PROMPTS}")
    paths = Paths(run.out.absolute())
    train, held = _conversations(run.data, config, say)
    identity: dict[str, Any] = {
        "kind": "supervised",
        "config": run.config,
        "given": [x for x in given if not x.lstrip("+").startswith("trainer.")],
        "programs": [[x["program"] for x in train], [x["program"] for x in held]],
    }
    (paths.out / "verl").mkdir(parents=True, exist_ok=True)
    if not known_run(paths, identity):
        write_json(paths.out / "run.json", identity)
    began = last_step(paths)
    _write(paths, run.config, given, train, held)
    if write_only:
        return Done(began, False)
    paths.verl_metrics.unlink(missing_ok=True)
    environment = environment_of(ours["profile"], 0, paths, "", "")
    with Metrics(paths.out, began) as metrics:
        copied = _copied(paths, metrics, say)
        follow(_argv(paths, config), paths, environment, lambda ended: next(copied), stop, say)
    reached = last_step(paths)
    if stop():
        return Done(reached, False)
    made = paths.checkpoints / f"global_step_{reached}" / "huggingface"
    replace_folder(
        paths.out / "model", lambda part: shutil.copytree(made, part, dirs_exist_ok=True)
    )
    return Done(reached, True)


def _conversations(
    data: Path, config: dict[str, Any], say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows for training, and those held out; what is too long for ``data.max_length`` is left out.
    Raises UsageError where too little is left."""
    from transformers import AutoTokenizer

    place, longest = config["model"]["path"], int(config["data"]["max_length"])
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        raise UsageError(f"{place} has no tokeniser that can be loaded: {error}") from error
    prompt = config["gccllm"]["prompt"]
    rows = list(read_program_rows(data))
    both = []
    for split in ("train", "val"):
        made = [_conversation(x, prompt) for x in rows if x.split == split]
        fitting = [x for x in made if _length(tokenizer, x["messages"]) <= longest]
        if len(fitting) < len(made):
            say(f"{split}: {len(made) - len(fitting)} of {len(made)} are too long, left out")
        both.append(fitting)
    batch = int(config["data"]["train_batch_size"])
    if len(both[0]) < batch:
        raise UsageError(f"{len(both[0])} programs to train on are less than a batch of {batch}")
    say(f"{len(both[0])} programs to train on, {len(both[1])} held out")
    if len(both[1]) < batch:
        # verl leaves out a batch that is not full.
        say(f"fewer than {batch} held out are not validated on")
        both[1] = []
    return both[0], both[1]


def _conversation(row: ProgramRow, prompt: str) -> dict[str, Any]:
    question = row.c_only_question if prompt == "c-only" else row.question
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer_text(row.assembly)},
    ]
    return {"program": row.name, "messages": messages}


def _length(tokenizer: Any, messages: Iterable[dict[str, str]]) -> int:
    text = tokenizer.apply_chat_template(list(messages), tokenize=False)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _write(
    paths: Paths,
    config: str,
    given: tuple[str, ...],
    train: list[dict[str, Any]],
    held: list[dict[str, Any]],
) -> None:
    """The rows and overrides that verl reads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(train), paths.train_rows)
    overrides: dict[str, Any] = {
        "config": config,
        "given": list(given),
        "data.train_files": str(paths.train_rows),
        "trainer.default_local_dir": str(paths.checkpoints),
    }
    if held:
        pq.write_table(pa.Table.from_pylist(held), paths.held_rows)
        overrides["data.val_files"] = str(paths.held_rows)
    write_json(paths.out / "verl" / "config.json", overrides)


def _argv(paths: Paths, config: dict[str, Any]) -> list[str]:
    """torchrun, on this node."""
    count = int(config["trainer"]["n_gpus_per_node"])
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += [f"--nproc-per-node={count}", "-m", "trainer.on_verl.sft"]
    return [*launch, str(paths.out / "verl" / "config.json")]


def _copied(paths: Paths, metrics: Metrics, say: Callable[[str], None]) -> Iterator[None]:
    """Each ``next`` takes over the rows that verl has written since the last one."""
    seen = tokens = 0
    while True:
        written = read_metrics(paths.verl_metrics) if paths.verl_metrics.exists() else []
        for row in written[seen:]:
            own, step = row["data"], int(row["step"])
            tokens += int(own.get("train/global_tokens", 0))
            kind = "train" if "train/loss" in own else "valid"
            found = {ours: float(own[name]) for name, ours in _OURS.items() if name in own}
            metrics.add(kind, step, tokens, found)
            say(f"step {step}: {kind} loss {found.get('loss', 0.0):.3f}")
        seen = len(written)
        yield
