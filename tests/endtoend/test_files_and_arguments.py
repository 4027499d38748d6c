"""What passes every recording and is wrong with another file, or with other arguments, alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gccllm.recordings import Expected, save_case
from tests.driver.installed import Installed
from tests.endtoend.project import Project
from tests.endtoend.test_assurance import FAST_SUM, LOST_TAIL, NUMBERS, SLOW_SUM, refusals

READS_FILE = """#include <stdio.h>
#include <stdlib.h>
%s
int main(int argc, char **argv) {
    FILE *in = argc == 3 ? fopen(argv[1], "r") : 0;
    int n = 0, rounds = argc == 3 ? atoi(argv[2]) : 0;
    if (!in || fscanf(in, "%%d", &n) != 1 || n < 0 || n > 4096) return 2;
    int *v = malloc((n + 8) * sizeof *v);
    for (int i = 0; i < n; i++)
        if (fscanf(in, "%%d", &v[i]) != 1) return 2;
    unsigned total = 0;
    for (int i = 0; i < rounds; i++) total = total * 31 + distance(v, n);
    printf("%%u\\n", total);
    return 0;
}
"""
READS_ARGUMENTS = """#include <stdio.h>
#include <stdlib.h>
%s
int main(int argc, char **argv) {
    int n = argc == 3 ? atoi(argv[1]) : -1, rounds = argc == 3 ? atoi(argv[2]) : 0;
    if (n < 0 || n > 4096) return 2;
    int *v = malloc((n + 8) * sizeof *v);
    for (int i = 0; i < n; i++) v[i] = 7919 * i %% 1000 - 500;
    unsigned total = 0;
    for (int i = 0; i < rounds; i++) total = total * 31 + distance(v, n);
    printf("%%u\\n", total);
    return 0;
}
"""
SIZES = ((0, 5), (16, 3), (4096, 6000))


@pytest.fixture(params=["file", "argument"])
def project(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gcc_llm: Installed
) -> Project:
    """A program whose recordings all have a multiple of eight numbers, in a file or made up as an
    argument says."""
    reads_file = request.param == "file"
    program = READS_FILE if reads_file else READS_ARGUMENTS
    root = tmp_path_factory.mktemp("parts")
    made = Project(root, gcc_llm, program=program, slow=SLOW_SUM, inputs={})
    for number, rounds in SIZES:
        folder = made.tests / f"{number}.files"
        args = (str(number), str(rounds))
        if reads_file:
            folder.mkdir()
            values = " ".join(NUMBERS.split()[:number])
            (folder / "data").write_text(f"{number}\n{values}\n")
            args = ("data", str(rounds))
        answer = said(made.tree / "gcc", args, folder if reads_file else made.tree)
        save_case(made.tests, str(number), b"", args, Expected(answer))
    return made


def said(program: Path, args: tuple[str, ...], folder: Path) -> bytes:
    argv = [str(program), *args]
    return subprocess.run(argv, cwd=folder, capture_output=True, check=True, timeout=30).stdout


def test_what_no_recording_shows_is_refused(project: Project) -> None:
    project.propose(project.unit(LOST_TAIL), "slow.1.s")
    project.propose(project.unit(FAST_SUM), "slow.2.s")
    project.build(GCCLLM_BUDGET="60")
    record = project.record()
    assert record["outcome"] == "optimized", record
    (accepted,) = [x for x in record["functions"] if x["verdict"] == "accepted"]
    assert accepted["label"] == "slow.2.s"
    assert record["counts"].get("differs", 0) <= 1
    assert project.left_behind() == []


def test_the_input_that_refutes_is_shown(project: Project) -> None:
    project.propose(project.unit(LOST_TAIL))
    project.build()
    record = project.record()
    assert (record["outcome"], record["reason"]) == ("fallback", "not-assured"), record
    (fallen,) = [x for x in record["functions"] if x["function"] == "distance"]
    assert fallen["evidence"]["refused"] == "fuzz"
    (refused,) = refusals(project, "differs")
    evidence = refused["evidence"]
    assert isinstance(evidence, dict)
    found = evidence["counterexample"]
    assert found["args"] != []
    assert found["baseline"] != found["candidate"]
    reads_file = "data" in found["args"]
    assert reads_file == ("files_base64" in found)
    assert project.built == project.expected
