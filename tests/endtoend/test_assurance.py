"""The ladder in the product: what passes every recording and is wrong, and what is right."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from gccllm.store import Store
from tests.driver.installed import Installed
from tests.endtoend.project import FAST, Project
from tests.endtoend.running import command_lines, inherited_environment

SUMS = """#include <stdio.h>
#include <stdlib.h>
%s
int main(void) {
    int n = 0, rounds = 0;
    if (scanf("%%d %%d", &n, &rounds) != 2 || n < 0 || n > 4096) return 2;
    int *v = malloc((n + 8) * sizeof *v);
    for (int i = 0; i < n; i++)
        if (scanf("%%d", &v[i]) != 1) return 2;
    unsigned total = 0;
    for (int i = 0; i < rounds; i++) total = total * 31 + distance(v, n);
    printf("%%u\\n", total);
    return 0;
}
"""
SLOW_SUM = """__attribute__((noipa, optimize("no-tree-vectorize")))
unsigned distance(const int *v, int n) {
    unsigned sum = 0;
    for (int i = 0; i < n; i++) sum += v[i] < 0 ? -(unsigned)v[i] : (unsigned)v[i];
    return sum;
}"""
FAST_SUM = SLOW_SUM.replace(', optimize("no-tree-vectorize")', "")
LOST_TAIL = FAST_SUM.replace("i < n;", "i < (n & ~7);")
NUMBERS = " ".join(str(7919 * i % 1000 - 500) for i in range(4096))
SUM_INPUTS = {
    "none": "0 5\n",
    "some": f"16 3\n{' '.join(NUMBERS.split()[:16])}\n",
    "many": f"4096 6000\n{NUMBERS}\n",
}
# The value never comes up in the runs that inputs lead to; calls of the function alone try it.
DEEP = FAST.replace("x = x - ", "if (x == 0x0123456789abcdeful) return 3;\n    x = x - ", 1)
PASSES = "5555555555555555"


@pytest.fixture
def sums(tmp_path_factory: pytest.TempPathFactory, gcc_llm: Installed) -> Project:
    root = tmp_path_factory.mktemp("sums")
    return Project(root, gcc_llm, program=SUMS, slow=SLOW_SUM, inputs=SUM_INPUTS)


def disassembly(project: Project, name: str) -> str:
    argv = ["objdump", "-d", name]
    return subprocess.run(argv, cwd=project.tree, capture_output=True, check=True, text=True).stdout


def refusals(project: Project, kind: str) -> list[dict[str, object]]:
    with Store(project.store) as store:
        return [dict(x) for x in store.judgements("slow") if x["verdict"] == kind]


@pytest.mark.parametrize("wanted", ["tests", "fuzzed"])
def test_fuzzing_refuses_what_passes_every_recording(sums: Project, wanted: str) -> None:
    sums.propose(sums.unit(LOST_TAIL))
    sums.build(GCCLLM_ASSURANCE=wanted)
    record = sums.record()
    assert (record["outcome"], record["reason"]) == ("fallback", "not-assured"), record
    assert record["counts"].get("differs") == 1, record["detail"]
    (fallen,) = [x for x in record["functions"] if x["function"] == "distance"]
    assert fallen["evidence"]["refused"] == "fuzz"
    assert sums.built == sums.expected
    assert sums.left_behind() == []
    (found,) = refusals(sums, "differs")
    evidence = found["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["rung"] == "fuzz"
    assert evidence["counterexample"]["baseline"] != evidence["counterexample"]["candidate"]


@pytest.mark.parametrize("wanted", ["tests", "fuzzed"])
def test_the_right_twin_wins_over_the_wrong_one(sums: Project, wanted: str) -> None:
    sums.propose(sums.unit(LOST_TAIL), "slow.1.s")
    sums.propose(sums.unit(FAST_SUM), "slow.2.s")
    sums.build(GCCLLM_ASSURANCE=wanted)
    record = sums.record()
    assert record["outcome"] == "optimized", record
    (accepted,) = [x for x in record["functions"] if x["verdict"] == "accepted"]
    assert accepted["label"] == "slow.2.s"
    assert sums.run_program(sums.tree / "slow", "3 1\n4 -5 6\n") == b"15\n"


def test_calls_of_the_function_alone_refuse_what_fuzzing_can_not_reach(project: Project) -> None:
    project.propose(project.unit(DEEP))
    project.build()
    record = project.record()
    assert (record["outcome"], record["reason"]) == ("fallback", "not-assured"), record
    (found,) = refusals(project, "differs")
    evidence = found["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["rung"] == "differential"
    assert "count(x=81985529216486895)" in str(evidence["counterexample"])
    with Store(project.store) as store:
        assert store.counters()["shim:assurance:differential"] == 1
    assert project.built == project.expected


def test_a_right_one_is_examined_alone_and_says_so(project: Project) -> None:
    project.propose(project.unit(FAST), "slow.count.s")
    project.build(GCCLLM_ASSURANCE="differential", GCCLLM_BUDGET="60")
    record = project.record()
    assert record["outcome"] == "optimized", record
    assert record["assurance"] in ("differential", "proved")
    (accepted,) = [x for x in record["functions"] if x["function"] == "count"]
    rungs = accepted["evidence"]["rungs"]
    assert [rungs[x]["standing"] for x in ("abi", "fuzz", "coverage", "differential")] == [
        "passed"
    ] * 4
    assert rungs["differential"]["pairs"] > 1000
    assert rungs["fuzz"]["inputs"] > 0
    assert accepted["evidence"]["blocks"]["candidate"]["never"] == 0
    with Store(project.store) as store:
        (rewrite,) = store.rewrites()
    assert rewrite.assurance == accepted["assurance"]
    kept = rewrite.evidence["ladder"]
    assert isinstance(kept, dict)
    assert kept["count"] == accepted["evidence"]


def test_what_can_not_be_proved_falls_where_a_proof_is_wanted(sums: Project) -> None:
    # floating point is beyond every proof
    sums.propose(sums.unit(FAST_SUM.replace("return sum;", "return (unsigned)(double)sum;")))
    sums.build(GCCLLM_ASSURANCE="proved")
    record = sums.record()
    assert (record["outcome"], record["reason"]) == ("fallback", "not-assured"), record
    assert record["counts"].get("unjudged") == 1, record["detail"]
    (fallen,) = [x for x in record["functions"] if x["function"] == "distance"]
    assert fallen["evidence"]["refused"] == "proof-unknown"
    assert sums.built == sums.expected


def test_a_stored_rewrite_that_is_too_weak_is_not_applied(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build()
    assert project.record()["outcome"] == "optimized"
    with sqlite3.connect(project.store / "store.sqlite") as db:
        db.execute("UPDATE rewrites SET assurance = 'tests'")
    project.tests.rename(project.tree / "elsewhere")
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    assert PASSES not in disassembly(project, "slow.o")
    project.build("-O3", "-c", "slow.c", "-o", "slow.o", "-fllm-assurance=tests")
    assert PASSES in disassembly(project, "slow.o")
    project.build("-O3", "-c", "slow.c", "-o", "slow.o", "-fllm-assurance=proof")
    assert PASSES not in disassembly(project, "slow.o")
    (project.tree / "elsewhere").rename(project.tests)
    project.propose("garbage")
    project.build()
    assert project.record()["outcome"] == "fallback"
    assert project.built == project.expected
    with Store(project.store) as store:
        counters = store.counters()
    assert counters["shim:apply:too-weak"] == 1
    assert counters["shim:apply:applied"] == 1
    assert counters["shim:apply:bad-option"] == 1
    assert counters["shim:link:stored-too-weak"] == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_the_middle_of_the_climb_nothing_is_left(
    project: Project, how: signal.Signals
) -> None:
    project.propose(project.unit(FAST))
    build = subprocess.Popen(
        [str(project.gcc_llm.front), "-O3", "slow.c", "-o", "slow"],
        cwd=project.tree,
        env=project.environment(GCCLLM_VERBOSE="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert build.stderr is not None
    told = next((x for x in build.stderr if b"examining mutated inputs" in x), b"")
    assert told, "the ladder was climbed"
    time.sleep(0.5)
    if how is signal.SIGINT:
        os.killpg(build.pid, how)
    else:
        (victim,) = (
            path
            for path in Path("/proc").glob("[0-9]*")
            if b"\0link\0" in _command(path)
            and str(project.store.parent) in inherited_environment(path)
            and b"-c" in _command(path)
            and b"timeout" not in _command(path)
        )
        os.kill(int(victim.name), how)
    build.communicate(timeout=60)
    assert (build.returncode == 0) is (how is signal.SIGKILL)
    if how is signal.SIGKILL:
        assert project.built == project.expected
    time.sleep(0.3)
    assert project.left_behind() == []
    assert not [x for x in command_lines() if str(project.temporary) in x]


def _command(path: Path) -> bytes:
    try:
        return (path / "cmdline").read_bytes()
    except OSError:
        return b""
