"""The ladder over fakes: the order of the rungs, what they earn, what falls and why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gccllm.assurance.ladder import Combination, Giver, Ladder, Shares
from gccllm.assurance.ladder.accounts import Account, Gap, Side
from gccllm.assurance.ladder.earning import earned, shortfall
from gccllm.assurance.ladder.words import Function
from gccllm.assurance.levels import Assurance, Examination, Standing, sure_enough
from gccllm.program import Build
from gccllm.settings import ASSURANCES, DEFAULT_ASSURANCE
from gccllm.types import Json, VerdictKind

PASSED, REFUTED, UNKNOWN = Standing.PASSED, Standing.REFUTED, Standing.UNKNOWN
GAP = Gap("f", 3, 17, ("addl $1, %eax", "jmp .L"))
WHOLE = Account(Side(4, 4), Side(5, 5), entered=True)
OPEN = replace(WHOLE, candidate=Side(5, 4, gaps=(GAP,)))
F, G = ("unit", "f"), ("unit", "g")


def made(standing: Standing, detail: str = "", **evidence: Json) -> Examination:
    return Examination(Assurance.TESTS, standing, detail, evidence)


def rungs(**standings: Standing) -> dict[str, Examination]:
    usual = {
        "abi": PASSED,
        "fuzz": PASSED,
        "region": UNKNOWN,
        "differential": UNKNOWN,
        "proof": UNKNOWN,
    }
    found = {name: made(standing, name) for name, standing in {**usual, **standings}.items()}
    if "differential" not in standings:
        found["differential"] = made(UNKNOWN, "no types", applicable=False)
    return found


@dataclass
class FakeRungs:
    """Says what it is told to, by rung and function; an exception is raised."""

    says: Mapping[str, Examination | Exception] = field(default_factory=dict)
    account: Account | Exception = WHOLE
    enters: frozenset[str] = frozenset()
    """rungs that enter every block left"""
    closes_after: int = 99
    """counts from which on every block was run"""
    refutes_after: int = 99
    """rounds of fuzzing from which on they refute"""
    later: Examination | None = None
    """what a second round of fuzzing says"""
    asked: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def _answer(self, rung: str, name: str, seconds: float = 0.0) -> Examination:
        self.asked.append(f"{rung} {name}".strip())
        self.seconds[f"{rung} {name}".strip()] = seconds
        found = self.says.get(f"{rung} {name}", self.says.get(rung, made(PASSED, rung)))
        if isinstance(found, Exception):
            raise found
        return found

    def abi(self, what: Combination, function: Function) -> Examination:
        return self._answer("abi", function[1])

    def fuzz(self, what: Combination, seconds: float) -> Examination:
        found = self._answer("fuzz", "", seconds)
        if self.later is not None and self.asked.count("fuzz") > 1:
            return self.later
        late = self.asked.count("fuzz") >= self.refutes_after
        return replace(found, standing=REFUTED) if late else found

    def accounts(self, what: Combination, seconds: float) -> Mapping[Function, Account]:
        self.asked.append("coverage")
        if isinstance(self.account, Exception):
            raise self.account
        done = self.asked.count("coverage") >= self.closes_after
        return dict.fromkeys(what.functions, WHOLE if done else self.account)

    def _entering(self, rung: str, account: Account) -> Account:
        if rung not in self.enters:
            return account
        return account.without(rung, account.baseline.gaps, account.candidate.gaps)

    def region(
        self, what: Combination, function: Function, account: Account, seconds: float
    ) -> tuple[Examination, Account]:
        return self._answer("region", function[1], seconds), self._entering("region", account)

    def differential(
        self, what: Combination, function: Function, account: Account, seconds: float
    ) -> tuple[Examination, Account]:
        found = self._answer("differential", function[1], seconds)
        return found, self._entering("differential", account)

    def proof(self, what: Combination, function: Function, seconds: float) -> Examination:
        return self._answer("proof", function[1], seconds)


NOTHING: dict[str, Examination | Exception] = {
    "region": made(UNKNOWN, applicable=False),
    "differential": made(UNKNOWN, "no types", applicable=False),
    "proof": made(UNKNOWN),
}


def combination(*functions: Function) -> Combination:
    build = Build(Path("/nowhere/program"), {})
    return Combination({}, build, {x: Giver("") for x in functions or (F,)})


def ladder(fake: FakeRungs, wanted: Assurance = Assurance.FUZZED, left: float = 60.0) -> Ladder:
    return Ladder(fake, wanted, Shares(60.0), time.monotonic() + left)


def test_the_option_takes_the_levels() -> None:
    assert tuple(x.value for x in Assurance) == ASSURANCES
    assert DEFAULT_ASSURANCE in ASSURANCES


@pytest.mark.parametrize(
    ("stored", "wanted", "enough"),
    [
        ("tests", Assurance.TESTS, True),
        ("tests", Assurance.FUZZED, False),
        ("proved", Assurance.DIFFERENTIAL, True),
        ("sworn", Assurance.TESTS, False),
        ("", Assurance.TESTS, False),
    ],
)
def test_stored_levels_are_compared_by_rank(stored: str, wanted: Assurance, enough: bool) -> None:
    assert sure_enough(stored, wanted) is enough


@pytest.mark.parametrize(
    ("found", "account", "level"),
    [
        (rungs(), WHOLE, Assurance.FUZZED),
        (rungs(differential=PASSED), WHOLE, Assurance.DIFFERENTIAL),
        (rungs(proof=PASSED), WHOLE, Assurance.PROVED),
        (rungs(proof=PASSED), OPEN, Assurance.TESTS),
        (rungs(proof=PASSED, fuzz=UNKNOWN), WHOLE, Assurance.TESTS),
        ({**rungs(fuzz=UNKNOWN), "proof": made(PASSED, bound=None)}, OPEN, Assurance.PROVED),
        ({**rungs(), "proof": made(PASSED, bound=12)}, OPEN, Assurance.TESTS),
        (rungs(fuzz=UNKNOWN), WHOLE, Assurance.TESTS),
        (rungs(fuzz=UNKNOWN, differential=PASSED), WHOLE, Assurance.TESTS),
        (rungs(abi=UNKNOWN), WHOLE, Assurance.TESTS),
        (rungs(abi=UNKNOWN, differential=PASSED), WHOLE, Assurance.DIFFERENTIAL),
        (rungs(region=PASSED, fuzz=UNKNOWN), WHOLE, Assurance.TESTS),
        (rungs(differential=PASSED), OPEN, Assurance.TESTS),
        (rungs(), OPEN, Assurance.TESTS),
        (rungs(), replace(WHOLE, entered=False), Assurance.TESTS),
        (rungs(), Account(unknown="inline assembly"), Assurance.TESTS),
        (rungs(), None, Assurance.TESTS),
        ({}, WHOLE, Assurance.TESTS),
    ],
)
def test_what_rungs_earn(
    found: dict[str, Examination], account: Account | None, level: Assurance
) -> None:
    assert earned(found, account) is level


def test_a_program_that_reads_nothing_can_still_be_differential() -> None:
    found = rungs(differential=PASSED)
    found["fuzz"] = made(UNKNOWN, "all inputs were answered alike", applicable=False)
    assert earned(found, WHOLE) is Assurance.DIFFERENTIAL
    found = rungs()
    found["fuzz"] = made(UNKNOWN, "all inputs were answered alike", applicable=False)
    assert earned(found, WHOLE) is Assurance.TESTS
    assert shortfall(found, WHOLE, Assurance.FUZZED)[0] == "fuzz-unknown"


@pytest.mark.parametrize(
    ("found", "account", "wanted", "word"),
    [
        (rungs(), WHOLE, Assurance.FUZZED, ""),
        (rungs(fuzz=UNKNOWN), OPEN, Assurance.TESTS, ""),
        (rungs(), WHOLE, Assurance.DIFFERENTIAL, "differential-unknown"),
        (rungs(differential=PASSED), WHOLE, Assurance.DIFFERENTIAL, ""),
        (rungs(differential=PASSED), WHOLE, Assurance.PROVED, "proof-unknown"),
        (rungs(proof=PASSED), WHOLE, Assurance.PROVED, ""),
        (rungs(proof=PASSED), OPEN, Assurance.PROVED, "blocks-never-run"),
        (rungs(), OPEN, Assurance.FUZZED, "blocks-never-run"),
        (rungs(), replace(WHOLE, entered=False), Assurance.FUZZED, "never-entered"),
        (rungs(), Account(unknown="odd"), Assurance.FUZZED, "coverage-unknown"),
        (rungs(), None, Assurance.FUZZED, "coverage-unknown"),
        (rungs(fuzz=UNKNOWN), WHOLE, Assurance.FUZZED, "fuzz-unknown"),
        (rungs(abi=UNKNOWN), WHOLE, Assurance.FUZZED, "abi-unknown"),
        # it could be examined alone, and was not found equal
        (rungs(differential=UNKNOWN), WHOLE, Assurance.FUZZED, "differential-undecided"),
        (rungs(differential=UNKNOWN, proof=PASSED), WHOLE, Assurance.FUZZED, ""),
        (rungs(differential=UNKNOWN), WHOLE, Assurance.TESTS, ""),
    ],
)
def test_why_a_level_is_not_reached(
    found: dict[str, Examination], account: Account | None, wanted: Assurance, word: str
) -> None:
    got, why = shortfall(found, account, wanted)
    assert got == word
    assert bool(why) is bool(word)


def test_the_rungs_come_in_order_and_all_are_climbed() -> None:
    fake = FakeRungs(NOTHING)
    climbed = ladder(fake).examine(combination(F, G))
    assert fake.asked == [
        *("abi f", "abi g", "fuzz", "coverage"),
        *("region f", "region g", "differential f", "differential g", "proof f", "proof g"),
    ]
    assert climbed.fallen == ()
    assert climbed.level is Assurance.FUZZED
    evidence = climbed.evidence()["f"]
    assert isinstance(evidence, dict)
    assert evidence["assurance"] == "fuzzed"
    assert isinstance(evidence["rungs"], dict)
    assert list(evidence["rungs"]) == [
        *("abi", "fuzz", "coverage", "region", "differential", "proof")
    ]


def test_a_combination_is_as_sure_as_its_weakest_function() -> None:
    fake = FakeRungs({**NOTHING, "proof f": made(PASSED)})
    climbed = ladder(fake).examine(combination(F, G))
    assert [x.level for x in climbed.found] == [Assurance.PROVED, Assurance.FUZZED]
    assert climbed.level is Assurance.FUZZED


@pytest.mark.parametrize(
    ("rung", "kind", "asked"),
    [
        ("abi g", VerdictKind.SCREENED, 2),
        ("fuzz", VerdictKind.DIFFERS, 3),
        ("differential f", VerdictKind.DIFFERS, 7),
        ("proof f", VerdictKind.DIFFERS, 9),
    ],
)
@pytest.mark.parametrize("wanted", list(Assurance))
def test_a_refutation_ends_it_whatever_is_wanted(
    rung: str, kind: VerdictKind, asked: int, wanted: Assurance
) -> None:
    found = made(REFUTED, "n = 3", kinds=["clobber"], counterexample="f(3)")
    fake = FakeRungs({**NOTHING, rung: found})
    climbed = ladder(fake, wanted).examine(combination(F, G))
    assert len(fake.asked) == asked
    assert {x.function for x in climbed.fallen} == ({"f", "g"} if rung == "fuzz" else {rung[-1]})
    verdict = climbed.fallen[0].verdict(wanted)
    assert verdict.kind is kind
    assert "n = 3" in verdict.detail
    if kind is VerdictKind.SCREENED:
        assert (verdict.evidence["gate"], verdict.evidence["rule"]) == ("abi", "clobber")
    else:
        assert verdict.evidence["counterexample"] == "f(3)"


@pytest.mark.parametrize("rung", ["abi", "fuzz", "differential"])
def test_a_rung_that_fails_is_unknown_and_never_a_pass(rung: str) -> None:
    fake = FakeRungs({**NOTHING, rung: RuntimeError("a bug")})
    climbed = ladder(fake).examine(combination())
    assert climbed.counted == (f"{rung}-failed",)
    (fallen,) = climbed.fallen
    assert "a bug" in fallen.why
    assert not fallen.lasting
    assert fallen.verdict(Assurance.FUZZED).kind is VerdictKind.UNJUDGED


def test_blocks_that_can_not_be_counted_are_a_reason() -> None:
    climbed = ladder(FakeRungs(NOTHING, account=OSError("disk full"))).examine(combination())
    assert climbed.counted == ("coverage-failed",)
    assert [x.short for x in climbed.fallen] == ["coverage-unknown"]
    assert "disk full" in climbed.fallen[0].why


def test_a_failing_proof_costs_the_proof_alone() -> None:
    fake = FakeRungs({**NOTHING, "proof": ImportError("no pyvex")})
    climbed = ladder(fake).examine(combination())
    assert climbed.fallen == ()
    assert climbed.level is Assurance.FUZZED
    assert climbed.counted == ("proof-failed",)


def test_without_time_nothing_is_begun_and_only_tests_is_reached() -> None:
    fake = FakeRungs()
    climbed = ladder(fake, Assurance.TESTS, left=0.5).examine(combination())
    assert fake.asked == ["abi f"]
    assert climbed.fallen == ()
    assert climbed.level is Assurance.TESTS
    assert {"fuzz-no-time", "coverage-no-time", "proof-no-time"} <= set(climbed.counted)


def test_what_is_wanted_gets_its_time_and_what_is_not_does_not() -> None:
    fake = FakeRungs({**NOTHING, "proof": made(PASSED)})
    climbed = ladder(fake, left=0.5).examine(combination())
    assert climbed.fallen == ()
    assert climbed.level is Assurance.FUZZED
    assert climbed.counted == ("proof-no-time",)
    assert ladder(fake, Assurance.PROVED, left=0.5).examine(combination()).level is Assurance.PROVED


def test_what_fell_for_lack_of_time_is_not_final() -> None:
    late = made(UNKNOWN, "no time", again=True)
    climbed = ladder(FakeRungs({**NOTHING, "fuzz": late})).examine(combination())
    assert [x.short for x in climbed.fallen] == ["fuzz-unknown"]
    assert not climbed.fallen[0].lasting


def test_time_is_shared_among_functions_and_never_beyond_the_deadline() -> None:
    fake = FakeRungs(NOTHING)
    ladder(fake).examine(combination(F, G))
    assert fake.seconds["differential f"] == pytest.approx(Shares(60.0).seconds("differential") / 2)
    fake = FakeRungs(NOTHING)
    ladder(fake, Assurance.TESTS, left=2.0).examine(combination())
    assert max(fake.seconds.values()) <= 2.0


def test_open_blocks_get_further_inputs_while_there_is_time() -> None:
    fake = FakeRungs(NOTHING, account=OPEN, closes_after=3)
    climbed = ladder(fake).examine(combination())
    assert fake.asked.count("fuzz") == fake.asked.count("coverage") == 3
    assert climbed.fallen == ()
    fake = FakeRungs(NOTHING, account=OPEN)
    climbed = ladder(fake).examine(combination())
    assert fake.asked.count("fuzz") == 4
    assert [x.short for x in climbed.fallen] == ["blocks-never-run"]


@pytest.mark.parametrize(
    ("evidence", "falls"),
    [
        ({"doubt": True, "again": True}, True),
        ({"doubt": True}, True),
        ({}, True),
        ({"again": True}, False),
        ({"applicable": False}, False),
        ({"applicable": True}, False),
    ],
)
def test_a_doubt_among_further_inputs_is_no_pass(evidence: dict[str, Json], falls: bool) -> None:
    later = made(UNKNOWN, "something", **evidence)
    fake = FakeRungs(NOTHING, account=OPEN, closes_after=2, later=later)
    climbed = ladder(fake).examine(combination())
    assert [x.short for x in climbed.fallen] == (["fuzz-unknown"] if falls else [])


def test_further_inputs_can_refute() -> None:
    fake = FakeRungs(NOTHING, account=OPEN, refutes_after=2)
    climbed = ladder(fake).examine(combination())
    assert [x.refuted for x in climbed.fallen] == ["fuzz"]
    assert "proof f" not in fake.asked


@pytest.mark.parametrize("rung", ["region", "differential"])
def test_blocks_that_a_rung_enters_count_as_run(rung: str) -> None:
    fake = FakeRungs(NOTHING, account=OPEN)
    assert [x.short for x in ladder(fake).examine(combination()).fallen] == ["blocks-never-run"]
    fake = FakeRungs(NOTHING, account=OPEN, enters=frozenset([rung]))
    climbed = ladder(fake).examine(combination())
    assert climbed.fallen == ()
    assert climbed.found[0].account is not None
    assert climbed.found[0].account.candidate.entered_by == {rung: 1}


def test_a_function_that_nothing_calls_takes_no_time_from_others() -> None:
    fake = FakeRungs(NOTHING, account=replace(WHOLE, entered=False))
    climbed = ladder(fake).examine(combination())
    assert fake.asked == ["abi f", "fuzz", "coverage"]
    assert [x.short for x in climbed.fallen] == ["never-entered"]
    assert climbed.fallen[0].why == "no run ever called it"


def test_what_was_never_run_is_shown() -> None:
    climbed = ladder(FakeRungs(NOTHING, account=OPEN)).examine(combination())
    verdict = climbed.fallen[0].verdict(Assurance.FUZZED)
    assert verdict.evidence["reason"] == "blocks-never-run"
    assert "1 never" in verdict.detail
    shown = climbed.evidence()["f"]
    assert isinstance(shown, dict)
    blocks = shown["blocks"]
    assert isinstance(blocks, dict)
    assert isinstance(blocks["candidate"], dict)
    assert blocks["candidate"]["shown"] == ["17: addl $1, %eax"]


def test_shares_grow_with_the_budget_up_to_a_limit() -> None:
    for rung in ("fuzz", "coverage", "region", "differential", "proof"):
        assert Shares(10.0).seconds(rung) < Shares(30.0).seconds(rung)
        assert Shares(1e4).seconds(rung) == Shares(1e5).seconds(rung) <= 30.0
    assert Shares(60.0).reserved(Assurance.TESTS) == 0.0
    assert Shares(60.0).reserved(Assurance.PROVED) > Shares(60.0).reserved(Assurance.FUZZED) > 0.0
