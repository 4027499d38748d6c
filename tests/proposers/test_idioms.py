"""The proposer: candidates for known idioms, nothing for anything else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.process import run
from gccllm.proposers.base import Task
from gccllm.proposers.choose import make
from gccllm.proposers.idioms import IdiomsProposer
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, HotFunction, Isa

POPCOUNT = "int f(unsigned long x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }"


def task_of(source: str, folder: Path, *, mode: str = "target", seconds: float = 60.0) -> Task:
    tools = Toolchain()
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    done = run(argv, timeout=30, stdin=source.encode())
    assert done.ok, done.stderr
    return Task(
        unit="unit",
        baseline=done.stdout.decode(),
        functions=(HotFunction("f", 1.0),),
        isa=tools.isa(mode, ()),
        scratch=folder,
        deadline=time.monotonic() + seconds,
    )


def proposed(task: Task) -> list[Candidate]:
    return list(IdiomsProposer().propose(task))


def test_the_target_isa_keeps_popcnt_out(tmp_path: Path) -> None:
    found = proposed(task_of(POPCOUNT, tmp_path))
    assert found
    assert not any("popcnt" in x.text for x in found)
    assert all(x.functions == ("f",) and x.proposer == "idioms" for x in found)


def test_a_wider_isa_gets_the_instruction(tmp_path: Path) -> None:
    task = task_of(POPCOUNT, tmp_path)
    wider = Isa("native", "test", task.isa.features | {"POPCNT"}, ("-mpopcnt",))
    found = [x for x in IdiomsProposer().propose(_with_isa(task, wider)) if "popcntq" in x.text]
    if "POPCNT" not in Toolchain().isa("native", ()).features:
        pytest.skip("this machine has no popcnt to check the form with")
    assert found
    assert "(POPCNT)" in found[0].label


def _with_isa(task: Task, isa: Isa) -> Task:
    return Task(task.unit, task.baseline, task.functions, isa, task.scratch, task.deadline)


def test_candidates_can_be_spliced_and_compute_the_same(tmp_path: Path) -> None:
    task = task_of(POPCOUNT, tmp_path)
    for candidate in proposed(task):
        done = splice(parse(task.baseline), parse(candidate.text), ["f"], tag="t")
        assert isinstance(done, Spliced)
        main = "int f(unsigned long); int main(void) { return f(0xf0f0f00000000001UL) * 3 + f(0); }"
        (tmp_path / "f.s").write_text(done.text)
        program = str(tmp_path / "program")
        built = run(
            [task_cc(), "-x", "assembler", str(tmp_path / "f.s"), "-x", "c", "-", "-o", program],
            timeout=30,
            stdin=main.encode(),
        )
        assert built.ok, built.stderr
        assert run([program], timeout=10).returncode == 39


def task_cc() -> str:
    return Toolchain().cc


@pytest.mark.parametrize(
    "source",
    [
        "int f(int x) { return x + 1; }",
        "int g(int); int f(int x) { while (x) x = g(x); return x; }",
        "int f(int x) { switch (x) { case 0: return 7; case 1: return 5; case 2: return 99;"
        " case 3: return 12; case 4: return -4; case 5: return 3; } return 0; }",
        "double f(double *p, int n) { double s = 0; while (n--) s += p[n] / 3; return s; }",
        'int f(void) { asm volatile("nop"); return 1; }',
    ],
)
def test_other_functions_get_nothing(source: str, tmp_path: Path) -> None:
    assert proposed(task_of(source, tmp_path)) == []


def test_no_candidate_behind_the_deadline(tmp_path: Path) -> None:
    assert proposed(task_of(POPCOUNT, tmp_path, seconds=-1.0)) == []


def test_text_that_is_no_unit_yields_nothing(tmp_path: Path) -> None:
    task = task_of(POPCOUNT, tmp_path)
    for text in ("", "no assembly\n", "f:\n\tret\n", task.baseline.replace("ret", "bogus")):
        broken = Task(task.unit, text, task.functions, task.isa, task.scratch, task.deadline)
        assert proposed(broken) == []


def test_it_can_be_chosen_by_name() -> None:
    assert [x.name for x in make(["idioms"])] == ["idioms"]
