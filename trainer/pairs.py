"""Training pairs on disk: the one place that says what a shard of data holds.

A data folder holds ``*.parquet`` files, in subfolders too; a shard is one of them. Its columns are
those of :class:`Pair`, all strings; ``provenance`` is a JSON object. Whoever makes pairs writes
them with :func:`write_shard`, whoever trains reads them with :func:`read_pairs`; both check.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.types import Json

__all__ = [
    "ANSWER",
    "COLUMNS",
    "END",
    "KEEP",
    "KEEP_ANSWER",
    "PAD",
    "PROMPT_MARKS",
    "SPECIAL",
    "SPLITS",
    "Pair",
    "read_pairs",
    "shards",
    "write_shard",
]

SPLITS = ("train", "valid", "heldout-family", "heldout-package")
"""valid: other samples of families and packages that are trained on; heldout-…: of none"""
KEEP_ANSWER = "keep"
"""the answer that leaves a region as gcc made it"""

PAD, END, ANSWER, KEEP = "<|pad|>", "<|end|>", "<|answer|>", "<|keep|>"
PROMPT_MARKS = (
    "<|isa|>",
    "<|live_in|>",
    "<|live_out|>",
    "<|free|>",
    "<|region|>",
    "<|/region|>",
)
"""what a prompt is divided by; the other marks are added by :mod:`trainer.packing`"""
SPECIAL = (PAD, END, ANSWER, KEEP, *PROMPT_MARKS)

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Pair:
    """A region to rewrite and its best known rewrite.

    ``prompt``: the function's canonical assembly with one region between ``<|region|>`` and
    ``<|/region|>``, and what may be used; of the special tokens only :data:`PROMPT_MARKS` occur.
    ``answer``: the region's new lines in the form of :mod:`gccllm.asm.region_text`, or ``keep``;
    no special tokens. ``family`` is the rewrite family or "", ``package`` where the C code comes
    from, "" for families. ``isa`` is the level that the rewrite may use ("x86-64-v3").
    """

    prompt: str
    answer: str
    family: str
    package: str
    isa: str
    split: str
    provenance: Mapping[str, Json] = field(default_factory=dict)

    @property
    def keeps(self) -> bool:
        """The answer is to leave the region alone."""
        return self.answer == KEEP_ANSWER


COLUMNS = tuple(x.name for x in fields(Pair))


def write_shard(path: Path, pairs: Iterable[Pair]) -> int:
    """Write ``pairs`` as the shard ``path``, all or nothing; → how many.

    Raises UsageError for a pair that breaks the contract.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for number, pair in enumerate(pairs):
        _check(pair, f"pair {number} for {path.name}")
        rows.append((*astuple(pair)[:-1], json.dumps(dict(pair.provenance), sort_keys=True)))
    columns = [[row[i] for row in rows] for i in range(len(COLUMNS))]
    table = pa.table([pa.array(x, pa.string()) for x in columns], names=list(COLUMNS))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        pq.write_table(table, part, compression="zstd")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return len(rows)


def shards(folder: Path) -> list[Path]:
    """The shards of a data folder in a fixed order. Raises UsageError if there are none."""
    if not folder.is_dir():
        raise UsageError(f"no data folder {folder}")
    found = sorted(p for p in folder.rglob("*.parquet") if not p.name.startswith("."))
    if not found:
        raise UsageError(f"no *.parquet in {folder}")
    return found


def read_pairs(folder: Path, split: str = "") -> Iterator[Pair]:
    """The pairs of all shards of ``folder``, in order; only those of ``split`` if it is given.

    Of pairs with the same prompt the first of all splits is the only one, so that no prompt is in
    two splits. Raises UsageError for what is no shard or breaks the contract, naming file and row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    seen: set[bytes] = set()
    for path in shards(folder):
        try:
            with pq.ParquetFile(path) as file:
                _check_schema(file.schema_arrow, path)
                row = 0
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(COLUMNS)):
                    for values in batch.to_pylist():
                        pair = _pair(values, f"{path}, row {row}")
                        row += 1
                        key = hashlib.blake2b(pair.prompt.encode(), digest_size=12).digest()
                        if key in seen:
                            continue
                        seen.add(key)
                        if not split or pair.split == split:
                            yield pair
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{path} can't be read as parquet: {error}") from error


def _check_schema(schema: Any, path: Path) -> None:
    import pyarrow.types as kinds

    for name in COLUMNS:
        if name not in schema.names:
            raise UsageError(f"{path} has no column {name}; needed are {', '.join(COLUMNS)}")
        kind = schema.field(name).type
        if not (kinds.is_string(kind) or kinds.is_large_string(kind)):
            raise UsageError(f"{path}: column {name} holds {kind}, not strings")


def _pair(values: dict[str, Any], where: str) -> Pair:
    if None in values.values():
        raise UsageError(f"{where}: a value is missing")
    try:
        provenance = json.loads(values["provenance"])
    except ValueError as error:
        raise UsageError(f"{where}: provenance is not JSON: {error}") from error
    if not isinstance(provenance, dict):
        raise UsageError(f"{where}: provenance is no JSON object")
    pair = Pair(**{**values, "provenance": provenance})
    _check(pair, where)
    return pair


def _check(pair: Pair, where: str) -> None:
    if pair.split not in SPLITS:
        raise UsageError(f"{where}: split {pair.split!r} is none of {', '.join(SPLITS)}")
    for name in ("prompt", "answer", "isa"):
        if not getattr(pair, name):
            raise UsageError(f"{where}: {name} is empty")
    if any(mark in pair.prompt for mark in (PAD, END, ANSWER, KEEP)):
        raise UsageError(f"{where}: the prompt holds a mark that only training adds")
    if pair.prompt.count("<|region|>") != 1 or pair.prompt.count("<|/region|>") != 1:
        raise UsageError(f"{where}: the prompt has to mark exactly one region")
    if any(mark in pair.answer for mark in SPECIAL):
        raise UsageError(f"{where}: the answer holds a special token")
