"""-fllm-isa=dispatch from the link that finds a rewrite to builds that use what it found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gccllm.lockfile import read_lock
from gccllm.store import Store
from tests.dispatch.tools import emulated, needs_qemu
from tests.endtoend.project import SLOW, Project
from tests.endtoend.test_lock import check, gccllm

POPCOUNT = """__attribute__((noinline)) int count(unsigned long x) {
    return __builtin_popcountl(x);
}"""


def runs_as_recorded(project: Project) -> None:
    program = project.tree / "slow"
    for path in sorted(project.tests.glob("*.in")):
        want = path.with_suffix(".out").read_bytes()
        assert project.run_program(program, path.read_text()) == want


@pytest.fixture
def found(project: Project) -> Project:
    """The project after a link that found a version with popcnt."""
    project.propose(project.unit(POPCOUNT, "-mpopcnt"))
    project.build(GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    record = project.record()
    assert record["outcome"] == "optimized", record
    assert record["isa"].startswith("dispatch-")
    return project


def test_what_is_found_ships_beside_gccs(found: Project) -> None:
    assert found.built != found.expected
    runs_as_recorded(found)
    assert b"gccllm.ask" in found.built
    with Store(found.store) as store:
        (rewrite,) = store.rewrites()
    assert rewrite.key.isa.startswith("dispatch-")
    assert "popcnt" in rewrite.text
    assert "cpuid" not in rewrite.text


def test_the_ladder_examines_the_new_version(project: Project) -> None:
    project.propose(project.unit(POPCOUNT, "-mpopcnt"))
    project.build(GCCLLM_ISA="dispatch", GCCLLM_BUDGET="60")
    record = project.record()
    assert record["outcome"] == "optimized", record
    (count,) = [x for x in record["functions"] if x["function"] == "count"]
    assert count["assurance"] in ("differential", "proved")
    assert b"gccllm.ask" in project.built
    runs_as_recorded(project)


@needs_qemu
def test_it_runs_on_a_processor_without(found: Project) -> None:
    program = found.tree / "slow"
    done = emulated(program, "Conroe", stdin=b"3\n")
    assert done == (0, (found.tests / "few.out").read_bytes())
    found.build(GCCLLM_ISA="native", GCCLLM_ASSURANCE="tests")
    assert emulated(program, "Conroe", stdin=b"3\n")[0] in (132, -4)


def test_later_builds_apply_it(found: Project, tmp_path: Path) -> None:
    shipped = found.built
    shutil.move(found.tests, tmp_path / "kept")
    found.build(GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    assert found.built == shipped
    found.build(GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    assert found.built == shipped
    found.build(GCCLLM_ISA="target", GCCLLM_ASSURANCE="tests")
    assert found.built == found.expected
    found.build(
        "-O3", "-g", "slow.c", "-o", "slow", GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests"
    )
    assert b"gccllm.ask" in found.built
    shutil.move(tmp_path / "kept", found.tests)
    runs_as_recorded(found)


def test_a_link_with_recordings_applies_it(found: Project) -> None:
    shipped = found.built
    found.build(GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    assert found.record()["outcome"] == "applied"
    assert found.built == shipped


def test_without_dispatch_the_candidate_is_refused(project: Project) -> None:
    project.propose(project.unit(POPCOUNT, "-mpopcnt"))
    project.build(GCCLLM_ISA="target", GCCLLM_ASSURANCE="tests")
    assert project.built == project.expected
    assert project.record()["counts"] == {"screened": 1}


@pytest.mark.parametrize("instruction", ["cpuid", "xorl %ecx, %ecx\n\txgetbv"])
def test_a_candidate_may_not_ask_the_processor(project: Project, instruction: str) -> None:
    text = project.unit(POPCOUNT, "-mpopcnt")
    sly = text.replace("\tpopcntq", f"\t{instruction}\n\tpopcntq")
    assert sly != text
    project.propose(sly)
    project.build(GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    assert project.built == project.expected
    assert project.record()["counts"] == {"screened": 1}


def test_a_wrong_version_is_found_where_the_processor_has_it(project: Project) -> None:
    text = project.unit(POPCOUNT, "-mpopcnt")
    project.propose(text.replace("\tpopcntq", "\tnotq %rdi\n\tpopcntq"))
    project.build(GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    assert project.built == project.expected
    assert project.record()["counts"] == {"wrong-output": 1}


def test_what_the_target_has_needs_no_check(project: Project) -> None:
    project.propose(project.unit(POPCOUNT, "-mpopcnt"))
    target = ("-O3", "-mpopcnt", "slow.c", "-o", "slow")
    project.build(*target, GCCLLM_ISA="dispatch", GCCLLM_ASSURANCE="tests")
    assert project.record()["outcome"] == "optimized"
    assert b"gccllm.ask" not in project.built
    assert SLOW in project.source.read_text()


def test_a_lock_file_makes_the_same_bytes(found: Project) -> None:
    shipped, lock = found.built, found.tree.parent / "x.lock"
    assert gccllm(found, "lock", "-o", str(lock)).returncode == 0
    (one,) = read_lock(lock).rewrites
    assert one.isa == "dispatch"
    assert one.needs == {"POPCNT"}
    assert "gccllm." not in one.assembly
    command = ("-O3", f"-fllm-lock={lock}", "slow.c", "-o", "slow")
    found.build(*command, "-fllm-isa=dispatch", GCCLLM_STORE="/nowhere/at/all")
    assert found.built == shipped
    found.build(*command)
    assert found.built == found.expected


@pytest.mark.slow
def test_a_lock_file_is_judged_as_it_ships(found: Project) -> None:
    lock = found.tree.parent / "x.lock"
    assert gccllm(found, "lock", "-o", str(lock)).returncode == 0
    done = check(found, lock)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rewrites that hold: 1 of 1" in done.stdout
