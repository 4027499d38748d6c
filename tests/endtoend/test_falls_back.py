"""Whatever goes wrong, the user gets exactly gcc's bytes, silently, and the reason is kept."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from gccllm.store import Store
from tests.endtoend.project import FAST, SLOW, Project
from tests.endtoend.running import command_lines, inherited_environment

FORK_BOMB = "\tsyscall\n"


def assert_gcc(project: Project, reason: str) -> None:
    record = project.record()
    assert record["outcome"] in ("fallback", "no-tests"), record
    assert record["reason"] == reason, record
    assert project.built == project.expected
    assert project.left_behind() == []


def test_without_recordings_nothing_happens_at_all(project: Project) -> None:
    shutil.rmtree(project.tests)
    project.propose(project.unit(FAST))
    done = project.build(GCCLLM_REPORT="")
    assert (done.stdout, done.stderr) == (b"", b"")
    assert project.built == project.expected
    assert not project.store.exists()
    assert project.left_behind() == []


def test_switched_off_it_is_gcc(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build("-fno-llm", "-O3", "slow.c", "-o", "slow")
    assert project.built == project.expected
    project.build(GCCLLM="off")
    assert project.built == project.expected
    assert not project.report.exists()


def test_without_a_sandbox(project: Project) -> None:
    project.propose(project.unit(FAST))
    folder = project.tree / "bin"
    folder.mkdir()
    for name in ("gcc", "as", "ld", "ar", "sh", "collect2", "prlimit"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    project.build(GCCLLM_SANDBOX="bwrap", PATH=str(folder))
    assert_gcc(project, "no-sandbox")


def test_with_a_dead_server(project: Project) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project.build(GCCLLM_PROPOSERS="model", GCCLLM_MODEL=f"openai:http://127.0.0.1:{port}/v1#none")
    assert_gcc(project, "proposer-unusable")
    assert "127.0.0.1" in project.record()["detail"]


@pytest.mark.parametrize(
    ("kind", "candidate"),
    [
        ("wrong-output", FAST.replace(">> 56", ">> 55")),
        ("crashed", FAST.replace("return x", "*(volatile int *)8 = 1; return x")),
        ("timed-out", FAST.replace("return x", "while (*(volatile long *)&x) ; return x")),
        ("unchanged", SLOW),
        ("not-faster", FAST.replace("return x", "for (volatile int i = 0; i < 90; i++); return x")),
        (
            "wrong-output",
            FAST.replace("return x", 'if (x == 77) puts("77"); return x + 1; return x'),
        ),
    ],
)
def test_a_bad_candidate(project: Project, kind: str, candidate: str) -> None:
    project.propose(project.unit(candidate), "slow.count.1.s")
    project.build()
    assert_gcc(project, "nothing-faster")
    assert project.record()["counts"] == {kind: 1}


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        ("not-assembled", "\tnonsense\t%eax, %eax\n"),
        ("screened", "\tsyscall\n"),
        ("screened", '\t.include "/etc/passwd"\n'),
        ("screened", "\tcall\tsystem@PLT\n"),
        ("screened", "\tpopcntq\t%rdi, %rax\n"),
        ("screened", "\trdtsc\n"),
    ],
)
def test_a_hostile_candidate(project: Project, kind: str, edit: str) -> None:
    text = project.unit(FAST)
    assert "count:\n" in text
    edited = re.sub(r"(\ncount:\n(?:.*\n)*?\t\.cfi_startproc\n)", rf"\1{edit}", text, count=1)
    assert edited != text
    project.propose(edited, "slow.count.1.s")
    project.build()
    assert_gcc(project, "nothing-faster")
    assert project.record()["counts"] == {kind: 1}


def test_a_baseline_that_fails_its_recordings(project: Project) -> None:
    project.propose(project.unit(FAST))
    (project.tests / "few.out").write_text("wrong\n")
    done = project.build()
    assert_gcc(project, "baseline-fails")
    assert project.record()["counts"] == {}
    message = done.stderr.decode()
    assert message.startswith("gcc-llm: warning: ")
    assert "few.in" in message
    assert done.stdout == b""


def test_recordings_that_are_not_there(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build(GCCLLM_TESTS=str(project.tree / "missing"))
    assert_gcc(project, "bad-recording")


def test_an_option_that_makes_no_sense_is_said(project: Project) -> None:
    done = project.build("-O3", "-fllm-budget=soon", "slow.c", "-o", "slow")
    assert b"-fllm-budget" in done.stderr
    assert project.built == project.expected


def test_an_unknown_proposer_is_said(project: Project) -> None:
    done = project.build(GCCLLM_PROPOSERS="oracle")
    assert b"oracle" in done.stderr
    assert_gcc(project, "bad-option")


def test_a_corrupt_store_costs_only_the_memory(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.store.mkdir()
    (project.store / "store.sqlite").write_bytes(b"no database" * 1000)
    project.build()
    assert project.record()["outcome"] == "optimized"
    assert "link:store-unusable" in (project.store / "events").read_text()


def test_a_source_that_changed_since_is_still_judged(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    project.source.write_text("int main(void) { return 1; }\n")
    project.build("slow.o", "-o", "slow")
    assert project.record()["outcome"] == "optimized"


def test_a_stripped_or_foreign_object_falls_back(project: Project) -> None:
    """The carried assembly of one compilation on the code of another: nothing is concluded."""
    project.propose(project.unit(FAST))
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    objcopy = ["objcopy", "-O", "binary", "--only-section=.gccllm.asm"]
    flags = ["--set-section-flags", ".gccllm.asm=alloc"]
    subprocess.run([*objcopy, *flags, "slow.o", "frame"], cwd=project.tree, check=True)
    subprocess.run(["gcc", "-O1", "-c", "slow.c", "-o", "other.o"], cwd=project.tree, check=True)
    add = ["objcopy", "--add-section", ".gccllm.asm=frame"]
    exclude = ["--set-section-flags", ".gccllm.asm=exclude,readonly"]
    subprocess.run([*add, *exclude, "other.o"], cwd=project.tree, check=True)
    project.build("other.o", "-o", "slow")
    subprocess.run(["gcc", "-O1", "slow.c", "-o", "gcc"], cwd=project.tree, check=True)
    project.expected = (project.tree / "gcc").read_bytes()
    assert_gcc(project, "unreproducible")


@pytest.mark.parametrize("victim", ["python", "runner"])
def test_kill_nine_in_the_middle(project: Project, victim: str) -> None:
    project.propose(
        project.unit(FAST.replace("return x", "for (volatile int i = 0; i < 9; i++); return x"))
    )
    (project.tests / "many.in").write_text("1500000\n")
    (project.tests / "many.out").write_bytes(project.run_program(project.tree / "gcc", "1500000"))
    project.build(GCCLLM_PROPOSERS="compilers", GCCLLM_BUDGET="0")  # so that the sandbox is known
    (project.tree / "slow").unlink()
    build = subprocess.Popen(
        [str(project.gcc_llm.front), "-O3", "slow.c", "-o", "slow"],
        cwd=project.tree,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pattern = " link /" if victim == "python" else "runner-"
    deadline = time.monotonic() + 60
    killed = False
    while not killed and time.monotonic() < deadline and build.poll() is None:
        time.sleep(0.05)
        if not (project.tree / "slow").exists():
            continue
        for path in Path("/proc").glob("[0-9]*"):
            try:
                text = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if pattern in text and str(project.store.parent) in inherited_environment(path):
                time.sleep(0.5)
                try:
                    os.kill(int(path.name), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed = True
                break
    out, err = build.communicate(timeout=150)
    assert killed
    assert (build.returncode, out, err) == (0, b"", b"")
    if project.built != project.expected:
        # The runner that was killed was measuring something that can be done without.
        assert victim == "runner"
        slow = project.run_program(project.tree / "slow", "1500000")
        assert slow == project.run_program(project.tree / "gcc", "1500000")
    assert project.left_behind() == []
    time.sleep(0.2)
    assert not [x for x in command_lines() if str(project.temporary) in x]
    if project.store.exists():
        with Store(project.store) as store:
            assert store.verify() == []


def test_interrupted_in_the_middle_nothing_is_left(project: Project) -> None:
    project.propose(
        project.unit(FAST.replace("return x", "for (volatile int i = 0; i < 9; i++); return x"))
    )
    (project.tests / "many.in").write_text("1500000\n")
    (project.tests / "many.out").write_bytes(project.run_program(project.tree / "gcc", "1500000"))
    build = subprocess.Popen(
        [str(project.gcc_llm.front), "-O3", "slow.c", "-o", "slow"],
        cwd=project.tree,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (project.tree / "slow").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    assert build.poll() is None
    os.killpg(build.pid, signal.SIGINT)
    build.communicate(timeout=30)
    assert build.returncode != 0
    time.sleep(0.2)
    assert project.left_behind() == []
    assert not [x for x in command_lines() if str(project.temporary) in x]
