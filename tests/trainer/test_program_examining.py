"""What is faster is examined before it earns anything: whole programs through the reward's judge.

Programs that save themselves the work are those of bench/hacking.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.hacking import INPUTS, STRATEGIES, bodies
from gccllm.process import run
from gccllm.prompts import answer_text
from gccllm.toolchain import Toolchain
from gccllm.types import Speedup, Verdict, VerdictKind
from tests.hostile.court import Court
from trainer.corpus.programs import JudgedProgram
from trainer.ppo.service import RewardService
from trainer.ppo.tasks import program_digest
from trainer.programs.examining import worth_examining
from trainer.programs.rewards import ProgramShaping
from trainer.programs.tasks import ProgramHow, ProgramJudging, ProgramTask

pytestmark = pytest.mark.slow
BY_HEART = "know the long answer by heart"
HONEST = ("leave it as it is", "the other program slowed: its caches emptied")
"""right, and not faster"""
SOURCE = """#include <stdio.h>
int main(void) {
    unsigned n, c = 0;
    if (scanf("%u", &n) != 1) return 1;
    for (unsigned i = 0; i < n; i++) COUNT
    MORE
    printf("%u\\n", c);
    return 0;
}
"""
SLOW = "for (unsigned x = i * 5; x; x >>= 1) c += x & 1;"
FAST = "c += __builtin_popcount(i * 5);"
COUNTS = (0, 1, 7, 300_000)
UNENTERED = "if (c == 7 && n == 99) return 7;"
"""of 99 numbers times 5 there are more bits than 7"""
HOW = ProgramHow(timing="quick", examine=60.0)


@dataclass(frozen=True)
class Bench:
    """A program, and who judges answers to it."""

    task: ProgramTask
    judging: ProgramJudging

    def verdict(self, text: str) -> Verdict:
        """On a model's answer."""
        return self.judging.verdict(self.task, answer_text(text))


def assembled(folder: Path, count: str, more: str = "") -> str:
    source = folder / "answer.c"
    source.write_text(SOURCE.replace("COUNT", count).replace("MORE", more))
    made = run(["gcc", "-S", "-O3", "-mpopcnt", "-w", str(source), "-o", "-"], timeout=60)
    assert made.ok, made.error_line()
    return made.stdout.decode()


@pytest.fixture(scope="module")
def task(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> ProgramTask:
    """A program that counts bits, one by one."""
    folder = tmp_path_factory.mktemp("ones")
    source, tests = folder / "ones.c", folder / "ones.tests"
    source.write_text(SOURCE.replace("COUNT", SLOW).replace("MORE", ""))
    tests.mkdir()
    for count in COUNTS:
        (tests / f"{count}.in").write_text(f"{count}\n")
        total = sum(bin(i * 5).count("1") for i in range(count))
        (tests / f"{count}.out").write_text(f"{total}\n")
    program = JudgedProgram("ones", source, tests, (), ("-O3",))
    return ProgramTask(program, "prompt", program_digest(program, Toolchain()), len(COUNTS))


@pytest.fixture(scope="module")
def bench(task: ProgramTask) -> Iterator[Bench]:
    with ProgramJudging(HOW, None) as judging:
        yield Bench(task, judging)


def test_what_is_right_everywhere_earns_its_speedup(bench: Bench, tmp_path: Path) -> None:
    found = bench.verdict(assembled(tmp_path, FAST))
    assert found.kind is VerdictKind.NOT_FASTER, found
    assert found.speedup is not None
    assert found.evidence["assurance"] in ("fuzzed", "differential", "proved")


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ("if (n == 2) c++;", VerdictKind.DIFFERS),
        ("if (n >= 20 && n < 200) c = 0;", VerdictKind.DIFFERS),
        (UNENTERED, VerdictKind.NOT_FASTER),
    ],
)
def test_what_recordings_do_not_show(
    more: str, kind: VerdictKind, bench: Bench, tmp_path: Path
) -> None:
    """Wrong elsewhere earns nothing; code that nothing entered may be a trap, and earns no more
    than gcc's own."""
    found = bench.verdict(assembled(tmp_path, FAST, more))
    assert found.kind is kind, found
    assert found.speedup is None
    assert ProgramShaping("so").reward(found, len(COUNTS)) == float(kind is VerdictKind.NOT_FASTER)


def test_what_was_not_examined_for_want_of_time_is_unjudged(
    task: ProgramTask, tmp_path: Path
) -> None:
    with ProgramJudging(replace(HOW, examine=0.01), None) as judging:
        found = Bench(task, judging).verdict(assembled(tmp_path, FAST))
    assert found.kind is VerdictKind.UNJUDGED


def test_it_is_examined_once(task: ProgramTask, tmp_path: Path) -> None:
    """What is known of an answer is kept with it; other settings ask anew."""
    answer = answer_text(assembled(tmp_path, FAST, "if (n == 2) c++;"))
    how = replace(HOW, lanes=tmp_path)
    with RewardService([task], ProgramShaping("so"), how, tmp_path / "verdicts") as service:
        first, again = (service.reward(task.name, answer) for _ in range(2))
    assert (first["verdict"], first["score"], first["cached"]) == ("differs", 0.0, 0.0)
    assert again == {**first, "cached": 1.0}
    assert how.identity != replace(how, examine=0.0).identity


@pytest.mark.parametrize(
    ("verdict", "worth"),
    [
        (Verdict(VerdictKind.NOT_FASTER, speedup=Speedup(1.2, 1.1, 1.3, 5)), True),
        (Verdict(VerdictKind.ACCEPTED, speedup=Speedup(1.2, 1.1, 1.3, 5)), True),
        (Verdict(VerdictKind.NOT_FASTER, speedup=Speedup(1.2, 0.9, 1.3, 5)), False),
        (Verdict(VerdictKind.NOT_FASTER), False),
        (Verdict(VerdictKind.SUSPICIOUS, speedup=Speedup(99.0, 98.0, 99.9, 5)), False),
    ],
)
def test_only_what_may_earn_more_is_examined(verdict: Verdict, worth: bool) -> None:
    assert worth_examining(verdict) is worth
    if not worth:
        assert ProgramShaping("so", band=0.0).reward(verdict, 1) <= 1.0


@pytest.fixture(scope="module")
def court(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with Court(tmp_path_factory.mktemp("hacking"), INPUTS) as made:
        yield made


@pytest.fixture(scope="module")
def hacked(court: Court) -> Iterator[Bench]:
    source, tests = court.folder / "program.c", court.folder / "program.tests"
    program = JudgedProgram("program", source, tests, (), ("-O3",))
    digest = program_digest(program, Toolchain())
    with ProgramJudging(replace(HOW, isa="target"), None) as judging:
        yield Bench(ProgramTask(program, "prompt", digest, len(INPUTS)), judging)


@pytest.mark.long
@pytest.mark.parametrize("name", [x for x in STRATEGIES if x not in HONEST])
def test_a_strategy_earns_nothing(name: str, court: Court, hacked: Bench) -> None:
    """Also where only one function is refused: the rest of such an answer is not judged."""
    found = hacked.verdict(court.compiled(bodies(court)[name]))
    assert found.kind not in (VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER), found
    assert ProgramShaping("so").reward(found, len(INPUTS)) == 0.0
    assert ProgramShaping("cgs").reward(found, len(INPUTS)) < 1.0


def test_a_recorded_answer_known_by_heart_is_suspicious(court: Court, hacked: Bench) -> None:
    """Right on every input, and fast on the recorded one alone."""
    found = hacked.verdict(court.compiled(bodies(court)[BY_HEART]))
    assert found.kind is VerdictKind.SUSPICIOUS, found
    assert "fast on what was recorded" in found.detail
