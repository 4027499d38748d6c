"""``gccllm explain``, ``stats`` and ``store`` on a store that has something to tell, and not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from gccllm.commands.stats import MEANINGS, meaning
from gccllm.store import Judgement, Store
from gccllm.types import Json, Speedup, Verdict, VerdictKind
from tests.cli.conftest import Command, Filled

READERS = [
    ("explain", "prog"),
    ("stats",),
    ("store", "list"),
    ("store", "show", "0"),
    ("store", "verify"),
    ("store", "gc"),
]


def test_explain_shows_verdicts_and_both_assemblies(inside: Command, filled: Filled) -> None:
    done = inside("explain", "prog")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    rows = [x for x in lines if "│" in x and "sample" in x and "gcc" not in x]
    assert ["accepted" in rows[0], "wrong-output" in rows[1], "screened" in rows[2]] == [True] * 3
    assert all("model" in x and "count" in x for x in rows)
    assert "2.50×" in rows[0]
    assert "case big: stdout differs from line 1 on" in rows[1]
    for kind in (VerdictKind.ACCEPTED, VerdictKind.WRONG_OUTPUT, VerdictKind.SCREENED):
        assert f"  {kind.value}: {kind.meaning}" in lines
    heads = next(x for x in lines if "count: gcc" in x)
    assert "count: sample 3" in heads
    popcnt = next(x for x in lines if "popcnt" in x)
    assert "popcnt" not in popcnt.split("│")[1]
    assert "popcnt" in popcnt.split("│")[2]
    assert '{"tests_run": 3}' in done.out


RUNGS: dict[str, Json] = {
    "abi": {"standing": "passed", "detail": "the ABI is kept in 9 instructions", "seconds": 0.01},
    "fuzz": {
        "standing": "passed",
        "detail": "the same on 141 mutated inputs",
        "seconds": 3.2,
        "kinds": {"number": 100, "length": 41},
    },
    "differential": {"standing": "unknown", "detail": "differs outside\x1b[2J", "seconds": 1.0},
    "proof": {
        "standing": "passed",
        "detail": "equal up to 12 jumps back",
        "bound": 12,
        "within": {"rsi": "0x0..0xff"},
        "seconds": 0.5,
    },
}
LADDER: dict[str, Json] = {
    "assurance": "fuzzed",
    "rungs": RUNGS,
    "blocks": {
        "gcc": {"blocks": 4, "never": 0, "shown": []},
        "candidate": {"blocks": 5, "never": 1, "shown": ["17: addl $1, %eax"]},
    },
}


def judged(filled: Filled, kind: VerdictKind, evidence: dict[str, Json]) -> None:
    speedup = Speedup(3.0, 2.9, 3.1, 20) if kind is VerdictKind.ACCEPTED else None
    verdict = Verdict(kind, "newest", evidence, speedup)
    about = ("/build/prog", "slow.c", ("count",), "model", "sample 4")
    with Store(filled.folder) as store:
        store.note([Judgement(*about, verdict, filled.fast, filled.slow)])


def test_explain_shows_what_vouches_for_a_rewrite(inside: Command, filled: Filled) -> None:
    evidence: dict[str, Json] = {"control": 1.001, "shift_32": 2.95, "ladder": {"count": LADDER}}
    judged(filled, VerdictKind.ACCEPTED, evidence)
    done = inside("explain", "prog")
    assert (done.status, done.err) == (0, "")
    rows = [[y.strip() for y in x.split("│")[1:-1]] for x in done.out.splitlines() if "│" in x]
    assert ["ABI check", "passed", "the ABI is kept in 9 instructions"] in rows
    assert [
        "program fuzzing",
        "passed",
        "the same on 141 mutated inputs; 100 number, 41 length; 3.2 s",
    ] in rows
    assert ["function alone", "unknown", "differs outside\\x1b[2J; 1.0 s"] in rows
    proof = next(x for x in rows if x[0] == "proof")
    assert "bound: 12 jumps back; rsi within 0x0..0xff" in proof[2]
    assert ["never run", "candidate", "block at line 17: addl $1, %eax"] in rows
    assert "assurance count: fuzzed" in done.out
    told = "3.00× (95%: 2.90–3.10) in interleaved pairs; gcc's own against itself 1.001×"
    assert f"measured {told}; by 32 2.950×" in done.out
    assert "\x1b[2J" not in done.out


def test_explain_shows_the_input_that_refutes(inside: Command, filled: Filled) -> None:
    found: dict[str, Json] = {
        "case": "big",
        "how": "big: the length 16 to 1",
        "args": ["-x"],
        "stdin_base64": "MSAxCg==",
        "baseline": {"ending": "exited", "code": 0, "stdout": "1\n"},
        "candidate": {"ending": "exited", "code": 0, "stdout": "0\n"},
    }
    refused: dict[str, Json] = {**LADDER, "refused": "fuzz", "why": "stdout differs"}
    evidence: dict[str, Json] = {"counterexample": found, "ladder": {"count": refused}}
    judged(filled, VerdictKind.DIFFERS, evidence)
    done = inside("explain", "prog:count")
    assert done.status == 0
    judged(filled, VerdictKind.DIFFERS, {"counterexample": "count(x=3): gcc's returns 2, …"})
    with sqlite3.connect(filled.folder / "store.sqlite") as db:
        db.execute("DELETE FROM judgements WHERE verdict = 'accepted'")
    assert "differs count(x=3): gcc's returns 2" in inside("explain", "prog:count").out
    with sqlite3.connect(filled.folder / "store.sqlite") as db:
        db.execute("DELETE FROM judgements WHERE id = (SELECT max(id) FROM judgements)")
    out = inside("explain", "prog:count").out
    for line in (
        "differs arguments: -x",
        "differs stdin: b'1 1\\n'",
        "differs made from big: the length 16 to 1",
        "differs gcc: ending 'exited', code 0, stdout '1\\n'",
        "differs candidate: ending 'exited', code 0, stdout '0\\n'",
    ):
        assert line in out
    assert "refused" in out


@pytest.mark.parametrize(
    "evidence",
    [
        {"ladder": 3},
        {"ladder": {"count": "odd"}},
        {"ladder": {"count": {"rungs": [1], "blocks": {"gcc": 2}}}},
        {"ladder": {"count": {"rungs": {"abi": None}, "blocks": {"gcc": {"shown": 1}}}}},
        {"counterexample": {"stdin_base64": "%%%", "args": 3}},
    ],
)
def test_odd_evidence_is_survived(
    inside: Command, filled: Filled, evidence: dict[str, Json]
) -> None:
    judged(filled, VerdictKind.ACCEPTED, evidence)
    assert inside("explain", "prog").status == 0


def test_counters_of_the_ladder_have_meanings() -> None:
    for name in (
        *("assurance:blocks-never-run", "assurance:of-the-future", "ladder:fuzz-no-time"),
        *("ladder:proof-failed", "apply:too-weak", "link:stored-too-weak", "reason:not-assured"),
    ):
        assert meaning(name)


@pytest.mark.parametrize("what", ["prog", "/build/prog", "prog:count", "/build/prog:count"])
def test_a_program_is_named_by_path_or_name(inside: Command, filled: Filled, what: str) -> None:
    done = inside("explain", what, "--no-asm", "--most", "1")
    assert done.status == 0
    assert "accepted" in done.out
    assert "popcnt" not in done.out
    assert "and 2 older ones; --most 3 shows all" in done.out


def test_a_function_without_success_shows_its_newest_candidate(
    inside: Command, filled: Filled
) -> None:
    with sqlite3.connect(filled.folder / "store.sqlite") as db:
        db.execute("DELETE FROM judgements WHERE verdict = 'accepted'")
    assert "count: gcc" not in inside("explain", "prog").out
    assert "count: sample 2" in inside("explain", "prog:count").out


def test_what_a_candidate_says_never_reaches_the_terminal_raw(
    inside: Command, filled: Filled
) -> None:
    done = inside("explain", "prog", env={"FORCE_COLOR": "1", "COLUMNS": "300"})
    assert "\x1b]0" not in done.out
    assert "\x1b[2J" not in done.out
    assert "sample [red]1[/red] \\x1b]0;owned\\x07 :0:" in done.out


@pytest.mark.parametrize("columns", ["1", "20", "40"])
@pytest.mark.parametrize("command", [("explain", "prog"), ("stats",), ("store", "list")])
def test_narrow_terminals_are_survived(
    inside: Command, filled: Filled, columns: str, command: tuple[str, ...]
) -> None:
    done = inside(*command, env={"COLUMNS": columns})
    assert (done.status, done.err) == (0, "")


def test_an_encoding_without_the_signs_is_survived(gccllm: Command, filled: Filled) -> None:
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for command in (("explain", "prog"), ("store", "list"), ("store", "verify")):
        done = gccllm(*command, env=env)
        assert (done.status, done.err) == (0, "")
        assert done.out.isascii()


def test_stats_counts_and_explains(inside: Command, filled: Filled) -> None:
    done = inside("stats")
    assert done.status == 0
    assert VerdictKind.ACCEPTED.meaning in done.out
    assert MEANINGS["reason:no-sandbox"] in done.out
    assert "new-in-the-future" in done.out
    counted = json.loads(inside("stats", "--json").out)
    assert counted["verdict:accepted"] == 1
    assert counted["shim:outcome:optimized"] == 1


def test_events_alone_are_enough_for_stats(inside: Command, own_store: Path) -> None:
    (own_store / "events").write_text("apply:applied\n")
    assert json.loads(inside("stats", "--json").out) == {"shim:apply:applied": 1}


def test_every_verdict_and_outcome_has_a_meaning() -> None:
    assert all(meaning(f"verdict:{x.value}") for x in VerdictKind)
    assert meaning("verdict:of-the-future") == ""
    assert meaning("no-such") == ""


def test_store_list_and_show(inside: Command, filled: Filled) -> None:
    done = inside("store", "list")
    assert done.status == 0
    row = next(x for x in done.out.splitlines() if "slow.c" in x).split("│")
    cells = [x.strip() for x in row[1:-1]]
    assert cells[1:7] == ["slow.c", "count", "model", "2.50 (2.40–2.60)", "target-1", "tests"]
    shown = inside("store", "show", cells[0][:6])
    assert shown.status == 0
    head = [x for x in shown.out.splitlines() if x.startswith("# ")]
    assert head[0] == "# slow.c: count"
    assert head[2] == "# 2.500× (2.400–2.600) in /build/prog"
    assert shown.out.endswith(filled.fast)
    missing = inside("store", "show", "xyz")
    assert (missing.status, missing.out) == (1, "")
    assert "begins with 'xyz'" in missing.err


def test_verify_finds_what_is_wrong_and_gc_mends_the_index(inside: Command, filled: Filled) -> None:
    assert inside("store", "verify").out == "the store is sound\n"
    (filled.folder / "index").write_bytes(b"nonsense")
    broken = inside("store", "verify")
    assert broken.status == 1
    assert "the index does not match the rewrites" in broken.out
    quick = filled.folder / "applied" / "0123-4567"
    quick.parent.mkdir()
    quick.write_text("made of a rewrite")
    assert inside("store", "gc").out == "rows removed: 0\n"
    assert not quick.exists()
    assert inside("store", "verify").status == 0
    assert inside("store", "gc", "--days", "0").out == "rows removed: 4\n"
    assert "holds no rewrite yet" in inside("store", "list").err


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_without_a_store_that_is_said(
    inside: Command, own_store: Path, command: tuple[str, ...]
) -> None:
    done = inside(*command)
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        f"gccllm: error: there is no store at {own_store} yet; gcc-llm makes it at its first link\n"
    )
    assert not (own_store / "store.sqlite").exists()


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_corrupt_store_is_one_line(
    inside: Command, own_store: Path, command: tuple[str, ...]
) -> None:
    (own_store / "store.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    done = inside(*command)
    assert done.status == 1
    assert f"gccllm: error: the store at {own_store}" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", [("explain", "prog"), ("stats",), ("store", "list")])
def test_an_empty_store_is_one_line(
    inside: Command, own_store: Path, command: tuple[str, ...]
) -> None:
    Store(own_store).close()
    done = inside(*command)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("gccllm: error: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("statement", "command"),
    [
        ("UPDATE rewrites SET text = 'no blob'", ("store", "list")),
        ("UPDATE rewrites SET functions = '['", ("store", "show", "0")),
        ("UPDATE judgements SET evidence = '{'", ("explain", "prog")),
        ("UPDATE judgements SET text = 7", ("explain", "prog")),
        ("UPDATE judgements SET verdict = 'of-the-future'", ("explain", "prog")),
        ("UPDATE rewrites SET text = x'00'", ("store", "verify")),
    ],
)
def test_a_damaged_row_is_one_line(
    inside: Command, filled: Filled, statement: str, command: tuple[str, ...]
) -> None:
    with sqlite3.connect(filled.folder / "store.sqlite") as db:
        db.execute(statement)
    done = inside(*command)
    assert done.status == 1
    assert (done.err or done.out).count("\n") <= 2
    assert "Traceback" not in done.err


def test_nothing_about_a_program_is_one_line(inside: Command, filled: Filled) -> None:
    for what in ("other", "prog:nothing", "/elsewhere/prog:count:x"):
        done = inside("explain", what)
        assert (done.status, done.out) == (1, "")
        assert "nothing is recorded about" in done.err
