"""Whole programs as rows: the columns of the published dataset, and our own behind them.

The published columns are ``data_source``, ``prompt``, ``ability``, ``reward_model`` and
``extra_info`` (dataset ``LLM4Code/llm_superoptimizer_ds``); its ``unoptimized_…`` fields hold the
baseline, however it was made. Ours say how: compiler, flags, and what kind of baseline it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.prompts import answer_text, c_only_prompt, paper_prompt
from trainer.folders import replace_file

__all__ = [
    "PROGRAM_SPLITS",
    "CaseExtra",
    "ProgramRow",
    "baseline_kind",
    "read_program_rows",
    "row_of",
    "write_program_rows",
]

PROGRAM_SPLITS = ("train", "val", "fewshot")
ABILITY = "code"
PUBLISHED = ("data_source", "prompt", "ability", "reward_model", "extra_info")
OUR_TEXTS = ("program", "origin", "problem", "group", "compiler", "flags", "baseline", "cases")
_ROWS_AT_ONCE = 256
_OPTIMISED = re.compile(r"^\t(?:\.p2align 4|\.section\t\.text\.(?:startup|unlikely))", re.MULTILINE)
_FRAME_SLOT = re.compile(r"\t-\d+\(%rbp\)|, -\d+\(%rbp\)")


@dataclass(frozen=True)
class CaseExtra:
    """What a test has beside stdin and stdout, which the published columns do not hold."""

    args: tuple[str, ...] = ()
    exit_status: int = 0


@dataclass(frozen=True)
class ProgramRow:
    """A program, its baseline assembly and its tests.

    ``inputs`` and ``outputs`` are stdin and stdout of each test, ``extras`` what else it has (one
    for each test). ``origin`` says where the program comes from, ``problem`` which task it solves,
    ``group`` what goes into one split as a whole. ``compiler`` is gcc's version line, ``flags``
    what it was given and ``baseline`` what that made: "O3" by ourselves, else what the text looks
    like (:func:`baseline_kind`). ``ratio`` is the time at -O0 by that at -O3, 0 where it was not
    measured. ``compiled`` is the baseline's executable, b"" where there is none.
    """

    name: str
    c_code: str
    assembly: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    split: str = "train"
    extras: tuple[CaseExtra, ...] = ()
    origin: str = ""
    problem: str = ""
    group: str = ""
    compiler: str = ""
    flags: str = ""
    baseline: str = ""
    ratio: float = 0.0
    compiled: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.extras:
            object.__setattr__(self, "extras", (CaseExtra(),) * len(self.inputs))
        if not len(self.inputs) == len(self.outputs) == len(self.extras):
            raise UsageError(f"{self.name}: inputs, outputs and extras differ in number")

    @property
    def question(self) -> str:
        """The published prompt with the baseline."""
        return paper_prompt(self.c_code, self.assembly)

    @property
    def c_only_question(self) -> str:
        """The published prompt without it."""
        return c_only_prompt(self.c_code)

    def record(self, index: int) -> dict[str, Any]:
        """As a parquet row; ``index`` is its place in its split."""
        return {
            "data_source": self.origin,
            "prompt": [{"role": "user", "content": self.question}],
            "ability": ABILITY,
            "reward_model": {"style": "rule", "ground_truth": self.assembly},
            "extra_info": {
                "split": self.split,
                "index": index,
                "c_code": self.c_code,
                "question": self.question,
                "c_only_question": self.c_only_question,
                "answer": answer_text(self.assembly),
                "inputs": list(self.inputs),
                "outputs": list(self.outputs),
                "unoptimized_assembly": self.assembly,
                "unoptimized_compiled": self.compiled,
            },
            "program": self.name,
            "origin": self.origin,
            "problem": self.problem,
            "group": self.group,
            "compiler": self.compiler,
            "flags": self.flags,
            "baseline": self.baseline,
            "cases": json.dumps([asdict(x) for x in self.extras]),
            "ratio": self.ratio,
        }


def row_of(record: Mapping[str, Any], *, name: str = "", split: str = "") -> ProgramRow:
    """A row from a record, also one that has the published columns alone; ``name`` and ``split``
    are for those. Raises LookupError, TypeError or ValueError for what is no such record, and
    UsageError where the tests do not fit together."""
    info = record["extra_info"]
    assembly = str(info["unoptimized_assembly"])
    extras = record.get("cases") or "[]"
    ours = {x: str(record.get(x) or "") for x in OUR_TEXTS}
    return ProgramRow(
        name=ours["program"] or name or f"row-{int(info['index'])}",
        c_code=str(info["c_code"]),
        assembly=assembly,
        inputs=tuple(map(str, info["inputs"])),
        outputs=tuple(map(str, info["outputs"])),
        split=str(info.get("split") or split or "train"),
        extras=tuple(CaseExtra(tuple(x["args"]), x["exit_status"]) for x in json.loads(extras)),
        origin=ours["origin"] or str(record.get("data_source") or ""),
        problem=ours["problem"],
        group=ours["group"],
        compiler=ours["compiler"],
        flags=ours["flags"],
        baseline=ours["baseline"] or baseline_kind(assembly),
        ratio=float(record.get("ratio") or 0.0),
        compiled=bytes(info.get("unoptimized_compiled") or b""),
    )


def baseline_kind(assembly: str) -> str:
    """What gcc's assembly of unknown flags looks like: "looks-optimised" where functions are
    aligned or main lies in ``.text.startup`` (gcc from -O2 on), "looks-unoptimised" where locals
    live in the frame, else "unknown"."""
    if _OPTIMISED.search(assembly):
        return "looks-optimised"
    return "looks-unoptimised" if _FRAME_SLOT.search(assembly) else "unknown"


def write_program_rows(path: Path, rows: Sequence[ProgramRow]) -> None:
    """Write rows as one parquet file, all or nothing; indices are their places.

    Raises UsageError for a text that no UTF-8 encoder takes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [x.record(index) for index, x in enumerate(rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        table = pa.Table.from_pylist(records, schema=_schema())
    except (UnicodeEncodeError, pa.ArrowException) as error:
        raise UsageError(f"{path}: {error}") from error
    replace_file(path, lambda part: pq.write_table(table, part, compression="zstd"))


def read_program_rows(path: Path, split: str = "") -> Iterator[ProgramRow]:
    """The rows of a parquet file, or of those that lie in a folder (not below it: unchosen rows
    may); only those of ``split`` if given. A file of the published columns alone is read as well.

    Raises UsageError for anything else, naming file and row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
    if not files:
        raise UsageError(f"no *.parquet in {path}")
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                missing = [x for x in PUBLISHED if x not in opened.schema_arrow.names]
                if missing:
                    raise UsageError(f"{file} has no column {missing[0]}: no dataset of programs")
                yield from _rows_of(opened.iter_batches(_ROWS_AT_ONCE), file, split)
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{file} can't be read as parquet: {error}") from error


def _rows_of(batches: Iterable[Any], file: Path, split: str) -> Iterator[ProgramRow]:
    number = 0
    for batch in batches:
        for record in batch.to_pylist():
            try:
                row = row_of(
                    record, name=f"{file.stem}-{number:05d}", split=file.stem.split("-")[0]
                )
            except (LookupError, TypeError, ValueError) as error:
                raise UsageError(f"{file}, row {number}: {error}") from error
            number += 1
            if not split or row.split == split:
                yield row


def _schema() -> Any:
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    info = pa.struct(
        [
            ("split", text),
            ("index", pa.int64()),
            ("c_code", text),
            ("question", text),
            ("c_only_question", text),
            ("answer", text),
            ("inputs", texts),
            ("outputs", texts),
            ("unoptimized_assembly", text),
            ("unoptimized_compiled", pa.binary()),
        ]
    )
    return pa.schema(
        [
            ("data_source", text),
            ("prompt", pa.list_(pa.struct([("role", text), ("content", text)]))),
            ("ability", text),
            ("reward_model", pa.struct([("style", text), ("ground_truth", text)])),
            ("extra_info", info),
            *((name, text) for name in OUR_TEXTS),
            ("ratio", pa.float64()),
        ]
    )
