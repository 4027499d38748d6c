"""Which sandbox is picked, how that is tested and remembered, and what the runner is built from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gccllm.errors import SandboxUnavailable, UsageError
from gccllm.paths import cache_dir
from gccllm.sandbox import choice, selftest
from gccllm.sandbox.base import Sandbox
from gccllm.sandbox.build import build_runner, build_tool, usable_cache
from gccllm.sandbox.fake import FakeSandbox
from gccllm.sandbox.landlock import UnconfinedSandbox
from gccllm.sandbox.selftest import Check
from gccllm.sandbox.session import RunnerSession
from tests.sandbox.conftest import LIMITS, RunnerSandbox


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)


def test_confined_sandboxes_pass(confined: RunnerSandbox, cache_folder: Path) -> None:
    checks = selftest.run(confined, cache_folder)
    assert [check for check in checks if not check.passed] == []
    assert [check.name for check in checks] == list(selftest.MEANINGS)
    assert all(check.meaning for check in checks)


def test_an_unconfined_one_fails(cache_folder: Path) -> None:
    checks = selftest.run(UnconfinedSandbox(cache_folder), cache_folder)
    failed = {check.name for check in checks if not check.passed}
    assert {"write", "read", "socket", "fork", "exec", "code"} <= failed
    assert "ordinary" not in failed


def test_a_sandbox_that_does_not_open_fails(cache_folder: Path) -> None:
    (check,) = selftest.run(FakeSandbox({}), cache_folder)
    assert (check.name, check.passed) == ("open", False)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the self-test by one that passes for the names in the list; nothing is built."""
    names: list[str] = []

    def run(sandbox: Sandbox, cache_folder: Path | None = None) -> list[Check]:
        return [Check("read", sandbox.name in names, "exited 0 succeeded")]

    monkeypatch.setattr(selftest, "run", run)
    monkeypatch.setattr(selftest, "is_remembered", lambda sandbox, cache_folder: False)
    monkeypatch.setattr(selftest, "remember", lambda sandbox, cache_folder: None)
    return names


def test_the_strongest_that_passes(passing: list[str], tmp_path: Path) -> None:
    passing[:] = ["bwrap", "landlock"]
    assert choice.choose(cache_folder=tmp_path).name == "bwrap"
    passing[:] = ["landlock"]
    assert choice.choose(cache_folder=tmp_path).name == "landlock"
    passing[:] = []
    with pytest.raises(SandboxUnavailable, match=r"bwrap: read .*landlock: read .*apt install"):
        choice.choose(cache_folder=tmp_path)


def test_by_name(passing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passing[:] = ["bwrap", "landlock"]
    assert choice.choose("landlock", cache_folder=tmp_path).name == "landlock"
    monkeypatch.setenv(choice.VARIABLE, "landlock")
    assert choice.choose(cache_folder=tmp_path).name == "landlock"
    assert choice.choose("bwrap", cache_folder=tmp_path).name == "bwrap"
    passing[:] = ["bwrap"]
    with pytest.raises(SandboxUnavailable):  # a name is not a wish: no other is taken instead
        choice.choose(cache_folder=tmp_path)


def test_none_is_for_those_who_say_so(
    passing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SandboxUnavailable):
        choice.choose(cache_folder=tmp_path)
    monkeypatch.setenv(choice.VARIABLE, "none")
    assert choice.choose(cache_folder=tmp_path).name == "none"
    monkeypatch.setenv(choice.VARIABLE, "perhaps")
    with pytest.raises(UsageError, match="perhaps"):
        choice.choose(cache_folder=tmp_path)


def test_a_pass_is_remembered(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = FakeSandbox({})
    sandbox.name = "remembered"
    assert not selftest.is_remembered(sandbox, cache_folder)
    selftest.remember(sandbox, cache_folder)
    assert selftest.is_remembered(sandbox, cache_folder)
    another = FakeSandbox({})
    another.name = "another"
    assert not selftest.is_remembered(another, cache_folder)
    monkeypatch.setattr("platform.release", lambda: "another kernel")
    assert not selftest.is_remembered(sandbox, cache_folder)


def test_damaged_memory_is_no_pass(cache_folder: Path) -> None:
    sandbox = FakeSandbox({})
    sandbox.name = "damaged"
    selftest.remember(sandbox, cache_folder)
    (note,) = cache_folder.glob("sandbox-damaged-*.json")
    for text in ("", "{}", '{"passed": true}', "[]"):
        note.write_text(text)
        assert not selftest.is_remembered(sandbox, cache_folder)


def test_remembered_sandboxes_are_not_tested_again(
    confined: RunnerSandbox, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = choice.choose(confined.name, cache_folder=cache_folder)

    def run(sandbox: Sandbox, cache_folder: Path | None = None) -> list[Check]:
        raise AssertionError("tested again")

    monkeypatch.setattr(selftest, "run", run)
    assert choice.choose(confined.name, cache_folder=cache_folder).name == first.name


def test_runner_is_built_once(tmp_path: Path) -> None:
    runner = build_runner(tmp_path)
    before = runner.stat()
    assert build_runner(tmp_path) == runner
    assert runner.stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in tmp_path.iterdir()] == [runner.name]


def test_runner_compiles_without_warnings(tmp_path: Path) -> None:
    sources = Path(selftest.__file__).parent
    flags = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Werror"]
    for name in ("runner.c", "probe.c"):
        command = ["gcc", *flags, "-c", "-o", str(tmp_path / "out.o"), str(sources / name)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.stderr == b""
        assert done.returncode == 0


def test_no_compiler_no_runner(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no-such-gcc"):
        build_tool([Path(selftest.__file__).with_name("probe.c")], tmp_path, cc="no-such-gcc")
    assert list(tmp_path.iterdir()) == []


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCCLLM_STORE", str(tmp_path / "store"))
    assert cache_dir() == tmp_path / "store"
    monkeypatch.delenv("GCCLLM_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "gccllm"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "gccllm"
    assert not cache_dir().exists()
    assert usable_cache() == cache_dir()
    assert cache_dir().is_dir()


def test_unusable_cache_folder(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    private = usable_cache(blocked / "cache")
    assert private.is_dir()
    assert private.stat().st_mode & 0o077 == 0
    assert usable_cache(blocked / "cache") == private


def test_a_killed_parent_leaves_nothing(
    confined: RunnerSandbox, cache_folder: Path, tmp_path: Path
) -> None:
    """Kill the tool itself in the middle of a run: runner and program go too."""
    source = tmp_path / "sleepy.c"
    source.write_text("#include <unistd.h>\nint main(void) { for (;;) sleep(100); }\n")
    program = build_tool([source], tmp_path)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from gccllm.sandbox.base import RunInput, RunLimits\n"
        "from gccllm.sandbox.bwrap import BwrapSandbox\n"
        "from gccllm.sandbox.landlock import LandlockSandbox\n"
        f"sandbox = {type(confined).__name__}(Path(sys.argv[1]))\n"
        "limits = RunLimits(wall_seconds=1000.0)\n"
        "with sandbox.open({'p': Path(sys.argv[2])}, [RunInput()], limits=limits) as session:\n"
        "    print('open', flush=True)\n"
        "    session.run('p', 0)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script, str(cache_folder), str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as tool:
        assert tool.stdout is not None
        assert tool.stdout.readline() == b"open\n"
        (root,) = tmp_path.glob("gccllm-session-*")
        inode = (root / "programs" / "p").stat().st_ino
        assert eventually(lambda: inode in running_programs())
        tool.send_signal(signal.SIGKILL)
    assert eventually(lambda: inode not in running_programs())


def running_programs() -> set[int]:
    """Inodes of the programs of all processes that can be looked at."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            found.add(link.stat().st_ino)
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    """Look up to 200 times, 50 ms apart."""
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_sessions_offer_the_seam(confined: RunnerSandbox) -> None:
    sandbox: Sandbox = confined
    with sandbox.open({}, [], limits=LIMITS) as session:
        assert isinstance(session, RunnerSession)
        assert session.landlock_abi >= (1 if confined.name == "landlock" else 0)
