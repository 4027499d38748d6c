"""Ordinary programs in every sandbox: what goes in, what comes out, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from gccllm.errors import SandboxError, SandboxUnavailable
from gccllm.sandbox.base import Ending, RunInput
from gccllm.sandbox.bwrap import BwrapSandbox
from gccllm.sandbox.landlock import LandlockSandbox, UnconfinedSandbox
from gccllm.sandbox.session import RunnerSession
from tests.sandbox.conftest import LIMITS, Compile, RunnerSandbox

KINDS: list[type[RunnerSandbox]] = [BwrapSandbox, LandlockSandbox, UnconfinedSandbox]

TOOLBOX = r"""
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
extern char **environ;
static int counts[4];
static void *count(void *place) { for (int i = 0; i < 1000; i++) ++*(int *)place; return 0; }
static int is(char **argv, const char *what) { return argv[1] && !strcmp(argv[1], what); }
int main(int argc, char **argv)
{
    if (is(argv, "exit")) return atoi(argv[2]);
    if (is(argv, "raise")) raise(atoi(argv[2]));
    if (is(argv, "abort")) abort();
    if (is(argv, "crash")) *(volatile int *)8 = 1;
    if (is(argv, "big")) for (long i = 0; i < atol(argv[2]); i++) putchar('a' + i % 26);
    if (is(argv, "environment")) { for (char **e = environ; *e; e++) puts(*e); puts(argv[0]); }
    if (is(argv, "cwd")) { char text[4096]; puts(getcwd(text, sizeof text)); }
    if (is(argv, "threads")) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) pthread_create(threads + i, 0, count, counts + i);
        for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
        printf("%d\n", counts[0] + counts[1] + counts[2] + counts[3]);
    }
    if (is(argv, "files")) {
        char text[64] = "";
        FILE *in = fopen("sub/data", "r");
        fgets(text, sizeof text, in);
        fclose(in);
        fputs(text, stdout);
        FILE *out = fopen("sub/data", "a");
        fputs("more\n", out);
        fclose(out);
        mkdir("made", 0755);
        out = fopen("made/new.tmp", "w");
        fputs("new\n", out);
        fclose(out);
        rename("made/new.tmp", "made/new");
        remove("gone");
        out = tmpfile();
        DIR *folder = opendir(".");
        int entries = 0;
        while (readdir(folder)) entries++;
        printf("%d\n", entries);
    }
    if (is(argv, "spin")) {
        for (volatile long i = 0; i < atol(argv[2]); i++) {}
    }
    if (is(argv, "profile")) {
        struct itimerval soon = {{0, 1000}, {0, 1000}};
        signal(SIGPROF, SIG_IGN);
        int bad = setitimer(ITIMER_PROF, &soon, 0);
        dprintf(3, "timer %d", bad);
    }
    if (is(argv, "orphan")) {
        if (!fork()) { setsid(); if (!fork()) { sleep(100); } sleep(100); }
        puts("left");
    }
    return 0;
}
"""


@pytest.fixture(scope="session")
def toolbox(compile_c: Compile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("sources") / "toolbox.c"
    source.write_text(TOOLBOX)
    return compile_c(source)


@pytest.fixture(scope="session", params=KINDS, ids=[kind.name for kind in KINDS])
def sandbox(request: pytest.FixtureRequest, cache_folder: Path, good: Path) -> RunnerSandbox:
    kind: type[RunnerSandbox] = request.param
    made = kind(cache_folder)
    try:
        with made.open({"good": good}, [], limits=LIMITS):
            return made
    except SandboxUnavailable as error:
        pytest.skip(str(error))


CASES = {
    "exit": RunInput(("exit", "3")),
    "raise": RunInput(("raise", str(int(signal.SIGUSR1)))),
    "abort": RunInput(("abort",)),
    "crash": RunInput(("crash",)),
    "big": RunInput(("big", str(900_000))),
    "environment": RunInput(("environment",)),
    "cwd": RunInput(("cwd",)),
    "threads": RunInput(("threads",)),
    "full": RunInput(("big", str(LIMITS.output_bytes))),
    "too big": RunInput(("big", str(LIMITS.output_bytes + 1))),
    "spin": RunInput(("spin", "3000000")),
}
NUMBER = {name: number for number, name in enumerate(CASES)}


@pytest.fixture
def session(sandbox: RunnerSandbox, toolbox: Path) -> Iterator[RunnerSession]:
    with sandbox.open({"toolbox": toolbox}, list(CASES.values()), limits=LIMITS) as opened:
        yield opened


def test_input_arguments_and_output(sandbox: RunnerSandbox, good: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_bytes(b"abc")
    cases = [RunInput(("a b", "", "ü"), stdin=words), RunInput()]
    with sandbox.open({"good": good}, cases, limits=LIMITS) as session:
        for _ in range(2):  # stdin starts at its beginning in every run
            result = session.run("good", 0)
            assert (result.ending, result.code) == (Ending.EXITED, 7)
            assert result.stdout == "[a b][][ü]294\n".encode()
            assert result.stderr == b"done\n"
            assert result.files == {"sum": b"294"}
        assert session.run("good", 1, collect_files=False).files == {}
        assert session.run("good", 1).stdout == b"0\n"


def test_endings(session: RunnerSession) -> None:
    assert session.run("toolbox", NUMBER["exit"]).code == 3
    for name, number in (("raise", signal.SIGUSR1), ("abort", signal.SIGABRT)):
        result = session.run("toolbox", NUMBER[name])
        assert (result.ending, result.code) == (Ending.SIGNALLED, number)
    crash = session.run("toolbox", NUMBER["crash"])
    assert (crash.ending, crash.code) == (Ending.SIGNALLED, signal.SIGSEGV)


def test_big_output(session: RunnerSession) -> None:
    letters = b"abcdefghijklmnopqrstuvwxyz" * 50_000
    assert session.run("toolbox", NUMBER["big"]).stdout == letters[:900_000]
    full = session.run("toolbox", NUMBER["full"])
    assert (full.ending, len(full.stdout)) == (Ending.EXITED, LIMITS.output_bytes)
    over = session.run("toolbox", NUMBER["too big"])
    assert (over.ending, len(over.stdout)) == (Ending.TOO_MUCH_OUTPUT, LIMITS.output_bytes)


def test_environment_is_the_same_for_all(session: RunnerSession) -> None:
    cwd = session.run("toolbox", NUMBER["cwd"]).stdout.decode().strip()
    lines = session.run("toolbox", NUMBER["environment"]).stdout.decode().splitlines()
    assert lines == ["LC_ALL=C", "PATH=/nonexistent", f"HOME={cwd}", "./program"]


def test_threads(session: RunnerSession) -> None:
    assert session.run("toolbox", NUMBER["threads"]).stdout == b"4000\n"


def test_times_add_up(session: RunnerSession) -> None:
    result = session.run("toolbox", NUMBER["spin"])
    assert 0 < result.cpu <= result.wall * 1.5 + 0.02
    assert result.cpu == result.user + result.system


def test_same_program_takes_the_same_time(sandbox: RunnerSandbox, toolbox: Path) -> None:
    """A loose bound: what the runner adds must not depend on which program is run."""
    programs = {"a": toolbox, "b": toolbox}
    with sandbox.open(programs, [RunInput(("spin", "3000000"))], limits=LIMITS) as session:
        ratios = [session.run("a", 0).cpu / session.run("b", 0).cpu for _ in range(15)]
    assert 0.8 < median(ratios) < 1.25


def test_files_in_and_out(sandbox: RunnerSandbox, toolbox: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    (files / "sub").mkdir(parents=True)
    (files / "sub" / "data").write_text("data\n")
    (files / "kept").write_text("kept")
    (files / "gone").write_text("gone")
    with sandbox.open(
        {"toolbox": toolbox}, [RunInput(("files",), files=files)], limits=LIMITS
    ) as session:
        for _ in range(2):
            result = session.run("toolbox", 0)
            # . .. kept made sub
            assert result.stdout == b"data\n5\n"
            assert result.files == {"sub/data": b"data\nmore\n", "made/new": b"new\n"}
    assert (files / "sub" / "data").read_text() == "data\n"


def test_profile(sandbox: RunnerSandbox, toolbox: Path) -> None:
    with sandbox.open({"toolbox": toolbox}, [RunInput(("profile",))], limits=LIMITS) as session:
        result, profile = session.profile("toolbox", 0)
        assert (result.code, profile) == (0, b"timer 0")


def test_add_program(session: RunnerSession, good: Path) -> None:
    session.add_program("later", good)
    assert session.run("later", NUMBER["exit"]).stdout == b"[exit][3]0\n"
    with pytest.raises(SandboxError, match="not a name"):
        session.add_program("../later", good)
    with pytest.raises(SandboxError, match="can't take"):
        session.add_program("absent", good.with_name("absent"))


def test_what_is_no_program_ends_like_in_a_shell(session: RunnerSession, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program\n")
    session.add_program("text", text)
    result = session.run("text", NUMBER["exit"])
    assert (result.ending, result.code) == (Ending.EXITED, 127)
    assert result.stderr == b"cannot execute: Exec format error\n"


def test_unknown_programs_and_cases(session: RunnerSession) -> None:
    with pytest.raises(SandboxError, match="no such program"):
        session.run("absent", 0)
    with pytest.raises(SandboxError, match="no such case"):
        session.run("toolbox", len(CASES))
    assert session.run("toolbox", NUMBER["exit"]).code == 3


def test_core(sandbox: RunnerSandbox, toolbox: Path) -> None:
    core = max(os.sched_getaffinity(0))
    cases = [RunInput(("exit", "0"))]
    with sandbox.open({"toolbox": toolbox}, cases, limits=LIMITS, core=core) as session:
        assert session.run("toolbox", 0).code == 0
    with (
        sandbox.open({"toolbox": toolbox}, cases, limits=LIMITS, core=1000) as session,
        pytest.raises(SandboxError, match="core"),
    ):
        session.run("toolbox", 0)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder link"])
def test_strange_inputs_are_refused(
    kind: str, sandbox: RunnerSandbox, good: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    if kind == "fifo":
        os.mkfifo(files / "x")
    else:
        (files / "x").symlink_to("/etc/passwd" if kind == "link" else "/etc")
    with (
        pytest.raises(SandboxError, match=r"links|regular file"),
        sandbox.open({"good": good}, [RunInput(files=files)], limits=LIMITS),
    ):
        pass


def test_a_dead_runner_is_an_error_ever_after(sandbox: RunnerSandbox, good: Path) -> None:
    with sandbox.open({"good": good}, [RunInput()], limits=LIMITS) as session:
        session._child.kill()
        session._child.wait(5)
        for _ in range(2):
            with pytest.raises(SandboxError, match="broke down"):
                session.run("good", 0)


def test_a_late_reply_is_an_error(
    good: Path, toolbox: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner's own deadline is the wall limit; ours, set below it here, is the last resort."""
    monkeypatch.setattr("gccllm.sandbox.session.SPARE_SECONDS", -4.9)
    sandbox = UnconfinedSandbox(cache_folder)
    spin = RunInput(("spin", "1000000000000"))
    with (
        sandbox.open({"toolbox": toolbox}, [spin], limits=LIMITS) as session,
        pytest.raises(SandboxError, match="time limit"),
    ):
        session.run("toolbox", 0)


def test_orphans_are_killed_without_a_filter_too(toolbox: Path, cache_folder: Path) -> None:
    sandbox = UnconfinedSandbox(cache_folder)
    with sandbox.open({"toolbox": toolbox}, [RunInput(("orphan",))], limits=LIMITS) as session:
        assert session.run("toolbox", 0).stdout.count(b"left") == 1
        runner = session._child.pid
        children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
        assert children == []


def test_nothing_is_left_behind(sandbox: RunnerSandbox, good: Path) -> None:
    limits = replace(LIMITS, wall_seconds=1.0)
    with sandbox.open({"good": good}, [RunInput()], limits=limits) as session:
        root = session._stage.root
        session.run("good", 0)
        assert root.exists()
        child = session._child
    assert child.returncode == 0
    assert not root.exists()


def test_cpu_limit(sandbox: RunnerSandbox, toolbox: Path) -> None:
    limits = replace(LIMITS, cpu_seconds=1)
    spin = RunInput(("spin", "1000000000000"))
    with sandbox.open({"toolbox": toolbox}, [spin], limits=limits) as session:
        result = session.run("toolbox", 0)
    assert result.ending is Ending.TIMED_OUT


def test_works_as_an_ordinary_user(good: Path, tmp_path: Path) -> None:
    """Root drops its rights by another way than a user has; try the user's way as well."""
    if os.geteuid() != 0:
        pytest.skip("is one already: every other test has shown it")
    script = (
        "import sys; from pathlib import Path\n"
        "from gccllm.sandbox import selftest\n"
        "from gccllm.sandbox.bwrap import BwrapSandbox\n"
        "from gccllm.sandbox.landlock import LandlockSandbox\n"
        "cache = Path(sys.argv[1])\n"
        "for kind in BwrapSandbox, LandlockSandbox:\n"
        "    checks = selftest.run(kind(cache), cache)\n"
        "    print(kind.name, [(x.name, x.detail) for x in checks if not x.passed])\n"
    )
    package = Path(selftest_file()).parents[2]
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script, str(tmp_path / "cache")],
        user=12345,
        group=12345,
        extra_groups=[],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(package), "TMPDIR": "/tmp"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.decode().splitlines()
    if not lines:
        pytest.skip(f"another user can't read this checkout: {done.stderr.decode()[-200:]}")
    assert "landlock []" in lines
    assert lines[0] == "bwrap []" or "open" in lines[0]


def selftest_file() -> str:
    from gccllm.sandbox import selftest

    return selftest.__file__
