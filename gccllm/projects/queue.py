"""Layers of candidates to be judged, in the store's folder: several lanes take from it at once.

    STORE/queue.sqlite

A search is open from when it is announced until its owner closes it or stays away for long. A job
that was taken and not finished in time is given to the next who asks: a lane may die.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gccllm.errors import StoreError
from gccllm.types import Candidate, Json

__all__ = ["Announced", "Job", "Queue"]

BUSY_SECONDS = 10.0
GONE_SECONDS = 120.0
"""an owner who has not been heard of for so long has died"""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS searches (id TEXT PRIMARY KEY, cpu TEXT, spec BLOB, heard REAL);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, search TEXT NOT NULL, layer BLOB NOT NULL,
    taken REAL, until REAL, result BLOB, collected INTEGER NOT NULL DEFAULT 0
);
"""


@dataclass(frozen=True)
class Announced:
    """An open search; ``spec`` is what a lane needs to judge for it."""

    id: str
    spec: Mapping[str, Json]


@dataclass(frozen=True)
class Job:
    """A layer to be judged. ``result`` once it is done."""

    id: int
    layer: tuple[Candidate, ...]
    result: Mapping[str, Json] | None = None


class Queue:
    """The queue of a store's folder, for several processes; every method raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "queue.sqlite"
        with self._guarded():
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def announce(self, cpu: str, spec: Mapping[str, Json]) -> str:
        """Open a search for lanes whose machine has that ``cpu``; its id."""
        name = uuid.uuid4().hex
        with self._guarded():
            self._forget_gone()
            row = (name, cpu, _pack(spec), time.time())
            self._db.execute("INSERT INTO searches VALUES (?,?,?,?)", row)
        return name

    def end(self, search: str) -> None:
        """Close it: its jobs are nobody's any more."""
        with self._guarded():
            self._db.execute("DELETE FROM searches WHERE id=?", (search,))
            self._db.execute("DELETE FROM jobs WHERE search=?", (search,))

    def open_search(self, cpu: str) -> Announced | None:
        """The oldest that is open for that CPU."""
        with self._guarded():
            self._forget_gone()
            query = "SELECT id, spec FROM searches WHERE cpu=? ORDER BY rowid LIMIT 1"
            row = self._db.execute(query, (cpu,)).fetchone()
        return Announced(row[0], _load(row[1])) if row else None

    def is_open(self, search: str) -> bool:
        with self._guarded():
            self._forget_gone()
            row = self._db.execute("SELECT 1 FROM searches WHERE id=?", (search,)).fetchone()
        return row is not None

    def put(self, search: str, layer: Sequence[Candidate]) -> None:
        """One more job."""
        with self._guarded():
            body = _pack({"layer": [asdict(x) for x in layer]})
            self._db.execute("INSERT INTO jobs (search, layer) VALUES (?,?)", (search, body))

    def take(self, search: str, seconds: float) -> Job | None:
        """The oldest that nobody has, or whose taker is late; the caller's for ``seconds``."""
        now = time.time()
        with self._guarded():
            row = self._db.execute(
                "UPDATE jobs SET taken=?, until=? WHERE id=(SELECT id FROM jobs WHERE search=? AND "
                "result IS NULL AND (until IS NULL OR until<?) ORDER BY id LIMIT 1) "
                "RETURNING id, layer",
                (now, now + seconds, search, now),
            ).fetchone()
        return _job(row[0], row[1], None) if row else None

    def finish(self, job: Job, result: Mapping[str, Json]) -> None:
        """What came of it; the first one counts."""
        with self._guarded():
            self._db.execute(
                "UPDATE jobs SET result=? WHERE id=? AND result IS NULL", (_pack(result), job.id)
            )

    def give_back(self, job: Job) -> None:
        """For somebody else to take at once."""
        with self._guarded():
            self._db.execute("UPDATE jobs SET until=NULL WHERE id=?", (job.id,))

    def collect(self, search: str) -> list[Job]:
        """Those that were done since the last call. The owner is heard of by it."""
        with self._guarded():
            self._db.execute("UPDATE searches SET heard=? WHERE id=?", (time.time(), search))
            rows = self._db.execute(
                "UPDATE jobs SET collected=1 WHERE search=? AND result IS NOT NULL AND collected=0 "
                "RETURNING id, layer, result",
                (search,),
            ).fetchall()
        return [_job(*row) for row in sorted(rows)]

    def left(self, search: str) -> int:
        """How many are not done."""
        with self._guarded():
            query = "SELECT count(*) FROM jobs WHERE search=? AND result IS NULL"
            return int(self._db.execute(query, (search,)).fetchone()[0])

    def _forget_gone(self) -> None:
        gone = time.time() - GONE_SECONDS
        self._db.execute("DELETE FROM searches WHERE heard<?", (gone,))
        self._db.execute("DELETE FROM jobs WHERE search NOT IN (SELECT id FROM searches)")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, zlib.error, ValueError) as error:
            raise StoreError(f"the queue at {self._path} can't be used: {error}") from error


def _job(number: int, layer: bytes, result: bytes | None) -> Job:
    candidates = tuple(
        Candidate(**{**x, "functions": tuple(x["functions"])}) for x in _load(layer)["layer"]
    )
    return Job(number, candidates, _load(result) if result is not None else None)


def _pack(value: Mapping[str, Json]) -> bytes:
    return zlib.compress(json.dumps(value).encode())


def _load(blob: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(zlib.decompress(blob))
    return loaded
