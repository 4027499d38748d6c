"""``gccllm record --workload``: what a command makes of a program becomes cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.recordings import Case, load
from tests.cli.conftest import Command, Compile

READER = """
    FILE *in = argc > 1 ? fopen(argv[argc - 1], "r") : stdin;
    char line[100];
    if (!in) return 3;
    if (getenv("MODE")) printf("mode %s\\n", getenv("MODE"));
    while (fgets(line, sizeof line, in)) printf("<%s>", line);
    remove("scratch");
    return 0;
"""


@pytest.fixture
def program(compiled: Compile, tmp_path: Path) -> Path:
    path = tmp_path / "prog"
    path.write_bytes(compiled(READER).read_bytes())
    path.chmod(0o755)
    return path


def cases(folder: Path) -> dict[str, Case]:
    return {x.name: x for x in load(folder).cases}


def files(case: Case) -> dict[str, str]:
    folder = case.given.files
    if folder is None:
        return {}
    found = (x for x in folder.rglob("*") if x.is_file())
    return {str(x.relative_to(folder)): x.read_text() for x in found}


def record(gccllm: Command, tmp_path: Path, *lines: str) -> dict[str, Case]:
    script = "set -e\n" + "\n".join(lines)
    done = gccllm("record", "--workload", script, "--to", "made", "./prog")
    assert done.status == 0, done.err
    return cases(tmp_path / "made")


def test_files_arguments_variables_and_stdin_are_kept(
    gccllm: Command, program: Path, tmp_path: Path
) -> None:
    before = program.read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_text("1\n")
    (tmp_path / "in").write_text("skipped\nstdin\n")
    found = record(
        gccllm,
        tmp_path,
        "./prog -x data/one",
        "MODE=quick ./prog $PWD/data/one",
        "echo piped | ./prog",
        "{ read first; ./prog; } < in",
        "cd data && ../prog one && ../prog ../in",
    )
    assert program.read_bytes() == before
    assert [x.given.args for x in found.values()] == [
        ("-x", "data/one"),
        ("data/one",),
        (),
        (),
        ("one",),
        ("outside/in",),
    ]
    assert files(found["1"]) == files(found["2"]) == {"data/one": "1\n"}
    assert found["2"].given.environment == (("MODE", "quick"),)
    assert found["3"].expected.stdout == b"<piped\n>"
    assert found["4"].expected.stdout == b"<stdin\n>", "what was left to be read there"
    assert files(found["6"]) == {"outside/in": "skipped\nstdin\n"}


def test_files_are_kept_as_they_were(gccllm: Command, program: Path, tmp_path: Path) -> None:
    found = record(gccllm, tmp_path, "echo x > scratch", "./prog scratch", "! test -e scratch")
    assert files(found["1"]) == {"scratch": "x\n"}
    assert found["1"].expected.stdout == b"<x\n>"


def test_the_same_run_again_is_no_other_case(
    gccllm: Command, program: Path, tmp_path: Path
) -> None:
    found = record(gccllm, tmp_path, "for i in 1 2 3; do echo x | ./prog; done", "echo y | ./prog")
    assert len(found) == 2


def test_a_workload_that_fails_or_never_runs_it_leaves_it_in_place(
    gccllm: Command, program: Path, tmp_path: Path
) -> None:
    before = program.read_bytes()
    for script, said in (
        ("./prog nowhere", "the workload fails"),
        ("true", "the workload never ran prog"),
    ):
        done = gccllm("record", "--workload", script, "./prog")
        assert (done.status, said in done.err) == (1, True), done.err
        assert program.read_bytes() == before
    assert [x.name for x in tmp_path.iterdir()] == ["prog"]


def test_what_the_sandbox_does_otherwise_is_left_out_and_said(
    gccllm: Command, program: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_text("1\n")
    script = "echo x | ./prog\ncd data\nTZ=UTC ../prog --in=one || test $? = 3\nrm one"
    done = gccllm("record", "--workload", script, "./prog")
    assert done.status == 0, done.err
    assert len(cases(tmp_path / "prog.tests")) == 2


def test_options_that_make_no_sense_with_it(gccllm: Command, program: Path) -> None:
    done = gccllm("record", "--workload", "true", "--name", "x", "./prog")
    assert done.status == 2
    done = gccllm("record", "--env", "NO_SUCH_VARIABLE", "./prog")
    assert (done.status, "NAME=VALUE" in done.err) == (2, True)


def test_a_variable_is_given_to_a_recorded_run(
    gccllm: Command, program: Path, tmp_path: Path
) -> None:
    done = gccllm("record", "--env", "MODE=slow", "--", "./prog", stdin=b"")
    assert done.status == 0, done.err
    (case,) = load(tmp_path / "prog.tests").cases
    assert case.given.environment == (("MODE", "slow"),)
    assert case.expected.stdout == b"mode slow\n"
