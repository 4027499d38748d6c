"""Lock files in real builds: the same bytes without store or recordings, else gcc's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gccllm.asm.normalise import fingerprint, unit_key
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.lockfile import read_lock, render
from gccllm.store import Rewrite, Store, UnitKey
from gccllm.toolchain import Toolchain
from gccllm.types import Speedup
from tests.driver.installed import install
from tests.endtoend.project import FAST, SLOW, Project

WRONG = FAST.replace(">> 56", ">> 55")
POPCOUNT = "__attribute__((noinline)) int count(unsigned long x) { return __builtin_popcountl(x); }"
NO_STORE = "/nowhere/at/all"


def put(project: Project, function: str = FAST, *options: str, isa: str = "target") -> Rewrite:
    """The store's rewrite of the project's unit by that version of the function."""
    toolchain = Toolchain()
    base = project.unit(SLOW)
    donor = parse(project.unit(function, *options))
    done = splice(parse(base), donor, ("count",), tag="0123abcd")
    assert isinstance(done, Spliced)
    rewrite = Rewrite(
        key=UnitKey(unit_key(base), toolchain.identity.digest, toolchain.isa(isa, ["-O3"]).name),
        fingerprint=fingerprint(base.encode()),
        unit="slow",
        baseline_sha=hashlib.sha256(base.encode()).hexdigest(),
        baseline=base,
        text=done.text,
        functions=("count",),
        proposer="scripted",
        label="slow.s",
        assurance="fuzzed",
        speedup=Speedup(5.0, 4.5, 5.5, 20),
        evidence={"tests_run": 3},
        program=str(project.tree / "slow"),
    )
    with Store(project.store) as store:
        store.put(rewrite)
    return rewrite


def gccllm(project: Project, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gccllm.cli", *arguments],
        cwd=project.tree,
        env=project.environment(COLUMNS="250", **more),
        capture_output=True,
        text=True,
        timeout=150,
    )


@pytest.fixture
def lock(project: Project) -> Path:
    """A lock file with a faster version of ``count``."""
    put(project)
    done = gccllm(project, "lock", "./slow", "-o", "../slow.lock")
    assert (done.returncode, done.stderr) == (
        1,
        "gccllm: error: no rewrite is recorded for ./slow\n",
    )
    (project.tree / "slow").touch()
    done = gccllm(project, "lock", "./slow", "-o", "../slow.lock")
    assert (done.returncode, done.stderr) == (0, "")
    assert "functions: 1, units: 1" in done.stdout
    (project.tree / "slow").unlink()
    return project.tree.parent / "slow.lock"


def events(project: Project) -> list[str]:
    path = project.store / "events"
    return path.read_text().splitlines() if path.exists() else []


def test_the_same_bytes_without_store_and_recordings(project: Project, lock: Path) -> None:
    shutil.move(project.tests, project.tree.parent / "kept.tests")
    project.build()
    applied = project.built
    assert applied != project.expected
    done = project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow", GCCLLM_STORE=NO_STORE)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert project.built == applied
    assert project.left_behind() == []
    elsewhere = project.tree.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.move(project.source, elsewhere / "slow.c")
    project.build(
        "-O3", f"-fllm-lock={lock}", f"{elsewhere}/slow.c", "-o", "slow", GCCLLM_STORE=NO_STORE
    )
    assert project.built == applied
    project.build("-O3", "-c", f"{elsewhere}/slow.c", "-o", "slow.o", GCCLLM_LOCK=str(lock))
    project.build("slow.o", "-o", "slow")
    assert project.built == applied


def test_the_shim_in_sh_does_the_same(project: Project, lock: Path, tmp_path: Path) -> None:
    project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    locked = project.built
    project.gcc_llm = install(tmp_path / "prefix", compiled=False)
    project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    assert project.built == locked != project.expected


def test_objects_that_carry_their_assembly_are_locked_at_the_link(
    project: Project, lock: Path
) -> None:
    project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    locked = project.built
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    project.build(f"-fllm-lock={lock}", "slow.o", "-o", "slow")
    assert project.built == locked != project.expected
    record = project.record()
    assert record["outcome"] == "applied", record
    assert record["model"] == "none"
    assert [x["function"] for x in record["functions"]] == ["count"]
    assert project.left_behind() == []


def test_objects_in_a_shared_library_are_locked_at_its_link(project: Project, lock: Path) -> None:
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    project.build("-shared", "slow.o", "-o", "slow")
    plain = project.built
    project.build("-shared", f"-fllm-lock={lock}", "slow.o", "-o", "slow")
    assert project.built != plain
    record = project.record()
    assert record["outcome"] == "applied", record
    assert [x["function"] for x in record["functions"]] == ["count"]


def test_a_stale_entry_is_gccs_and_counted(project: Project, lock: Path) -> None:
    project.source.write_text(project.source.read_text().replace("return 2", "return 3"))
    subprocess.run(["gcc", "-O3", "slow.c", "-o", "gcc"], cwd=project.tree, check=True)
    done = project.build("-O3", "-fllm-verbose", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    assert project.built == (project.tree / "gcc").read_bytes()
    assert b"slow: count: gcc's assembly is not what it was locked for" in done.stderr
    assert "lock:stale" in events(project)
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    project.build(f"-fllm-lock={lock}", "slow.o", "-o", "slow")
    assert project.built == (project.tree / "gcc").read_bytes()
    assert project.record()["reason"] == "lock-stale"


def test_another_compilers_entry_is_not_applied(project: Project, lock: Path) -> None:
    lock.write_text(lock.read_text().replace("  compiler   gcc", "  compiler   gcc-99"))
    project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    assert project.built == project.expected
    assert "lock:other-compiler" in events(project)


@pytest.mark.parametrize("carried", [False, True])
def test_a_hostile_entry_is_gccs_and_counted(project: Project, lock: Path, carried: bool) -> None:
    (one,) = read_lock(lock).rewrites
    assembly = one.assembly.replace("\tret", "\tsyscall\n\tret")
    lock.write_text(render([type(one)(**{**vars(one), "assembly": assembly})]))
    if carried:
        project.build("-O3", "-c", "slow.c", "-o", "slow.o")
        project.build(f"-fllm-lock={lock}", "slow.o", "-o", "slow")
        assert project.record()["reason"] == "lock-refused"
        assert "system-call" in project.record()["detail"]
    else:
        project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    assert project.built == project.expected
    assert "lock:refused" in events(project)


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 4000, b"version 9\n", None])
def test_a_file_that_is_none_is_told_once_and_gcc_goes_on(
    project: Project, lock: Path, content: bytes | None
) -> None:
    if content is None:
        lock.unlink()
    else:
        lock.write_bytes(content)
    done = project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    assert project.built == project.expected
    assert done.stderr.startswith(b"gcc-llm: warning: ")
    assert done.stderr.count(b"\n") == 1
    assert b"slow.lock" in done.stderr
    assert "lock:bad-lock" in events(project)


def test_a_broken_block_is_left_out(project: Project, lock: Path) -> None:
    lock.write_text(lock.read_text().replace("| \tret", "| \tnop\n| \tret"))
    project.build("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    assert project.built == project.expected
    assert {"lock:damaged", "lock:no-entry"} <= set(events(project))


def test_a_level_that_the_user_names_counts(project: Project, lock: Path) -> None:
    options = (f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    project.build("-O3", "-fllm-assurance=proved", *options)
    assert project.built == project.expected
    assert "lock:too-weak" in events(project)
    project.build("-O3", "-fllm-assurance=fuzzed", *options)
    assert project.built != project.expected


def test_what_cannot_be_locked_says_why(project: Project) -> None:
    done = gccllm(project, "lock")
    assert done.returncode == 1
    assert "no store" in done.stderr
    rewrite = put(project)
    assert gccllm(project, "lock", "--isa", "native").returncode == 1
    assert gccllm(project, "lock", "--isa", "all").returncode == 2
    assert gccllm(project, "lock", "--check", "x.lock").returncode == 2
    assert gccllm(project, "lock", "-o", "/nowhere/x.lock").returncode == 1
    with Store(project.store) as store:
        store.remove(rewrite.key)
    assert "holds no rewrite" in gccllm(project, "lock").stderr


@pytest.fixture
def native_lock(project: Project) -> Path:
    """A lock file with a version of ``count`` that needs popcnt."""
    put(project, POPCOUNT, "-mpopcnt", isa="native")
    lock = project.tree.parent / "native.lock"
    assert gccllm(project, "lock", "-o", str(lock)).returncode == 0
    assert "needs      POPCNT\n" in lock.read_text()
    return lock


@pytest.mark.parametrize("carried", [False, True])
def test_a_native_entry_is_for_builds_that_allow_it(
    project: Project, native_lock: Path, carried: bool
) -> None:
    option = f"-fllm-lock={native_lock}"

    def build(*isa: str) -> bytes:
        if carried:
            project.build("-O3", "-c", "slow.c", "-o", "slow.o")
            project.build(option, *isa, "slow.o", "-o", "slow")
        else:
            project.build("-O3", option, *isa, "slow.c", "-o", "slow")
        return project.built

    assert build() == project.expected
    assert build("-fllm-isa=target") == project.expected
    assert events(project).count("lock:other-isa") == 2
    native = build("-fllm-isa=native")
    assert native != project.expected
    dispatch = build("-fllm-isa=dispatch")
    assert dispatch not in (project.expected, native)
    assert build("-fllm-isa=dispatch") == dispatch
    if carried:
        assert project.record()["isa"] == "dispatch"


def test_a_build_for_that_processor_applies_a_native_entry(
    project: Project, native_lock: Path
) -> None:
    """-mpopcnt leaves gcc's assembly of the program as it is."""
    project.build("-O3", "-mpopcnt", f"-fllm-lock={native_lock}", "slow.c", "-o", "slow")
    assert project.built != project.expected


def check(project: Project, lock: Path) -> subprocess.CompletedProcess[str]:
    build = [str(project.gcc_llm.front), "-O3", "slow.c", "-o", "slow"]
    kept = {"GCCLLM_BUDGET": "60", "PATH": os.environ["PATH"]}
    return gccllm(project, "lock", "--check", str(lock), "--", *build, **kept)


@pytest.mark.slow
def test_what_holds_is_judged_again(project: Project, lock: Path) -> None:
    done = check(project, lock)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rewrites that hold: 1 of 1" in done.stdout
    assert project.built == project.expected


def test_what_is_wrong_does_not_hold(project: Project, lock: Path) -> None:
    put(project, WRONG)
    (project.tree / "slow").touch()
    assert gccllm(project, "lock", "slow", "-o", str(lock)).returncode == 0
    done = check(project, lock)
    assert done.returncode == 1
    assert "wrong-output" in done.stdout
    assert "rewrites that hold: 0 of 1" in done.stdout


def test_what_no_build_has_does_not_hold(project: Project, lock: Path) -> None:
    project.source.write_text(project.source.read_text().replace("return 2", "return 3"))
    done = check(project, lock)
    assert done.returncode == 1
    assert "not-judged" in done.stdout
    failing = gccllm(project, "lock", "--check", str(lock), "--", "false")
    assert failing.returncode == 1
    assert "the build failed" in failing.stderr
