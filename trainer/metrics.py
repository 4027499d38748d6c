"""What a training run measures: a JSON line each, and the same for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from gccllm.errors import UsageError

__all__ = ["Metrics", "read_metrics"]

FILE = "metrics.jsonl"


class Metrics:
    """Writes to ``out/metrics.jsonl`` and ``out/tensorboard``; a context manager.

    Rows behind step ``since`` are of a run that was killed after its last checkpoint; they are
    dropped, so that no step is there twice.
    """

    def __init__(self, out: Path, since: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        path = out / FILE
        kept = [x for x in read_metrics(path) if x["step"] <= since] if path.exists() else []
        self._file = path.open("w", encoding="utf-8")
        for row in kept:
            self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self._board: Any = SummaryWriter(str(out / "tensorboard"), purge_step=since + 1)

    def __enter__(self) -> Metrics:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._board.close()

    def add(self, kind: str, step: int, tokens: int, values: Mapping[str, float]) -> None:
        """A row. ``kind`` is "train" or a split that was validated; ``tokens`` since the start."""
        row = {"kind": kind, "step": step, "tokens": tokens, **values}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics file; a last line that a kill cut short is left out.

    Raises UsageError if there is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    return [json.loads(x) for x in lines[:-1] if x]
