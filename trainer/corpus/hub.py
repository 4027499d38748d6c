"""Published datasets of programs: by their name on the hub, or as parquet files that lie here.

What was published is taken as it is, with a word on what its baseline looks like and how many
evaluation programs are in the training set too. A rebuilt dataset has the same splits, but every
program is tried here: its baseline is our gcc's, and its tests are those that it passes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gccllm.errors import UsageError
from trainer.corpus.program_folders import make_programs_dataset, unfold
from trainer.corpus.program_rows import ProgramRow, read_program_rows, row_of
from trainer.corpus.program_splits import save_dataset
from trainer.corpus.program_trial import Demands, Wanted

__all__ = ["load_rows", "make_hub", "rebuild_hub"]


def load_rows(name: str) -> Iterator[ProgramRow]:
    """The rows of ``name``: a parquet file, a folder of them, or a dataset of the hub.

    Raises UsageError for what is none of these or has other columns.
    """
    path = Path(name)
    if path.exists():
        yield from read_program_rows(path)
        return
    try:
        import datasets

        found = datasets.load_dataset(name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{name} is no file here, and as a dataset: {reason[:300]}") from error
    for split, rows in found.items():
        for number, record in enumerate(rows):
            try:
                yield row_of(record, name=f"{split}-{number:05d}", split=str(split))
            except (LookupError, TypeError, ValueError) as error:
                raise UsageError(f"{name}, {split} {number}: {error}") from error


def make_hub(name: str, out: Path, say: Callable[[str], None] = lambda line: None) -> str:
    """Write the dataset ``name`` with our columns into ``out``; → Table 1. Raises UsageError."""
    rows = list(load_rows(name))
    if not rows:
        raise UsageError(f"{name} holds no programs")
    kinds = sorted({x.baseline for x in rows})
    say(f"{len(rows)} programs; baselines: {', '.join(kinds)}")
    return save_dataset(out, rows, {}, {"origin": name})


def rebuild_hub(
    name: str,
    demands: Demands,
    out: Path,
    *,
    jobs: int,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Try the programs of ``name`` on this machine and write those that pass, with gcc's baseline
    of here and the splits as published; → Table 1, None where ``stop()`` ended it first."""
    with tempfile.TemporaryDirectory(prefix="gccllm-hub-") as folder:
        wanted = []
        for row in load_rows(name):
            program = unfold(row, Path(folder))
            wanted.append(
                Wanted(row.name, program.source, program.tests, name, row.problem, row.split)
            )
        if not wanted:
            raise UsageError(f"{name} holds no programs")
        return make_programs_dataset(wanted, demands, out, held=None, jobs=jobs, stop=stop, say=say)
