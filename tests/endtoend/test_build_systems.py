"""``gccllm optimize`` over whole builds, as their authors would build them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from gccllm.store import Store
from tests.dispatch.tools import emulated, needs_qemu
from tests.driver.installed import Installed
from tests.endtoend.building import SYSTEMS, System, Tree

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_build_gets_faster_and_later_builds_have_it(
    name: str, tmp_path: Path, gcc_llm: Installed
) -> None:
    system = SYSTEMS[name]
    for tool in system.needs:
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    tree = Tree(tmp_path, gcc_llm, system)
    tree.sh(system.build, GCCLLM="off")
    expected = tree.runs("1000")
    done = tree.optimize(
        "--build", system.build, "--workload", tree.workload(system.program), "--check", "true"
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    record = tree.record()
    assert record["outcome"] == "optimized", record
    assert [x["function"] for x in record["functions"] if x["assurance"]] == ["count"]
    assert record["considered"] > 0.5
    assert all(x["calls"] for x in record["functions"] if x["share"])
    assert tree.is_fast(), "what was accepted is in its place at once"
    assert tree.runs("1000") == expected
    tree.sh(system.build)
    assert tree.is_fast(), "a later build applies it"
    assert tree.runs("1000") == expected
    assert not list((tmp_path / "tmp").iterdir())


@pytest.fixture
def tree(tmp_path: Path, gcc_llm: Installed) -> Tree:
    return Tree(tmp_path, gcc_llm, SYSTEMS["make -j"])


def test_a_second_program_that_shares_objects_keeps_what_the_first_found(tree: Tree) -> None:
    build = tree.system.build
    done = tree.optimize("--build", build, "--workload", tree.workload())
    assert done.returncode == 0, done.stderr.decode()
    done = tree.optimize("--workload", tree.workload("second"), program="second")
    assert done.returncode == 0, done.stderr.decode()
    assert tree.record()["outcome"] == "optimized"
    tree.sh(build)
    assert tree.is_fast("prog")
    assert tree.is_fast("second")


@needs_qemu
def test_what_needs_more_than_the_target_is_put_behind_a_check(tree: Tree) -> None:
    tree.propose(
        "__attribute__((noinline)) int count(unsigned long x) { return __builtin_popcountl(x); }",
        "-mpopcnt",
    )
    build = tree.system.build
    done = tree.optimize(
        *("--build", build, "--workload", tree.workload()),
        *("--isa", "dispatch", "--check", "test $(echo 0 | ./prog) = 1"),
    )
    assert done.returncode == 0, done.stderr.decode()
    assert tree.record()["outcome"] == "optimized"
    program = tree.folder / "prog"
    assert b"gccllm.ask" in program.read_bytes()
    assert emulated(program, "Conroe", b"1000\n") == (0, tree.runs("1000"))


def test_a_rewrite_that_fails_the_projects_tests_is_left_out(tree: Tree) -> None:
    check = "! objdump -d prog | grep -q 5555555555555555"
    build = tree.system.build
    done = tree.optimize("--build", build, "--workload", tree.workload(), "--check", check)
    assert done.returncode == 0, done.stderr.decode()
    record = tree.record()
    assert (record["outcome"], record["reason"]) == ("fallback", "nothing-faster")
    assert record["counts"] == {"differs": 1, "not-faster": 1}
    assert not tree.is_fast()
    with Store(tree.store) as store:
        assert store.rewrites() == []


def test_tests_that_fail_with_gccs_own_program_end_it(tree: Tree) -> None:
    done = tree.optimize(
        "--build", tree.system.build, "--workload", tree.workload(), "--check", "false"
    )
    assert done.returncode == 1
    assert tree.record()["reason"] == "check-fails"


def test_ctrl_c_keeps_what_was_accepted_and_the_next_search_goes_on(tree: Tree) -> None:
    scripts = Path(tree.environment["GCCLLM_PROPOSERS"].partition(":")[2])
    tree.environment["GCCLLM_PROPOSERS"] += ",compilers"
    arguments = ("-v", "--build", tree.system.build, "--workload", tree.workload())
    # the compilers' round comes first and finds nothing; the scripted one is accepted
    with subprocess.Popen(
        tree.command(*arguments, "prog"),
        cwd=tree.folder,
        env=tree.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"round of" in line:
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
        assert process.wait(60) in (0, 1), said.decode()
    assert b"stopped; what was accepted stays" in said
    assert not tree.is_fast()
    tree.environment["GCCLLM_PROPOSERS"] = f"scripted:{scripts}"
    done = tree.optimize()
    assert done.returncode == 0, done.stderr.decode()
    assert tree.is_fast()
    started = time.monotonic()
    again = tree.optimize("-v", "--budget", "20")
    assert again.returncode == 0, again.stderr.decode()
    assert b"earlier rewrites of count" in again.stderr
    assert tree.record()["detail"].endswith("from the store")
    assert tree.is_fast(), f"after {time.monotonic() - started:.0f} s"


def test_a_program_that_was_not_built_so_is_refused(tree: Tree) -> None:
    tree.sh(tree.system.build, GCCLLM="off")
    done = tree.optimize("--workload", tree.workload())
    assert done.returncode == 2
    assert b"nothing is known of how prog was linked" in done.stderr


def test_objects_that_changed_since_are_noticed(tree: Tree) -> None:
    folder = {"GCCLLM_TESTS": str(tree.folder / "prog.tests"), "GCCLLM_LINKS_ONLY": "1"}
    tree.sh(tree.system.build, **folder)
    source = tree.folder / "main.c"
    source.write_text(source.read_text().replace("total = 0", "total = 1"))
    tree.sh("$CC -O3 -c main.c -o main.o", **folder)
    done = tree.optimize("--workload", tree.workload())
    assert done.returncode == 1
    assert b"its objects give another file than when it was linked" in done.stderr


def test_files_arguments_and_variables_of_a_workload_are_what_is_judged(
    tmp_path: Path, gcc_llm: Installed
) -> None:
    main = """#include <stdio.h>
#include <stdlib.h>
#include "count.h"
int main(int argc, char **argv) {
    unsigned long n = 0, x = 88172645463325252ul;
    long total = getenv("START") ? atol(getenv("START")) : 0;
    FILE *in = argc > 1 ? fopen(argv[1], "r") : NULL, *out;
    if (!in || fscanf(in, "%lu", &n) != 1) return 2;
    for (unsigned long i = 0; i < n; i++) {
        x ^= x << 13; x ^= x >> 7; x ^= x << 17;
        total += count(x);
    }
    out = fopen("result", "w");
    fprintf(out, "%ld\\n", other(total));
    return 0;
}
"""
    system = SYSTEMS["make -j"]
    tree = Tree(tmp_path, gcc_llm, System({**system.files, "main.c": main}, system.build))
    (tree.folder / "numbers").mkdir()
    (tree.folder / "numbers" / "few").write_text("3\n")
    (tmp_path / "many").write_text("300000\n")
    workload = "./prog numbers/few\nSTART=7 ./prog ../many\n! ./prog\nrm result"
    done = tree.optimize("--build", system.build, "--workload", workload, "--assurance", "tests")
    assert done.returncode == 0, done.stderr.decode()
    assert tree.is_fast()
    recording = tree.folder / "prog.tests"
    assert (recording / "1.args").read_text() == "numbers/few\n"
    assert (recording / "1.files" / "numbers" / "few").read_text() == "3\n"
    assert (recording / "2.args").read_text() == "outside/many\n"
    assert (recording / "2.env").read_text() == "START=7\n"
    assert (recording / "2.written" / "result").exists()
    assert (recording / "3.exit").read_text() == "2\n"
