"""``gccllm record`` on real programs in the real sandbox."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from gccllm.judge.running import compare
from gccllm.recordings import Case, load
from gccllm.sandbox.base import RunLimits
from gccllm.sandbox.choice import choose
from tests.cli.conftest import Command, Compile

ECHO = """
    for (int i = 1; i < argc; i++) printf("[%s]", argv[i]);
    for (int c; (c = getchar()) != EOF;) putchar(c);
    return 0;
"""
COPY = """
    FILE *in = fopen("in/data.txt", "r"), *out;
    char line[100];
    if (!in) { fprintf(stderr, "no data\\x1b[31m\\n"); return 3; }
    fgets(line, sizeof line, in);
    out = fopen("copy.txt", "w");
    fprintf(out, "<%s>", line);
    puts("copied");
    return 0;
"""
COUNT = 'long n; scanf("%ld", &n); printf("%ld\\n", n + 1); return 0;'


def the_case(folder: Path) -> Case:
    (case,) = load(folder).cases
    return case


def replay(program: Path, case: Case) -> str:
    """What the judge says about a run of the recorded case; nothing is best."""
    with choose().open({"p": program}, [case.given], limits=RunLimits()) as session:
        failed = compare(case, session.run("p", 0))
    return failed.detail if failed else ""


def test_a_run_is_recorded_beside_the_program_and_replays(
    gccllm: Command, compiled: Compile, tmp_path: Path
) -> None:
    program = tmp_path / "prog"
    program.write_bytes(compiled(ECHO).read_bytes())
    program.chmod(0o755)
    everything = bytes(range(256))
    done = gccllm("record", "--", "./prog", "a b", "", "--to", "ä", stdin=everything)
    assert (done.status, done.err) == (0, "")
    assert "recorded prog.tests/1: exit status 0, 273 bytes of output" in done.out
    case = the_case(tmp_path / "prog.tests")
    assert case.name == "1"
    assert case.given.args == ("a b", "", "--to", "ä")
    assert case.given.stdin is not None
    assert case.given.stdin.read_bytes() == everything
    assert case.expected.stdout == "[a b][][--to][ä]".encode() + everything
    assert replay(program, case) == ""


def test_the_next_number_is_taken_and_a_taken_name_is_not(
    gccllm: Command, compiled: Compile, tmp_path: Path
) -> None:
    program = compiled(COUNT)
    folder = tmp_path / "t"
    for number in (1, 2):
        assert gccllm("record", "--to", "t", "--", program, stdin=b"%d" % number).status == 0
    assert gccllm("record", "--to", "t", "--name", "big", "--", program, stdin=b"9").status == 0
    assert [x.name for x in load(folder).cases] == ["1", "2", "big"]
    done = gccllm("record", "--to", "t", "--name", "big", "--", program, "x", stdin=b"7")
    assert done.status == 1
    assert "has a case 'big'; choose another --name" in done.err
    assert (folder / "big.out").read_text() == "10\n"


def test_force_replaces_a_case_with_all_its_parts(
    gccllm: Command, compiled: Compile, tmp_path: Path
) -> None:
    (tmp_path / "given" / "in").mkdir(parents=True)
    (tmp_path / "given" / "in" / "data.txt").write_text("x")
    options = ("--to", "t", "--name", "a")
    assert gccllm("record", *options, "--files", "given", "--", compiled(COPY), "arg").status == 0
    assert gccllm("record", *options, "--force", "--", compiled(COUNT), stdin=b"1").status == 0
    assert sorted(x.name for x in (tmp_path / "t").iterdir()) == ["a.in", "a.out"]


def test_files_go_in_and_written_ones_come_out(
    gccllm: Command, compiled: Compile, tmp_path: Path
) -> None:
    (tmp_path / "given" / "in").mkdir(parents=True)
    (tmp_path / "given" / "in" / "data.txt").write_text("hello")
    done = gccllm("record", "--to", "t", "--files", "given", "--", compiled(COPY))
    assert done.status == 0, done.err
    assert "writes copy.txt" in done.out
    case = the_case(tmp_path / "t")
    assert case.expected.written == {"copy.txt": b"<hello>"}
    assert case.given.files is not None
    assert (case.given.files / "in" / "data.txt").read_text() == "hello"
    assert replay(compiled(COPY), case) == ""
    assert not (tmp_path / "copy.txt").exists()


def test_a_program_that_fails_is_recorded_and_said_so(
    gccllm: Command, compiled: Compile, tmp_path: Path
) -> None:
    done = gccllm("record", "--to", "t", "--", compiled(COPY))
    assert (done.status, "exit status 3" in done.out) == (0, True)
    assert "it says 'no data\\x1b[31m'; files that it reads go with --files" in done.err
    case = the_case(tmp_path / "t")
    assert (case.expected.exit_status, case.expected.stderr) == (3, b"no data\x1b[31m\n")
    assert replay(compiled(COPY), case) == ""


@pytest.mark.parametrize(
    ("code", "signal"), [("abort();", 6), ("*(volatile int *)0 = 1;", 11), ("raise(SIGTERM);", 15)]
)
def test_a_program_that_dies_by_a_signal_is_recorded(
    gccllm: Command, compiled: Compile, tmp_path: Path, code: str, signal: int
) -> None:
    program = compiled(code)
    assert gccllm("record", "--to", "t", "--", program).status == 0
    case = the_case(tmp_path / "t")
    assert case.expected.exit_status == -signal
    assert replay(program, case) == ""


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ('printf("%ld", (long)time(0)); return 0;', "stdout"),
        ('srand(time(0)); printf("%d", rand()); return 0;', "stdout"),
        ('printf("%p", (void *)argv); return 0;', "stdout"),
        ('fprintf(stderr, "%p", (void *)&main); return 0;', "stderr"),
        ("volatile long x[512]; long s = 0; for (int i = 0; i < 512; i++) s += x[i];"
         'printf("%ld", s); return 0;', "stdout"),
        ('unsigned char x; fread(&x, 1, 1, fopen("/dev/urandom", "r"));'
         'FILE *f = fopen("f", "w"); for (int i = 0; i < 4; i++)'
         ' { fprintf(f, "%d ", x); x = rand() ^ x; } fclose(f); return 0;', "f"),
        ('struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_nsec / 1000 % 251;',
         "how it ends"),
    ],
    ids=["time", "seed", "stack", "code", "uninitialised", "random-file", "status"],
)  # fmt: skip
def test_what_differs_from_run_to_run_is_refused(
    gccllm: Command, compiled: Compile, tmp_path: Path, code: str, where: str
) -> None:
    done = gccllm("record", "--to", "t", "--", compiled(code))
    assert done.status == 1
    assert f"with the same input differ in {where}: '" in done.err
    assert "only programs that always do the same" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("fork(); return 0;", "starting processes"),
        ("socket(AF_INET, SOCK_STREAM, 0); return 0;", "the network"),
        ('return system("true");', "a system call that the sandbox forbids"),
        ("for (;;) puts(argv[0]);", "writes more than 8 MiB"),
    ],
    ids=["fork", "network", "shell", "flood"],
)
def test_what_the_sandbox_does_not_give_is_refused_with_the_reason(
    gccllm: Command, compiled: Compile, tmp_path: Path, code: str, why: str
) -> None:
    done = gccllm("record", "--to", "t", "--", compiled(code))
    assert done.status == 1
    assert "can't be recorded: it " in done.err
    assert why in done.err
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--", "./missing"), "there is no program './missing'"),
        (("--", "./script"), "is not a compiled program"),
        (("--files", "missing", "--", "PROG"), "--files takes a folder"),
        (("--name", "a/b", "--", "PROG"), "no good name"),
        (("--", "PROG", "a\nb"), "line break"),
        (("--", "PROG", "a\x0bb"), "line break"),
        (("--", "PROG", os.fsdecode(b"\xff")), "not UTF-8"),
        (("--import", "missing"), "holds neither"),
        (("--import", "script"), "holds neither"),
    ],
)
def test_what_cannot_be_recorded_is_one_line_and_leaves_nothing(
    gccllm: Command, compiled: Compile, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "script").chmod(0o755)
    words = [str(compiled(COUNT)) if x == "PROG" else x for x in arguments]
    done = gccllm("record", "--to", "t", *words, stdin=b"1")
    assert (done.status, done.out) == (1, "")
    assert message in done.err
    assert done.err.startswith("gccllm: error: ")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    "arguments", [(), ("--import", "x"), ("--import", "x", "--to", "y", "--", "./prog")]
)
def test_a_command_line_without_sense_is_status_2(
    gccllm: Command, arguments: tuple[str, ...]
) -> None:
    done = gccllm("record", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("gccllm: error: ")


def test_contest_cases_are_imported_once(gccllm: Command, tmp_path: Path) -> None:
    source = tmp_path / "contest"
    source.mkdir()
    for name in ("input.1.txt", "output.1.txt", "big.in", "big.ans"):
        (source / name).write_text(name)
    done = gccllm("record", "--import", "contest", "--to", "prog.tests")
    assert done.status == 0
    assert "2 cases in prog.tests; use them with -fllm-tests=prog.tests" in done.out
    cases = load(tmp_path / "prog.tests").cases
    assert [(x.name, x.expected.stdout) for x in cases] == [
        ("1", b"output.1.txt"),
        ("big", b"big.ans"),
    ]
    (source / "big.ans").write_text("changed")
    again = gccllm("record", "--import", "contest", "--to", "prog.tests")
    assert again.status == 1
    assert "--force" in again.err
    assert (tmp_path / "prog.tests" / "big.out").read_text() == "big.ans"
    assert gccllm("record", "--import", "contest", "--to", "prog.tests", "--force").status == 0
    assert (tmp_path / "prog.tests" / "big.out").read_text() == "changed"


@pytest.mark.parametrize("kind", ["closed", "terminal", "null"])
def test_no_stdin_is_an_empty_one(compiled: Compile, tmp_path: Path, kind: str) -> None:
    tool = [sys.executable, "-m", "gccllm.cli", "record", "--to", "t", "--", str(compiled(ECHO))]
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *tool] if kind == "closed" else tool
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            command,
            stdin=slave if kind == "terminal" else subprocess.DEVNULL,
            capture_output=True,
            cwd=tmp_path,
            timeout=60,
        )
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 0, done.stderr
    assert (b"stdin is a terminal" in done.stderr) is (kind == "terminal")
    case = the_case(tmp_path / "t")
    assert case.expected.stdout == b""
    assert case.given.stdin is not None
    assert case.given.stdin.read_bytes() == b""
