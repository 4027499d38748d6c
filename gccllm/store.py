"""The store: accepted rewrites, what every judgement said, and counters. SQLite in WAL mode.

    STORE/store.sqlite   the data
    STORE/index          fingerprints of the units that have rewrites: what the cc1 shim looks at
    STORE/events         one reason a line, appended by the shim; folded into the counters here

A rewrite is keyed by what decides whether it may be applied: the normalised unit, the compiler's
identity and the instruction set. Whole units are the key because a function may only be right for
the callers that it has there (clones, inter-procedural register allocation).

Writers wait for each other (``make -j``); a killed process leaves the last complete state; a
store that is corrupt, read-only or on a full disk raises StoreError, which the driver counts and
survives. The compile path imports this module: standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import StoreError
from gccllm.types import Json, Speedup, Verdict

__all__ = ["INDEX_MAGIC", "Judgement", "Rewrite", "Store", "UnitKey"]

SCHEMA_VERSION = 1
INDEX_MAGIC = b"GCCLLMX1"
BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE rewrites (
    id INTEGER PRIMARY KEY,
    unit_key TEXT NOT NULL, compiler TEXT NOT NULL, isa TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    unit TEXT NOT NULL,
    baseline_sha TEXT NOT NULL,
    baseline BLOB NOT NULL,
    text BLOB NOT NULL,
    functions TEXT NOT NULL,
    proposer TEXT NOT NULL, label TEXT NOT NULL, assurance TEXT NOT NULL,
    speedup REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    evidence TEXT NOT NULL, program TEXT NOT NULL, created REAL NOT NULL,
    UNIQUE (unit_key, compiler, isa)
);
CREATE INDEX rewrites_by_fingerprint ON rewrites (fingerprint);
CREATE TABLE searches (
    program_key TEXT PRIMARY KEY,
    outcome TEXT NOT NULL, detail TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE judgements (
    id INTEGER PRIMARY KEY,
    program TEXT NOT NULL, unit TEXT NOT NULL, functions TEXT NOT NULL,
    proposer TEXT NOT NULL, label TEXT NOT NULL,
    verdict TEXT NOT NULL, detail TEXT NOT NULL, evidence TEXT NOT NULL,
    speedup REAL, low REAL, high REAL,
    text BLOB NOT NULL, baseline BLOB NOT NULL,
    seconds REAL NOT NULL, created REAL NOT NULL
);
CREATE INDEX judgements_by_program ON judgements (program, unit);
CREATE TABLE counters (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class UnitKey:
    """What a rewrite is keyed by; see ``asm.normalise.unit_key`` for ``unit_key``."""

    unit_key: str
    compiler: str
    isa: str


@dataclass(frozen=True)
class Rewrite:
    """An accepted candidate as stored: the unit's ``baseline`` and the ``text`` that replaces it.

    ``functions`` are those that differ. Speedups are of the whole program that it was judged in.
    """

    key: UnitKey
    fingerprint: int
    unit: str
    baseline_sha: str
    baseline: str
    text: str
    functions: tuple[str, ...]
    proposer: str
    label: str
    assurance: str
    speedup: Speedup
    evidence: Mapping[str, Json]
    program: str
    created: float = 0.0


@dataclass(frozen=True)
class Judgement:
    """One verdict as recorded, with both texts of the functions that it is about."""

    program: str
    unit: str
    functions: tuple[str, ...]
    proposer: str
    label: str
    verdict: Verdict
    text: str = ""
    baseline: str = ""
    created: float = 0.0


class Store:
    """An open store. Use as a context manager; every method raises StoreError when it can't."""

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        """Open, or make, the store in ``folder``. A newer schema than ours is refused."""
        self.folder = folder
        path = folder / "store.sqlite"
        with _translated(path):
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            mode = "rwc" if create else "rw"
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            self._db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def put(self, rewrite: Rewrite) -> None:
        """Keep a rewrite; an earlier one of the same key is replaced. The index follows."""
        row = (
            rewrite.key.unit_key,
            rewrite.key.compiler,
            rewrite.key.isa,
            _signed(rewrite.fingerprint),
            rewrite.unit,
            rewrite.baseline_sha,
            _pack(rewrite.baseline),
            _pack(rewrite.text),
            json.dumps(rewrite.functions),
            rewrite.proposer,
            rewrite.label,
            rewrite.assurance,
            rewrite.speedup.ratio,
            rewrite.speedup.low,
            rewrite.speedup.high,
            json.dumps({**rewrite.evidence, "pairs": rewrite.speedup.pairs}),
            rewrite.program,
            rewrite.created or time.time(),
        )
        marks = ",".join("?" * (len(row)))
        with self._transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO rewrites VALUES (NULL,{marks})", row)
            self._write_index()

    def find(self, key: UnitKey) -> Rewrite | None:
        with _translated(self.folder):
            row = self._db.execute(
                "SELECT * FROM rewrites WHERE unit_key=? AND compiler=? AND isa=?",
                (key.unit_key, key.compiler, key.isa),
            ).fetchone()
        return _rewrite(row) if row else None

    def rewrites(self) -> list[Rewrite]:
        """All of them, oldest first."""
        with _translated(self.folder):
            rows = self._db.execute("SELECT * FROM rewrites ORDER BY created, id").fetchall()
        return [_rewrite(row) for row in rows]

    def remove(self, key: UnitKey) -> None:
        with self._transaction() as db:
            db.execute(
                "DELETE FROM rewrites WHERE unit_key=? AND compiler=? AND isa=?",
                (key.unit_key, key.compiler, key.isa),
            )
            self._write_index()

    def search_result(self, program_key: str) -> tuple[str, str] | None:
        """(outcome, detail) of an earlier search with the same program, tests and options."""
        with _translated(self.folder):
            row = self._db.execute(
                "SELECT outcome, detail FROM searches WHERE program_key=?", (program_key,)
            ).fetchone()
        return (row[0], row[1]) if row else None

    def put_search(self, program_key: str, outcome: str, detail: str) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO searches VALUES (?,?,?,?)",
                (program_key, outcome, detail, time.time()),
            )

    def note(self, judgements: Sequence[Judgement]) -> None:
        """Record verdicts, and count them."""
        with self._transaction() as db:
            for entry in judgements:
                verdict, ratio = entry.verdict, entry.verdict.speedup
                db.execute(
                    "INSERT INTO judgements VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        entry.program,
                        entry.unit,
                        json.dumps(entry.functions),
                        entry.proposer,
                        _plain(entry.label),
                        verdict.kind.value,
                        _plain(verdict.detail),
                        json.dumps({"tests_run": verdict.tests_run, **verdict.evidence}),
                        ratio.ratio if ratio else None,
                        ratio.low if ratio else None,
                        ratio.high if ratio else None,
                        _pack(entry.text),
                        _pack(entry.baseline),
                        verdict.seconds,
                        entry.created or time.time(),
                    ),
                )
                _count(db, f"verdict:{verdict.kind.value}", 1)

    def judgements(self, program: str = "", function: str = "") -> Iterator[dict[str, Json]]:
        """Recorded verdicts, newest first, as plain rows; texts under "text" and "baseline"."""
        with _translated(self.folder):
            cursor = self._db.execute("SELECT * FROM judgements ORDER BY id DESC")
            names = [x[0] for x in cursor.description]
            for row in cursor:
                entry: dict[str, Json] = dict(zip(names, row, strict=True))
                entry["functions"] = json.loads(str(entry["functions"]))
                entry["evidence"] = json.loads(str(entry["evidence"]))
                if program and program not in (entry["program"], Path(str(entry["program"])).name):
                    continue
                functions = entry["functions"]
                if function and not (isinstance(functions, list) and function in functions):
                    continue
                entry["text"] = _unpack(row[names.index("text")])
                entry["baseline"] = _unpack(row[names.index("baseline")])
                yield entry

    def count(self, name: str, by: int = 1) -> None:
        with self._transaction() as db:
            _count(db, name, by)

    def counters(self) -> dict[str, int]:
        """All counters by name, the shim's events folded in."""
        self._fold_events()
        with _translated(self.folder):
            return dict(self._db.execute("SELECT name, count FROM counters ORDER BY name"))

    def verify(self) -> list[str]:
        """What is wrong with the store, a line each; nothing for a sound one."""
        wrong: list[str] = []
        with _translated(self.folder):
            wrong += [x[0] for x in self._db.execute("PRAGMA integrity_check") if x[0] != "ok"]
            for row in self._db.execute("SELECT * FROM rewrites"):
                try:
                    _rewrite(row)
                except (ValueError, zlib.error) as error:
                    wrong.append(f"rewrite {row[0]}: {error}")
            if self._index_bytes() != _read_or_empty(self.folder / "index"):
                wrong.append("the index does not match the rewrites; 'gccllm store gc' rebuilds it")
        return wrong

    def gc(self, older_than_seconds: float) -> int:
        """Forget rewrites, judgements and searches older than that; returns rows removed."""
        limit = time.time() - older_than_seconds
        removed = 0
        with self._transaction() as db:
            for table in ("rewrites", "judgements", "searches"):
                removed += db.execute(f"DELETE FROM {table} WHERE created < ?", (limit,)).rowcount
            self._write_index()
        with _translated(self.folder):
            self._db.execute("VACUUM")
        return removed

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {self.folder} was made by a newer gccllm (schema {version}); "
                "set GCCLLM_STORE to another folder or upgrade"
            )
        self._db.execute("BEGIN IMMEDIATE")
        if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        self._db.execute("COMMIT")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _translated(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                self._restore_index()
                raise

    def _restore_index(self) -> None:
        """It may have run ahead of a transaction that failed at its end, on a full disk perhaps.
        What can't be mended now, the next writer mends."""
        with contextlib.suppress(sqlite3.Error, OSError):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if self._index_bytes() != _read_or_empty(self.folder / "index"):
                    self._write_index()
            finally:
                self._db.execute("ROLLBACK")

    def _index_bytes(self) -> bytes:
        rows = self._db.execute("SELECT DISTINCT fingerprint FROM rewrites").fetchall()
        prints = sorted(x[0] & (1 << 64) - 1 for x in rows)
        return INDEX_MAGIC + struct.pack(f"<Q{len(prints)}Q", len(prints), *prints)

    def _write_index(self) -> None:
        """Inside a transaction, so that writers take turns; replaced atomically for readers."""
        handle, name = tempfile.mkstemp(prefix="index-", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._index_bytes())
            Path(name).replace(self.folder / "index")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _fold_events(self) -> None:
        """The events file is renamed first, so that a line appended meanwhile isn't lost."""
        events = self.folder / "events"
        taken = self.folder / f"events-{os.getpid()}"
        with _translated(self.folder):
            try:
                events.rename(taken)
            except FileNotFoundError:
                return
            reasons = taken.read_text(errors="replace").splitlines()
        with self._transaction() as db:
            for reason in reasons:
                _count(db, f"shim:{reason}", 1)
        taken.unlink(missing_ok=True)


def _count(db: sqlite3.Connection, name: str, by: int) -> None:
    db.execute(
        "INSERT INTO counters VALUES (?,?) ON CONFLICT (name) DO UPDATE SET count=count+?",
        (name, by, by),
    )


def _rewrite(row: Sequence[object]) -> Rewrite:
    values = list(row)[1:]
    key = UnitKey(str(values[0]), str(values[1]), str(values[2]))
    evidence = json.loads(str(values[15]))
    ratio, low, high = (float(str(x)) for x in values[12:15])
    return Rewrite(
        key=key,
        fingerprint=int(str(values[3])) & (1 << 64) - 1,
        unit=str(values[4]),
        baseline_sha=str(values[5]),
        baseline=_unpack(values[6]),
        text=_unpack(values[7]),
        functions=tuple(json.loads(str(values[8]))),
        proposer=str(values[9]),
        label=str(values[10]),
        assurance=str(values[11]),
        speedup=Speedup(ratio, low, high, int(evidence.pop("pairs", 0))),
        evidence=evidence,
        program=str(values[16]),
        created=float(str(values[17])),
    )


@contextmanager
def _translated(where: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, zlib.error, UnicodeError) as error:
        raise StoreError(f"the store at {where} can't be used: {error}") from error


def _plain(text: str) -> str:
    """Text that is valid Unicode: labels and details may quote bytes of a candidate."""
    return text.encode("utf-8", "backslashreplace").decode()


def _signed(value: int) -> int:
    """SQLite's integers are signed."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _pack(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogateescape"))


def _unpack(blob: object) -> str:
    if not isinstance(blob, bytes):
        raise ValueError("a text is missing")
    return zlib.decompress(blob).decode("utf-8", "surrogateescape")


def _read_or_empty(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return INDEX_MAGIC + struct.pack("<Q", 0)
