"""``gccllm doctor`` on this machine, and on ones that lack something."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from gccllm.commands.examination import examine
from tests.cli.conftest import Command, Filled
from tests.driver.installed import install


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with gcc-llm."""
    return install(tmp_path_factory.mktemp("front") / "prefix", compiled=False).front.parent


@pytest.fixture
def tools(tmp_path: Path, front: Path) -> Path:
    """A PATH of one folder: gcc, its helpers and gcc-llm, and no bubblewrap."""
    folder = tmp_path / "tools"
    folder.mkdir()
    names = ("gcc", "as", "ld", "objdump", "prlimit", "sh", "sed", "dirname", "readlink", "env")
    for name in (*names, "mktemp", "rm", "cat", "uname"):
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    (folder / "gcc-llm").symlink_to(front / "gcc-llm")
    return folder


def test_this_machine_is_fit(gccllm: Command, front: Path, filled: Filled) -> None:
    done = gccllm("doctor", env={"PATH": f"{front}:{os.environ['PATH']}"})
    assert done.status == 0, done.out
    lines = done.out.splitlines()
    found = {x[5:].partition(": ")[0]: x for x in lines if not x.startswith("     ")}
    for what in ("compiler", "assembler", "gcc-llm", "sandbox", "timing cores", "store"):
        assert what in found
    assert found["gcc-llm"].endswith("compiles as gcc does")
    assert found["sandbox fork"] == "ok   sandbox fork: it can't start processes"
    assert found["store"].endswith(": 1 rewrites")
    assert "a program against itself: " in found["timer"]


def test_without_the_sandbox_asked_for_it_says_what_to_do(gccllm: Command, tools: Path) -> None:
    done = gccllm("doctor", "--no-timer", env={"PATH": str(tools), "GCCLLM_SANDBOX": "bwrap"})
    assert done.status == 1
    assert "bad  sandbox: no sandbox works here (bwrap: " in done.out
    assert "apt install bubblewrap" in done.out
    assert "until that is mended gcc-llm is plain gcc" in done.out
    assert done.err == ""


def test_no_protection_is_a_warning_as_it_was_asked_for(gccllm: Command, front: Path) -> None:
    path = f"{front}:{os.environ['PATH']}"
    done = gccllm("doctor", "--no-timer", env={"PATH": path, "GCCLLM_SANDBOX": "none"})
    assert done.status == 0, done.out
    assert "warn sandbox: none" in done.out
    assert "warn sandbox fork: not so: it can't start processes" in done.out


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("GCCLLM_CC", "/no/such/gcc", "bad  compiler: "),
        ("GCCLLM_SANDBOX", "strong", "bad  sandbox: GCCLLM_SANDBOX is auto, bwrap"),
        ("GCCLLM_PROPOSERS", "nobody", "bad  proposers: unknown proposer 'nobody'"),
        ("GCCLLM_BUDGET", "much", "bad  proposers: GCCLLM_BUDGET"),
    ],
)
def test_a_bad_setting_is_found(
    gccllm: Command, front: Path, variable: str, value: str, line: str
) -> None:
    env = {"PATH": f"{front}:{os.environ['PATH']}", variable: value}
    done = gccllm("doctor", "--no-timer", env=env)
    assert (done.status, done.err) == (1, "")
    assert line in done.out


def test_a_gcc_llm_that_compiles_otherwise_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "gcc-llm"
    fake.write_text('#!/bin/sh\nexec gcc "$@" -O0\n')
    fake.chmod(0o755)
    # gcc-llm is looked for beside the running Python first
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = {x.what: x for x in examine(timer=False)}["gcc-llm"]
    assert found.state == "bad"
    assert f"{fake} makes another object than" in found.detail
    fake.write_text("#!/bin/sh\necho broken error >&2; exit 1\n")
    found = {x.what: x for x in examine(timer=False)}["gcc-llm"]
    assert (found.state, "broken error" in found.detail) == ("bad", True)


def test_a_corrupt_store_is_a_warning(gccllm: Command, front: Path, own_store: Path) -> None:
    (own_store / "store.sqlite").write_bytes(b"nonsense" * 1000)
    path = f"{front}:{os.environ['PATH']}"
    done = gccllm("doctor", "--no-timer", env={"PATH": path})
    assert done.status == 0, done.out
    assert "warn store: the store at " in done.out
