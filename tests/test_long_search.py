"""The long search over fakes: layers, what each function gains, the project's own tests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gccllm.asm.unit import parse
from gccllm.assurance.ladder import Climbed, Combination, Giver, Known, Ladder, Shares
from gccllm.assurance.ladder.climb import Rungs
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.commands.source_lines import with_lines
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Donor, Judge
from gccllm.program import Build
from gccllm.projects.checking import CHECK, Checked
from gccllm.projects.effort import Effort
from gccllm.proposers.base import Task
from gccllm.search import Attribution, Gain, Mixing, Search, Seen, Trial, gather_layers
from gccllm.search.groups import Group
from gccllm.types import Candidate, HotFunction, Isa, Speedup, Verdict, VerdictKind

HOT = {
    "u": (HotFunction("a", 0.4), HotFunction("b", 0.3)),
    "v": (HotFunction("c", 0.2),),
}
SPEEDS = {"a": 0.4, "b": 0.3, "c": 0.2, "slow": -0.2}


@dataclass
class FakeJudge:
    """Candidates' texts are "function function …"; those that name "wrong" give wrong outputs. A
    donor labelled slow makes what it gives slower."""

    builds: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """what a build takes"""

    def __post_init__(self) -> None:
        self.clock = self
        self.baseline = SimpleNamespace(timed=(), times=SimpleNamespace(wall=()))

    def screen(self, candidate: Candidate) -> Donor:
        unit: Any = SimpleNamespace(functions=dict.fromkeys(candidate.text.split()))
        return Donor(candidate, unit, f"{candidate.label}-{candidate.unit}")

    @property
    def program(self) -> FakeJudge:
        return self

    @property
    def arena(self) -> Any:
        return SimpleNamespace(scratch=Path("scratch"))

    def build(self, texts: dict[str, str], out: Path) -> Build:
        return Build(out, {})

    def functions(self, unit: str) -> tuple[str, ...]:
        return tuple(x.name for x in HOT[unit])

    def base(self, unit: str) -> Any:
        return SimpleNamespace(functions={})

    def splice(self, texts: dict[str, str], donor: Donor, names: tuple[str, ...]) -> Any:
        unit, label = donor.candidate.unit, donor.candidate.label
        if label == "refused":
            return Verdict(VerdictKind.SCREENED, "rule")
        parts = [x for x in texts.get(unit, "").split() if x.split(":")[0] not in names]
        return {**texts, unit: " ".join(sorted([*parts, *(f"{x}:{label}" for x in names)]))}

    def admit(self, texts: dict[str, str]) -> Admitted | Verdict:
        time.sleep(self.seconds)
        built = " | ".join(texts[x] for x in sorted(texts))
        self.builds.append(built)
        if "wrong" in built:
            return Verdict(VerdictKind.WRONG_OUTPUT, "case 1")
        return Admitted(texts, Build(Path(built), {}), 3)

    def glance(self, admitted: Admitted, pairs: int = 5) -> Verdict:
        parts = [x for text in admitted.texts.values() for x in text.split()]
        ratio = 1.0 + sum(gain(*x.split(":")) for x in parts)
        return Verdict(VerdictKind.NOT_FASTER, "", {}, Speedup(ratio, ratio, ratio, 5), 3)


def gain(function: str, label: str) -> float:
    return SPEEDS["slow"] if label == "slow" else SPEEDS[function]


class FakeAttribution(Attribution):
    """Knows what each donor's version gains without running anything."""

    def look(self, trial: Trial, grouped: Sequence[tuple[Donor, Sequence[Group]]]) -> None:
        for donor, given in grouped:
            for group in given:
                amount = sum(gain(x, donor.candidate.label) for x in group.names)
                for name in group.accounts:
                    self.note(name, Gain(amount, donor, group.names))


@dataclass
class Offers:
    """A proposer; ``offers`` by unit: (label, functions; "*" for all of them)."""

    offers: dict[str, list[tuple[str, str]]]
    name: str = "fake"
    refines: bool = False

    def propose(self, task: Task) -> Iterator[Candidate]:
        for label, functions in self.offers.get(task.unit, []):
            if label == "fails":
                raise RuntimeError("a bug")
            every = " ".join(x.name for x in HOT[task.unit])
            names = () if functions == "*" else tuple(functions.split())
            yield Candidate(self.name, task.unit, names, " ".join(names) or every, label)


@dataclass
class Done:
    search: Search
    judge: FakeJudge
    seen: list[Seen]

    def verdicts(self) -> dict[str, str]:
        return {f"{x.candidate.unit}:{x.candidate.label}": x.verdict.kind.value for x in self.seen}


def tasks_over(scratch: Path) -> list[Task]:
    until = time.monotonic() + 60
    isa = Isa("target", "t", frozenset())
    return [Task(x, "", HOT[x], isa, scratch, until) for x in ("u", "v")]


def searched(tmp_path: Path, offers: dict[str, list[tuple[str, str]]], **more: Any) -> Done:
    judge, seen = FakeJudge(), list[Seen]()
    search = Search(cast(Judge, judge), dict(HOT), time.monotonic() + 60, seen.append, **more)
    search.attribution = FakeAttribution(cast(Judge, judge))
    gather_layers(search, Offers(offers), tasks_over(tmp_path), time.monotonic() + 60)
    return Done(search, judge, seen)


def test_candidates_of_different_functions_share_a_build(tmp_path: Path) -> None:
    done = searched(tmp_path, {"u": [("x", "a"), ("y", "b"), ("z", "a")], "v": [("w", "c")]})
    assert done.judge.builds == ["a:x b:y | c:w", "a:z"]
    assert set(done.verdicts().values()) == {"not-faster"}


def test_a_wrong_one_is_found_by_halves_and_costs_the_others_nothing(tmp_path: Path) -> None:
    done = searched(tmp_path, {"u": [("x", "a"), ("wrong", "b")], "v": [("w", "c")]})
    assert done.judge.builds[0] == "a:x b:wrong | c:w"
    assert done.verdicts() == {
        "u:x": "not-faster",
        "u:wrong": "wrong-output",
        "v:w": "not-faster",
    }


def test_one_that_a_rule_refuses_is_tried_by_itself(tmp_path: Path) -> None:
    done = searched(tmp_path, {"u": [("refused", "*")], "v": [("w", "c")]})
    assert done.judge.builds == ["c:w"]
    assert done.verdicts() == {"u:refused": "screened", "v:w": "not-faster"}


def test_a_proposer_that_fails_in_one_unit_goes_on_in_the_others(tmp_path: Path) -> None:
    done = searched(tmp_path, {"u": [("fails", "a")], "v": [("w", "c"), ("y", "c")]})
    assert list(done.verdicts()) == ["v:w", "v:y"]
    assert done.search.failures == ["fake: RuntimeError: a bug"]


def test_each_function_comes_from_where_it_gains_most(tmp_path: Path) -> None:
    done = searched(tmp_path, {"u": [("x", "a"), ("slow", "b"), ("y", "b")], "v": [("slow", "c")]})
    composed = Mixing(done.search).composed()
    assert composed is not None
    assert composed.admitted.texts == {"u": "a:x b:y"}


def test_what_gains_nothing_is_left_out(tmp_path: Path) -> None:
    done = searched(tmp_path, {"u": [("x", "a")], "v": [("slow", "c")]})
    (whole,) = done.search.trials
    assert Mixing(done.search).pruned(whole).functions == (("u", "a"),)


def test_what_was_found_wrong_before_is_not_built_again(tmp_path: Path) -> None:
    known = {("u", "a"): Verdict(VerdictKind.CRASHED, "as judged before")}
    done = searched(tmp_path, {"u": [("x", "a"), ("y", "b")]}, known=known)
    assert done.judge.builds == ["b:y"]
    assert done.verdicts() == {"u:x": "crashed", "u:y": "not-faster"}


# The project's tests on top of the ladder

FUNCTIONS = (("u", "a"), ("u", "b"))


class Passing:
    wanted = Assurance.FUZZED
    reserved = 0.0

    def doubted(self, what: Combination) -> bool:
        return False

    def examine(self, what: Combination) -> Climbed:
        passed = {"abi": Examination(Assurance.TESTS, Standing.PASSED, "")}
        return Climbed(tuple(Known(*x, Assurance.FUZZED, passed) for x in what.functions))


def combination(functions: tuple[tuple[str, str], ...]) -> Combination:
    givers = dict.fromkeys(functions, Giver(""))
    return Combination({"u": ""}, Build(Path("p"), {}), givers, functions)


def checked(bad: set[tuple[str, str]], together: bool = False) -> Climbed:
    def check(what: Combination) -> str:
        if together:
            return "they fail" if len(what.functions) > 1 else ""
        return "they fail" if bad & set(what.functions) else ""

    ladder = Checked(Passing(), check, lambda what, function: combination((function,)))
    return ladder.examine(combination(FUNCTIONS))


def test_passing_tests_are_evidence() -> None:
    climbed = checked(set())
    assert climbed.fallen == ()
    assert all(x.rungs[CHECK].standing is Standing.PASSED for x in climbed.found)


def test_the_function_that_fails_the_tests_alone_falls() -> None:
    (fallen,) = checked({("u", "b")}).fallen
    assert (fallen.function, fallen.refuted) == ("b", CHECK)
    assert fallen.verdict(Assurance.FUZZED).kind is VerdictKind.DIFFERS


def test_where_none_fails_alone_all_fall() -> None:
    assert [x.function for x in checked(set(), together=True).fallen] == ["a", "b"]


class Watching:
    """Rungs that note how long the climb may take."""

    def __init__(self) -> None:
        self.ladder: Ladder | None = None
        self.seen: list[float] = []

    def abi(self, what: Combination, function: tuple[str, str]) -> Examination:
        assert self.ladder is not None
        self.seen.append(self.ladder.deadline - time.monotonic())
        return Examination(Assurance.TESTS, Standing.REFUTED, "seen")


@pytest.mark.parametrize(("left", "least", "most"), [(1000.0, 490.0, 500.0), (1.0, 0.0, 1.0)])
def test_a_climb_leaves_time_for_another(left: float, least: float, most: float) -> None:
    rungs = Watching()
    deadline = time.monotonic() + left
    ladder = Effort.ladder(cast(Rungs, rungs), Assurance.FUZZED, Shares(300.0), deadline)
    rungs.ladder = ladder
    ladder.examine(combination(FUNCTIONS))
    assert all(least <= x <= most for x in rungs.seen)
    assert len(rungs.seen) == len(FUNCTIONS)
    assert ladder.deadline == deadline


# Source lines

LINES = """\t.file\t"f.c"
\t.text
.Ltext0:
\t.file 0 "/nowhere" "f.c"
\t.globl\tf
\t.type\tf, @function
f:
.LFB0:
\t.file 1 "f.c"
\t.loc 1 1 14
\t.cfi_startproc
\t.loc 1 2 3
\tleal\t(%rdi,%rdi), %eax
\t.loc 1 3 1
\tret
\t.cfi_endproc
.LFE0:
\t.size\tf, .-f
"""


def test_lines_of_c_stand_where_their_code_begins(tmp_path: Path) -> None:
    (tmp_path / "f.c").write_text("int f(int x) {\n  return 2 * x;\n}\n")
    assert with_lines(parse(LINES), "f", tmp_path) == [
        "f:",
        "   1 | int f(int x) {",
        "\t.cfi_startproc",
        "   2 | return 2 * x;",
        "\tleal\t(%rdi,%rdi), %eax",
        "   3 | }",
        "\tret",
        "\t.cfi_endproc",
        "\t.size\tf, .-f",
    ]
    assert with_lines(parse(LINES), "g", tmp_path) is None


def test_without_the_source_there_is_the_code_alone(tmp_path: Path) -> None:
    shown = with_lines(parse(LINES), "f", tmp_path)
    assert shown is not None
    assert not any("|" in x for x in shown)
    assert "\tret" in shown
