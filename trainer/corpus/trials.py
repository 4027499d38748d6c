"""Many programs tried out in parallel, and what was found kept: a run that was stopped goes on.

The work is cut into *lots* (the submissions to one problem, or one program of a folder). A lot's
rows are a parquet file below ``work/``, written by whoever tried it; the ledger beside them then
says that it is done and what was left out, and why.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from gccllm.errors import GccllmError
from gccllm.sandbox.choice import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Json
from trainer.corpus.program_rows import ProgramRow, read_program_rows, write_program_rows
from trainer.corpus.program_trial import Demands, Wanted, try_program
from trainer.corpus.programs import Dropped
from trainer.evaluation.ledger import Ledger

__all__ = ["Lot", "Tried", "try_lots"]

EVERY_SECONDS = 5.0
"""between lines of progress"""


@dataclass(frozen=True)
class Lot:
    """Programs that are tried one after the other; ``key`` names the file of their rows."""

    key: str
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Tried:
    """What is known in the end: where rows lie, and reasons → how many programs were left out."""

    files: tuple[Path, ...]
    left_out: Counter[str]

    def rows(self) -> Iterator[ProgramRow]:
        """All rows, in the order of the lots."""
        for path in self.files:
            yield from read_program_rows(path)


def try_lots(
    lots: Sequence[Lot],
    demands: Demands,
    out: Path,
    *,
    jobs: int,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Tried | None:
    """Try what is not done yet with ``jobs`` processes; None where ``stop()`` ended it first.

    A lot that fails by our own fault (no core came free, the sandbox broke) is said and left for
    the next call. Raises UsageError for an ``out`` that other demands or another compiler filled.
    """
    folder = out / "work"
    settings: dict[str, Json] = {**_json(demands), "compiler": Toolchain().identity.version}
    ledger = Ledger(folder, "lots", settings)
    missing = [x for x in lots if x.key not in ledger]
    before = done = len(lots) - len(missing)
    say(f"{len(lots)} lots, {done} of them done already")
    started = told = time.monotonic()
    kept = sum(int(x["kept"]) for x in ledger.entries.values())
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        running = {pool.submit(_try_lot, lot, demands, folder): lot for lot in missing}
        try:
            for future in as_completed(running):
                lot = running[future]
                try:
                    count, left_out = future.result()
                except (GccllmError, OSError) as error:
                    say(f"{lot.key}: {error}; it is tried again by the next call")
                    continue
                ledger.add(lot.key, {"kept": count, "left_out": left_out})
                done, kept = done + 1, kept + count
                now = time.monotonic()
                if now - told > EVERY_SECONDS or done == len(lots):
                    told = now
                    left = (len(lots) - done) * (now - started) / (done - before)
                    say(f"{done}/{len(lots)} lots, {kept} programs, {left / 60:.0f} min left")
                if stop():
                    return None
        finally:
            pool.shutdown(cancel_futures=True)
    files, total = [], Counter[str]()
    for lot in lots:
        if lot.key in ledger:
            entry = ledger.entries[lot.key]
            total.update({str(k): int(n) for k, n in entry["left_out"].items()})
            if entry["kept"]:
                files.append(folder / f"{lot.key}.parquet")
    return Tried(tuple(files), total)


def _try_lot(lot: Lot, demands: Demands, folder: Path) -> tuple[int, dict[str, int]]:
    """In a process of its own: → rows written, and what was left out."""
    tools, sandbox = Toolchain(), choose()
    rows: list[ProgramRow] = []
    left_out: Counter[str] = Counter()
    for wanted in lot.wanted:
        tried = try_program(tools, sandbox, wanted, demands)
        if isinstance(tried, Dropped):
            left_out[tried.reason.split(":")[0]] += 1
        else:
            rows.append(tried)
    if rows:
        write_program_rows(folder / f"{lot.key}.parquet", rows)
    return len(rows), dict(left_out)


def _json(demands: Demands) -> dict[str, Json]:
    return {x: list(v) if isinstance(v, tuple) else v for x, v in asdict(demands).items()}
