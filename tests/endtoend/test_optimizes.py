"""The main job, with the real gcc, the real sandbox and the real clock."""

from __future__ import annotations

import os
import subprocess

import pytest

from gccllm.store import Store
from tests.endtoend.project import FAST, INPUTS, Project


def assert_right(project: Project) -> None:
    for name, text in INPUTS.items():
        output = project.run_program(project.tree / "slow", text)
        assert output == (project.tests / f"{name}.out").read_bytes()


def test_a_faster_function_is_accepted_and_shipped(project: Project) -> None:
    project.propose(project.unit(FAST), "slow.count.s")
    done = project.build(GCCLLM_BUDGET="60")
    assert (done.stdout, done.stderr) == (b"", b"")
    record = project.record()
    assert record["outcome"] == "optimized", record
    assert record["version"] == 1
    assert record["assurance"] in ("differential", "proved")
    assert record["speedup"] > 1.5
    assert record["speedup_low"] <= record["speedup"] <= record["speedup_high"]
    assert record["counts"]["accepted"] == 1
    accepted = [x for x in record["functions"] if x["verdict"] == "accepted"]
    assert "count" in {x["function"] for x in accepted}
    assert accepted[0]["tests_run"] == len(INPUTS)
    assert project.built != project.expected
    assert_right(project)
    assert os.access(project.tree / "slow", os.X_OK)
    assert project.left_behind() == []


def test_the_store_makes_the_second_build_quick_and_the_same(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build()
    first = project.built
    project.propose("garbage")
    project.build()
    record = project.record()
    assert record["outcome"] == "applied", record
    assert project.built == first
    assert record["speedup"] > 1.5


def test_a_stored_rewrite_is_applied_without_recordings(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build()
    project.tests.rename(project.tree / "elsewhere")
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    shown = subprocess.run(
        ["objdump", "-d", "slow.o"], cwd=project.tree, capture_output=True, check=True
    ).stdout
    assert b"5555555555555555" in shown
    project.build("-O3", "-g", "slow.c", "-o", "slow")
    project.tests = project.tree / "elsewhere"
    assert_right(project)
    shown = subprocess.run(
        ["objdump", "-d", "slow"], cwd=project.tree, capture_output=True, check=True
    ).stdout
    assert b"5555555555555555" in shown, "with -g the rewrite is spliced anew"
    with Store(project.store) as store:
        assert store.counters()["shim:apply:applied"] == 2


def test_compile_and_link_apart(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    project.build("slow.o", "-o", "slow")
    assert project.record()["outcome"] == "optimized"
    assert_right(project)


def test_an_archive_carries_its_units(project: Project) -> None:
    project.propose(project.unit(FAST))
    project.build("-O3", "-c", "slow.c", "-o", "slow.o")
    subprocess.run(["ar", "rcs", "libslow.a", "slow.o"], cwd=project.tree, check=True)
    (project.tree / "empty.c").write_text("int unused;\n")
    project.build("-O3", "empty.c", "libslow.a", "-o", "slow", GCCLLM_TESTS=str(project.tests))
    assert project.record()["outcome"] == "optimized", project.record()
    assert_right(project)


def test_one_function_alone(project: Project) -> None:
    project.propose(project.unit(FAST), "slow.count.1.s")
    project.build()
    record = project.record()
    assert record["outcome"] == "optimized", record
    accepted = [x["function"] for x in record["functions"] if x["verdict"] == "accepted"]
    assert accepted == ["count"]
    assert_right(project)


def test_the_best_of_several_wins_and_all_are_remembered(project: Project) -> None:
    project.propose(project.unit(FAST.replace(">> 56", ">> 55")), "slow.count.1.s")
    project.propose("this is no assembly\n", "slow.count.2.s")
    project.propose(project.unit(FAST), "slow.count.3.s")
    project.build()
    record = project.record()
    assert record["outcome"] == "optimized", record
    assert record["counts"]["wrong-output"] == 1
    assert_right(project)
    with Store(project.store) as store:
        kinds = [x["verdict"] for x in store.judgements("slow")]
    assert "accepted" in kinds
    assert "wrong-output" in kinds


@pytest.mark.parametrize("sandbox", ["bwrap", "landlock", "none"])
def test_in_every_sandbox_and_the_record_says_which(project: Project, sandbox: str) -> None:
    project.propose(project.unit(FAST))
    project.build(GCCLLM_SANDBOX=sandbox)
    record = project.record()
    if record["reason"] == "no-sandbox":
        pytest.skip(f"{sandbox}: {record['detail']}")
    assert record["outcome"] == "optimized", record
    assert record["sandbox"] == sandbox
    assert_right(project)


def test_objects_merged_by_ld_r_still_carry_their_units(project: Project) -> None:
    project.propose(project.unit(FAST), "slow.count.1.s")
    (project.tree / "other.c").write_text("int other(int x) { return x * 3; }\n")
    project.build("-O3", "-c", "slow.c", "other.c", GCCLLM_TESTS=str(project.tests))
    project.build("-r", "slow.o", "other.o", "-o", "merged.o")
    project.build("merged.o", "-o", "slow")
    assert project.record()["outcome"] == "optimized", project.record()
    assert_right(project)
