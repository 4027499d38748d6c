"""The search over fakes: what a proposer does wrong stays its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gccllm.assurance.ladder import Climbed, Combination, Known
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.errors import ProposerError
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Donor, Judge
from gccllm.judge.timing import Pairs
from gccllm.program import Build
from gccllm.proposers.base import Task
from gccllm.search import Conclusion, Search, Seen
from gccllm.types import Candidate, HotFunction, Isa, Speedup, Verdict, VerdictKind


@dataclass
class FakeProposer:
    """Yields candidates with these labels, then raises ``error``, if any."""

    labels: tuple[str, ...]
    error: Exception | None = None
    refines: bool = False
    name: str = "fake"
    asked: list[Task] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def propose(self, task: Task) -> Iterator[Candidate]:
        self.asked.append(task)
        try:
            for label in self.labels:
                yield Candidate(self.name, task.unit, (), "", label)
            if self.error is not None:
                raise self.error
        finally:
            self.closed.set()


def search_over(seen: list[Seen], seconds: float = 20.0) -> Search:
    """A search whose judge finds every candidate malformed."""
    judge: Any = SimpleNamespace(
        baseline=SimpleNamespace(timed=(), times=SimpleNamespace(wall=())),
        screen=lambda candidate: Verdict(VerdictKind.MALFORMED, candidate.label),
    )
    return Search(cast(Judge, judge), {}, time.monotonic() + seconds, seen.append)


def task(scratch: Path) -> Task:
    return Task("u", "", (), Isa("target", "t", frozenset()), scratch, time.monotonic() + 20)


def test_every_candidate_gets_a_verdict_in_order(tmp_path: Path) -> None:
    seen: list[Seen] = []
    search = search_over(seen)
    search.gather([FakeProposer(("a", "b", "c"))], [task(tmp_path)], 0)
    assert [x.verdict.detail for x in seen] == ["a", "b", "c"]
    assert search.failures == []
    assert Conclusion(search, Climbing()).run() is None


def test_a_failing_proposer_does_not_cost_the_others(tmp_path: Path) -> None:
    seen: list[Seen] = []
    search = search_over(seen)
    proposers = [
        FakeProposer(("a",), ProposerError("the server is down"), name="one"),
        FakeProposer((), RuntimeError("a bug"), name="two"),
        FakeProposer(("z",), name="three"),
    ]
    search.gather(proposers, [task(tmp_path)], 0)
    assert [x.candidate.label for x in seen] == ["a", "z"]
    assert search.failures == ["one: the server is down", "two: RuntimeError: a bug"]


def test_only_those_that_refine_are_asked_again_with_the_verdicts(tmp_path: Path) -> None:
    seen: list[Seen] = []
    plain, refining = FakeProposer(("a",)), FakeProposer(("b",), refines=True)
    search_over(seen).gather([plain, refining], [task(tmp_path)], 2)
    assert len(plain.asked) == 1
    assert [len(x.attempts) for x in refining.asked] == [0, 1, 1]
    assert refining.asked[1].attempts[0].verdict.kind is VerdictKind.MALFORMED


def test_a_late_proposer_is_left_and_closed(tmp_path: Path) -> None:
    seen: list[Seen] = []
    slow = FakeProposer(tuple(str(x) for x in range(100_000)))
    search = search_over(seen, seconds=0.5)
    search.gather([slow], [task(tmp_path)], 0)
    assert slow.closed.wait(10)
    assert 0 < len(seen) < 100_000


def test_one_that_does_not_answer_does_not_hold_up_the_next(tmp_path: Path) -> None:
    seen: list[Seen] = []
    late = threading.Event()

    @dataclass
    class Stuck(FakeProposer):
        def propose(self, task: Task) -> Iterator[Candidate]:
            late.wait(60)
            yield from super().propose(task)

    search = search_over(seen, seconds=3.0)
    search.gather([Stuck(("never",), name="stuck"), FakeProposer(("a",))], [task(tmp_path)], 0)
    assert [x.candidate.label for x in seen] == ["a"]
    late.set()


# Concluding: a judge whose candidates all are right, and a ladder that says what it is told to. A
# candidate's text is its functions' names; the speed of a combination is the sum of its parts'.

SPEEDS = {"a": 1.0, "b": 0.5, "c": 0.25, "idle": 0.0}


@dataclass
class FakeJudge:
    """``slow``: combinations that the clock refuses. What a donor labelled lucky gives looks ten
    times as fast by itself, in a few pairs."""

    slow: frozenset[str] = frozenset()
    confirmed: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = self
        timed = SimpleNamespace(wall=())
        build = Build(Path("baseline"), {})
        self.baseline = SimpleNamespace(timed=(), times=timed, build=build, limits=lambda: None)
        self.arena = SimpleNamespace(
            program=self, sandbox=None, recording=None, core=None, scratch=Path("scratch")
        )

    def screen(self, candidate: Candidate) -> Donor:
        unit: Any = SimpleNamespace(functions=dict.fromkeys(candidate.text.split()))
        return Donor(candidate, unit, f"{candidate.label}-tag")

    def functions(self, unit: str) -> tuple[str, ...]:
        return tuple(SPEEDS)

    def base(self, unit: str) -> Any:
        return SimpleNamespace(functions={})

    def splice(self, texts: dict[str, str], donor: Donor, names: list[str]) -> dict[str, str]:
        parts = [*texts.get("u", "").split(), *(f"{x}:{donor.candidate.label}" for x in names)]
        return {"u": " ".join(sorted(parts))}

    def admit(self, texts: dict[str, str]) -> Admitted:
        return Admitted(texts, Build(Path(texts["u"]), {}), 3)

    def build(self, texts: dict[str, str], out: Path) -> Build:
        self.built.append(texts.get("u", ""))
        return Build(Path(texts.get("u", "")), {})

    def glance(self, admitted: Admitted, pairs: int = 5) -> Verdict:
        ratio = 1.0 + sum(SPEEDS[x.split(":")[0]] for x in admitted.texts["u"].split())
        lucky = admitted.texts["u"].endswith(":lucky") and " " not in admitted.texts["u"]
        ratio *= 10 if lucky and pairs <= 5 else 1
        return Verdict(VerdictKind.NOT_FASTER, "", {}, Speedup(ratio, ratio, ratio, 5), 3)

    def confirm(self, admitted: Admitted) -> tuple[Verdict, Pairs]:
        what = admitted.texts["u"]
        self.confirmed.append(what)
        kind = VerdictKind.NOT_FASTER if what in self.slow else VerdictKind.ACCEPTED
        return Verdict(kind, "", {}, Speedup(2.0, 1.9, 2.1, 20), 3), Pairs([1.0], [0.5])


@dataclass
class Climbing:
    """A ladder; ``refutes`` and ``short``: "function:label" of what falls, by a rung or word."""

    refutes: dict[str, str] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)
    wanted: Assurance = Assurance.FUZZED
    climbed: list[str] = field(default_factory=list)
    doubts: frozenset[str] = frozenset()
    reserved: float = 0.0

    def doubted(self, what: Combination) -> bool:
        return not self.doubts.isdisjoint(what.texts["u"].split())

    def examine(self, what: Combination) -> Climbed:
        self.climbed.append(what.texts["u"])
        labels = {x.split(":")[0]: x for x in what.texts["u"].split()}
        found = []
        for unit, name in what.functions:
            rung, word = self.refutes.get(labels[name], ""), self.short.get(labels[name], "")
            says = Examination(Assurance.FUZZED, Standing.REFUTED, "n = 3", {"counterexample": {}})
            rungs = {rung: says} if rung else {}
            found.append(Known(unit, name, Assurance.FUZZED, rungs, None, rung, word, rung or word))
        refuted = [x for x in found if x.refuted]
        if any(x.refuted == "fuzz" for x in refuted):
            # the whole program: nobody knows yet whose fault it is
            refuted = [
                Known(x.unit, x.function, x.level, refuted[0].rungs, None, "fuzz", why="n = 3")
                for x in found
            ]
        return Climbed(tuple(refuted or found), counted=("proof-no-time",))


@dataclass
class Lasting(Climbing):
    """A climb takes all the time that its search has."""

    search: Search | None = None

    def examine(self, what: Combination) -> Climbed:
        if self.search is not None:
            self.search.deadline = 0.0
        return super().examine(what)


@dataclass
class Concluded:
    seen: list[Seen]
    judge: FakeJudge
    ladder: Climbing
    counted: list[str]
    shipped: str | None

    def verdicts(self) -> list[tuple[str, str]]:
        """(functions, kind) from the confirmation on."""
        late = [x for x in self.seen if x.verdict.speedup is None or x.verdict.speedup.pairs > 5]
        return [("+".join(x.functions), x.verdict.kind.value) for x in late]


def concluded(
    offers: dict[str, str],
    ladder: Climbing,
    slow: frozenset[str] = frozenset(),
    stands_first: bool = False,
    again_pairs: int = 0,
) -> Concluded:
    """``offers``: label → functions."""
    seen: list[Seen] = []
    counted: list[str] = []
    judge: Any = FakeJudge(slow)
    hot = {"u": tuple(HotFunction(x, 0.3 if SPEEDS[x] else 0.02) for x in SPEEDS)}
    search = Search(judge, hot, time.monotonic() + 60, seen.append)
    if isinstance(ladder, Lasting):
        ladder.search = search
    for label, functions in offers.items():
        search.try_candidate(Candidate("fake", "u", tuple(functions.split()), functions, label))
    found = Conclusion(search, ladder, counted.append, stands_first, again_pairs).run()
    shipped = found.trial.admitted.texts["u"] if found else None
    return Concluded(seen, judge, ladder, counted, shipped)


def test_what_passes_the_clock_and_the_ladder_ships_with_its_evidence() -> None:
    done = concluded({"x": "a b"}, Climbing())
    assert done.shipped == "a:x b:x"
    assert done.ladder.climbed == done.judge.confirmed == ["a:x b:x"]
    assert done.verdicts() == [("a+b", "accepted")]
    evidence = done.seen[-1].verdict.evidence
    assert evidence["assurance"] == "fuzzed"
    assert isinstance(evidence["ladder"], dict)
    assert set(evidence["ladder"]) == {"a", "b"}
    assert done.counted == ["ladder:proof-no-time"]


def test_what_the_clock_refuses_is_not_examined() -> None:
    done = concluded({"x": "a", "y": "b"}, Climbing(), frozenset(["a:x b:y", "a:x"]))
    assert done.shipped == "b:y"
    assert done.ladder.climbed == ["b:y"]


def test_what_nobody_doubts_is_examined_before_what_is_about_as_fast() -> None:
    done = concluded({"x": "a b", "y": "a b"}, Climbing(doubts=frozenset(["a:x"])))
    assert done.ladder.climbed == ["a:y b:y"]
    assert done.shipped == "a:y b:y"


def test_a_great_gain_that_is_in_doubt_does_not_wait_for_a_small_one() -> None:
    ladder = Climbing(short={"a:x": "abi-unknown"}, doubts=frozenset(["a:x"]))
    done = concluded({"x": "a b", "y": "c"}, ladder)
    assert done.ladder.climbed[0] == "a:x b:x c:y"
    assert done.shipped is not None
    assert "a:x" not in done.shipped


def test_what_takes_little_time_and_gains_nothing_is_left_as_it_is() -> None:
    done = concluded({"x": "a b idle"}, Climbing())
    assert done.shipped == "a:x b:x"
    assert done.ladder.climbed == ["a:x b:x"]


def test_where_there_is_time_for_one_climb_fewer_functions_go_up() -> None:
    offers = {"x": "a b", "y": "a b c"}
    assert concluded(offers, Climbing()).ladder.climbed == ["a:y b:y c:y"]
    assert concluded(offers, Climbing(reserved=1e6)).ladder.climbed == ["a:x b:x"]
    assert concluded({"x": "b", "y": "a b"}, Climbing(reserved=1e6)).ladder.climbed == ["a:y b:y"]


def test_a_refuted_function_falls_and_the_others_stay() -> None:
    done = concluded({"x": "a b c"}, Climbing({"b:x": "differential"}))
    assert done.shipped == "a:x c:x"
    assert done.verdicts() == [("b", "differs"), ("a+c", "accepted")]
    assert done.judge.confirmed == ["a:x b:x c:x", "a:x c:x"], "the rest is timed anew"
    assert done.counted.count("assurance:differential") == 1


def test_a_function_below_what_is_wanted_falls_as_unjudged() -> None:
    done = concluded({"x": "a b"}, Climbing(short={"a:x": "blocks-never-run"}))
    assert done.shipped == "b:x"
    assert done.verdicts() == [("a", "unjudged"), ("b", "accepted")]
    assert "assurance:blocks-never-run" in done.counted
    assert done.seen[-2].verdict.evidence["reason"] == "blocks-never-run"


def test_the_next_best_has_its_turn_and_what_fell_does_not_come_back() -> None:
    ladder = Climbing({"a:z": "abi", "a:x": "proof"})
    done = concluded({"x": "a", "y": "a", "z": "a b"}, ladder)
    assert done.shipped == "a:y"
    assert done.verdicts() == [("a", "screened"), ("a", "differs"), ("a", "accepted")]
    assert ladder.climbed == ["a:z b:z", "a:x", "a:y"], "b:z is slower than what had not its turn"


def test_a_search_that_goes_on_keeps_what_stands_before_it_climbs_again() -> None:
    ladder = Climbing({"a:z": "abi", "a:x": "proof"})
    done = concluded({"x": "a", "y": "a", "z": "a b"}, ladder, stands_first=True)
    assert done.shipped == "b:z"
    assert ladder.climbed == ["a:z b:z", "b:z"]
    alone = concluded({"x": "a", "y": "b"}, Climbing({"a:x": "abi"}), stands_first=True)
    assert alone.shipped == "b:y"


def test_what_was_only_lucky_at_a_glance_is_not_confirmed_first() -> None:
    offers = {"lucky": "c", "good": "a"}
    slow = frozenset(["c:lucky"])
    assert concluded(offers, Climbing(), slow).judge.confirmed[0] == "c:lucky"
    assert concluded(offers, Climbing(), slow, again_pairs=9).judge.confirmed[0] == "a:good c:lucky"


@pytest.mark.parametrize(("goes_on", "shipped"), [(True, "a:one c:two"), (False, None)])
def test_a_search_that_goes_on_keeps_what_stands_though_time_is_over(
    goes_on: bool, shipped: str | None
) -> None:
    ladder = Lasting(short={"b:one": "open-blocks"})
    assert concluded({"one": "a b", "two": "c"}, ladder, stands_first=goes_on).shipped == shipped


def test_nothing_ships_when_all_fall() -> None:
    done = concluded({"x": "a", "y": "b"}, Climbing({"a:x": "proof", "b:y": "differential"}))
    assert done.shipped is None
    assert {kind for _, kind in done.verdicts()} == {"differs"}


def test_whose_fault_it_is_comes_from_leaving_one_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def agrees(
        sandbox: object, programs: tuple[Path, Path], recording: object, *rest: object
    ) -> bool:
        asked.append(str(programs[1]))
        return "b:x" not in str(programs[1])

    monkeypatch.setattr("gccllm.search.conclusion.agrees", agrees)
    done = concluded({"x": "a b c"}, Climbing({"b:x": "fuzz"}))
    assert asked == ["b:x c:x", "a:x c:x", "a:x b:x"]
    assert done.shipped == "a:x c:x"
    assert done.verdicts() == [("b", "differs"), ("a+c", "accepted")]


def test_where_nobody_alone_is_guilty_all_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gccllm.search.conclusion.agrees", lambda *given: False)
    done = concluded({"x": "a b"}, Climbing({"b:x": "fuzz"}))
    assert done.shipped is None
    assert sorted(done.verdicts()) == [("a", "differs"), ("b", "differs")]
