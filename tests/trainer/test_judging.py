"""Answers judged on a real program, and what each kind of wrong answer gets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import SandboxError
from gccllm.families.base import SlowForm
from gccllm.harness.comparison import ComparisonKind
from gccllm.recordings import load
from gccllm.sandbox.base import RunInput, RunLimits
from gccllm.sandbox.fake import FakeSandbox
from gccllm.toolchain import Toolchain
from gccllm.types import Speedup, Verdict, VerdictKind
from trainer.corpus.programs import JudgedProgram, make_program
from trainer.corpus.samples import Sample
from trainer.judging import JudgedRegion, RegionJudge, Timing, is_faster
from trainer.warm_sandbox import WarmSandbox

SOURCE = "int bits(unsigned long x)\n{\n int n = 0;\n"
SOURCE += " while (x) { x &= x - 1; n++; }\n return n;\n}\n"


@pytest.fixture(scope="module")
def program(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> JudgedProgram:
    sample = Sample("test", 1, 1, SlowForm("test", "bits", SOURCE), ("-O2",))
    made = make_program(Toolchain(), sample, tmp_path_factory.mktemp("programs"))
    assert isinstance(made, JudgedProgram)
    return made


@pytest.fixture(scope="module")
def judge(program: JudgedProgram) -> Iterator[RegionJudge]:
    with RegionJudge(program) as opened:
        assert opened.fault is None
        yield opened


@pytest.fixture(scope="module")
def loop(judge: RegionJudge) -> JudgedRegion:
    """The loop alone: the bits of rdi are counted in edx."""
    found = [x for x in judge.regions if x.region.shape.value == "loop"]
    assert found
    return found[0]


def answer(region: JudgedRegion, *more: str) -> str:
    """gcc's own lines with ``more`` in front of the first instruction."""
    lines = list(region.lines)
    at = next(i for i, x in enumerate(lines) if not x.endswith(":"))
    return "".join(f"{x}\n" for x in [*lines[:at], *more, *lines[at:]])


def popcnt(region: JudgedRegion) -> str:
    """What is right: the bits of rdi are added to what the count starts from."""
    assert set(region.region.live_in) == {"rdi", "rdx"}
    assert set(region.region.live_out) == {"rdx"}
    return "L0:\n\tpopcntq\t%rdi, %rdi\n\taddl\t%edi, %edx\n"


def test_regions_and_prompts_are_the_same_each_time(
    program: JudgedProgram, judge: RegionJudge
) -> None:
    with RegionJudge(program) as again:
        assert [x.prompt("x86-64") for x in again.regions] == [
            x.prompt("x86-64") for x in judge.regions
        ]
    assert judge.tests == len(load(program.tests).cases)
    assert {x.function for x in judge.regions} == {"bits"}


def test_what_leaves_the_region_is_unchanged(judge: RegionJudge, loop: JudgedRegion) -> None:
    assert judge.judge(loop, "keep", "x86-64").kind is VerdictKind.UNCHANGED
    own = "".join(f"{x}\n" for x in loop.lines).replace("\t", "  ")
    assert judge.judge(loop, own, "x86-64").kind is VerdictKind.UNCHANGED


def test_a_right_answer_passes_and_is_timed(judge: RegionJudge, loop: JudgedRegion) -> None:
    verdict = judge.judge(loop, popcnt(loop), "x86-64-v2")
    assert verdict.kind is VerdictKind.NOT_FASTER  # quick timing accepts nothing
    assert verdict.tests_run == judge.tests
    assert verdict.speedup is not None
    assert verdict.evidence["timing"] == "quick"
    untimed = judge.judge(loop, popcnt(loop), "x86-64-v2", Timing.NONE)
    assert untimed.kind is VerdictKind.NOT_FASTER
    assert untimed.speedup is None
    assert {"open", "screen", "splice", "admit", "time-quick"} <= set(judge.times.milliseconds())


def test_a_level_limits_the_instructions(judge: RegionJudge, loop: JudgedRegion) -> None:
    verdict = judge.judge(loop, popcnt(loop), "x86-64", Timing.NONE)
    assert verdict.kind is VerdictKind.SCREENED
    assert verdict.evidence["rule"] == "cpu-feature"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (("\taddl\t$1, %edx",), VerdictKind.WRONG_OUTPUT),
        (("\tmovq\t8, %rax",), VerdictKind.CRASHED),
        (("L9:", "\tjmp\tL9"), VerdictKind.TIMED_OUT),
        (("\tmovl\t%eax, %rax",), VerdictKind.NOT_ASSEMBLED),
        (("\tjmp\tX7",), VerdictKind.MALFORMED),
        (("\tsyscall",), VerdictKind.SCREENED),
        (("\tmovl\t$0, %ebx",), VerdictKind.SCREENED),
    ],
)
def test_what_is_wrong_is_a_verdict(
    judge: RegionJudge, loop: JudgedRegion, lines: tuple[str, ...], kind: VerdictKind
) -> None:
    assert judge.judge(loop, answer(loop, *lines), "x86-64").kind is kind


def test_a_wrong_answer_does_not_spoil_the_next(judge: RegionJudge, loop: JudgedRegion) -> None:
    assert judge.judge(loop, answer(loop, "\tud2"), "x86-64").kind is not VerdictKind.NOT_FASTER
    right = judge.judge(loop, popcnt(loop), "x86-64-v2", Timing.NONE)
    assert right.kind is VerdictKind.NOT_FASTER


def test_answers_are_tried_beside_the_regions_own_lines(
    judge: RegionJudge, loop: JudgedRegion
) -> None:
    wrong = answer(loop, "\taddl\t$1, %edx")
    found = judge.differential(loop, [popcnt(loop), "keep", wrong, "jump\n"], states=1500)
    kinds = [x.kind for x in found]
    assert kinds[:3] == [ComparisonKind.EQUAL, ComparisonKind.EQUAL, ComparisonKind.DIFFERS]
    assert kinds[3] is not ComparisonKind.EQUAL
    assert found[0].run >= 1000


def test_a_baseline_that_fails_its_recording_is_a_fault(
    program: JudgedProgram, tmp_path: Path
) -> None:
    tests = tmp_path / "other.tests"
    shutil.copytree(program.tests, tests)
    (tests / "timed.out").write_text("something else\n")
    with RegionJudge(replace(program, tests=tests)) as judge:
        assert judge.fault is not None
        assert judge.fault.kind is VerdictKind.UNJUDGED
        assert judge.regions == ()


def test_what_does_not_compile_is_a_fault(program: JudgedProgram, tmp_path: Path) -> None:
    source = tmp_path / "broken.c"
    source.write_text("int main(void) { return x; }\n")
    with RegionJudge(replace(program, source=source)) as judge:
        assert judge.fault is not None
        assert "gcc" in judge.fault.detail


def test_faster_needs_the_whole_interval() -> None:
    def quick(ratio: float, low: float) -> Verdict:
        measured = Speedup(ratio, low, ratio + 1, 5)
        return Verdict(VerdictKind.NOT_FASTER, "", {"timing": "quick"}, measured)

    assert is_faster(quick(1.3, 1.1))
    assert not is_faster(quick(1.3, 0.9))
    assert not is_faster(quick(1.03, 1.01))
    assert is_faster(Verdict(VerdictKind.ACCEPTED))
    assert not is_faster(Verdict(VerdictKind.NOT_FASTER, "", {}, Speedup(2.0, 1.9, 2.1, 20)))


def test_sessions_are_lent_again_unless_they_broke(tmp_path: Path) -> None:
    fake = FakeSandbox({"one": [FakeSandbox.result(b"1")], "other": [FakeSandbox.result(b"2")]})
    case, limits = [RunInput()], RunLimits()
    with WarmSandbox(fake) as warm:
        for name in ("one", "other", "one"):
            with warm.open({"candidate": tmp_path / name}, case, limits=limits) as session:
                assert session.run("candidate", 0).stdout == (b"1" if name == "one" else b"2")
        assert len(fake.sessions) == 1
        with warm.open({}, case, limits=RunLimits(wall_seconds=1.0)):
            pass
        assert len(fake.sessions) == 2
        with warm.open({}, case, limits=limits) as session, pytest.raises(SandboxError):
            session.run("unknown", 0)
        with pytest.raises(SandboxError), warm.open({"x": tmp_path / "x"}, case, limits=limits):
            pass
        with warm.open({}, case, limits=limits):
            pass
        assert len(fake.sessions) == 3
