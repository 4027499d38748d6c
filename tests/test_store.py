"""The store: atomic, shared, versioned, and never in the way."""

from __future__ import annotations

import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import StoreError
from gccllm.store import INDEX_MAGIC, Judgement, Rewrite, Store, UnitKey
from gccllm.types import Speedup, Verdict, VerdictKind

REWRITE = Rewrite(
    key=UnitKey("k" * 64, "c" * 16, "target-1"),
    fingerprint=0xFEDCBA9876543210,
    unit="foo",
    baseline_sha="s" * 64,
    baseline="\tret\n",
    text="\tnop\n\tret\n\udc80",
    functions=("main", "f"),
    proposer="compilers",
    label="gcc -O2",
    assurance="tests",
    speedup=Speedup(1.5, 1.4, 1.6, 20),
    evidence={"control": 1.0},
    program="/tmp/foo",
    created=1000.0,
)


def index_of(folder: Path) -> list[int]:
    data = (folder / "index").read_bytes()
    assert data[:8] == INDEX_MAGIC
    (count,) = struct.unpack_from("<Q", data, 8)
    return list(struct.unpack_from(f"<{count}Q", data, 16))


def test_a_rewrite_comes_back_as_it_was(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(REWRITE)
    with Store(tmp_path) as store:
        assert store.find(REWRITE.key) == REWRITE
        assert store.find(replace(REWRITE.key, isa="other")) is None
        assert store.rewrites() == [REWRITE]


def test_a_new_rewrite_of_the_same_key_replaces_the_old(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(REWRITE)
        store.put(replace(REWRITE, label="better"))
        assert [x.label for x in store.rewrites()] == ["better"]


def test_the_index_lists_fingerprints_in_order(tmp_path: Path) -> None:
    other = replace(REWRITE, key=UnitKey("l", "c", "i"), fingerprint=7)
    with Store(tmp_path) as store:
        store.put(REWRITE)
        store.put(other)
        assert index_of(tmp_path) == [7, REWRITE.fingerprint]
        store.remove(other.key)
        assert index_of(tmp_path) == [REWRITE.fingerprint]
        assert store.verify() == []


def test_the_index_does_not_run_ahead_of_a_commit_that_fails(tmp_path: Path) -> None:
    other = replace(REWRITE, key=UnitKey("l", "c", "i"), fingerprint=7)
    with Store(tmp_path) as store:
        store.put(REWRITE)
        with sqlite3.connect(tmp_path / "store.sqlite") as db:
            # what only the end of a transaction refuses
            db.execute("CREATE TABLE whole (id INTEGER PRIMARY KEY)")
            db.execute("CREATE TABLE part (id REFERENCES whole (id) DEFERRABLE INITIALLY DEFERRED)")
            db.execute(
                "CREATE TRIGGER late AFTER INSERT ON rewrites"
                " BEGIN INSERT INTO part VALUES (1); END"
            )
        store._db.execute("PRAGMA foreign_keys=ON")
        with pytest.raises(StoreError):
            store.put(other)
        assert index_of(tmp_path) == [REWRITE.fingerprint]
        assert store.verify() == []
        assert store.rewrites() == [REWRITE]


def test_verify_finds_a_stale_index_and_a_damaged_text(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(REWRITE)
        (tmp_path / "index").write_bytes(b"")
        assert any("index" in x for x in store.verify())
        store.gc(1e12)
        assert store.verify() == []
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute("UPDATE rewrites SET text = x'00'")
    db.close()
    with Store(tmp_path) as store:
        assert any("rewrite 1" in x for x in store.verify())


def test_verdicts_are_kept_and_counted(tmp_path: Path) -> None:
    verdict = Verdict(VerdictKind.WRONG_OUTPUT, "case 1", {"line": 3}, Speedup(2, 1, 3, 5))
    entry = Judgement("/tmp/foo", "foo", ("main",), "p", "l", verdict, text="a", baseline="b")
    with Store(tmp_path) as store:
        store.note([entry, entry])
        assert store.counters() == {"verdict:wrong-output": 2}
        found = list(store.judgements("foo", "main"))
        assert len(found) == 2
        assert found[0]["evidence"] == {"line": 3, "tests_run": 0}
        assert (found[0]["text"], found[0]["baseline"]) == ("a", "b")
        assert list(store.judgements("foo", "other")) == []


def test_a_verdict_may_quote_any_bytes(tmp_path: Path) -> None:
    verdict = Verdict(VerdictKind.SCREENED, "line 1: \udc80", {"found": "\udc80"})
    with Store(tmp_path) as store:
        store.note([Judgement("p", "u", (), "p", "\udcff", verdict, text="\udc80")])
        (entry,) = store.judgements()
    assert entry["detail"] == "line 1: \\udc80"
    assert entry["text"] == "\udc80"


def test_events_of_the_shim_are_folded_into_the_counters(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        (tmp_path / "events").write_text("lto\nlto\nno-python\n")
        assert store.counters() == {"shim:lto": 2, "shim:no-python": 1}
        (tmp_path / "events").write_text("lto\n")
        assert store.counters()["shim:lto"] == 3
        assert not (tmp_path / "events").exists()


def test_a_search_is_remembered(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.search_result("key") is None
        store.put_search("key", "nothing-faster", "why")
        assert store.search_result("key") == ("nothing-faster", "why")


def test_gc_forgets_what_is_old(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(REWRITE)
        store.put(replace(REWRITE, key=UnitKey("new", "c", "i"), created=time.time()))
        assert store.gc(3600) == 1
        assert [x.key.unit_key for x in store.rewrites()] == ["new"]


def test_a_corrupt_store_is_an_error_that_says_where(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is no database, but long enough" * 100)
    with pytest.raises(StoreError, match=str(tmp_path)):
        Store(tmp_path)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    db = sqlite3.connect(tmp_path / "store.sqlite")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreError, match="newer"):
        Store(tmp_path)


def test_a_store_that_is_not_there_is_not_made_for_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for a full disk: writes beyond it fail like ENOSPC."""
    with Store(tmp_path) as store:
        store.put(REWRITE)
    program = f"""
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from gccllm.errors import StoreError
from gccllm.store import Store, UnitKey
from dataclasses import replace
store = Store(Path({str(tmp_path)!r}))
text = os.urandom(2000000).hex()
rewrite = replace(store.rewrites()[0], key=UnitKey("other", "c", "i"), text=text)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    store.put(rewrite)
except StoreError:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 7
    with Store(tmp_path) as store:
        assert store.rewrites() == [REWRITE]
        assert store.verify() == []


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from gccllm.store import Store, UnitKey
base = Path(sys.argv[1])
with Store(base) as store:
    first = store.rewrites()[0]
    print("ready", flush=True)
    for number in range(int(sys.argv[3])):
        key = UnitKey(f"{sys.argv[2]}-{number}", "c", "i")
        store.put(replace(first, key=key, fingerprint=number))
        store.count("puts")
"""


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(REWRITE)
    argv = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*argv, str(n), "25"], stdout=subprocess.DEVNULL) for n in range(4)]
    assert [x.wait(60) for x in writers] == [0, 0, 0, 0]
    with Store(tmp_path) as store:
        assert len(store.rewrites()) == 101
        assert store.counters() == {"puts": 100}
        assert store.verify() == []


def test_kill_nine_in_the_middle_leaves_a_sound_store(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(REWRITE)
    argv = [sys.executable, "-c", WRITER, str(tmp_path), "x", "100000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.3)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait(10)
    with Store(tmp_path) as store:
        assert REWRITE in store.rewrites()
        store.put(replace(REWRITE, key=UnitKey("after", "c", "i")))
        assert store.verify() == []
