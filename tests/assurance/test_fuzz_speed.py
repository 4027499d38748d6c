"""Is it faster elsewhere, too? Programs whose times are made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gccllm.assurance.fuzz import fuzz
from gccllm.assurance.fuzz.speed import Elsewhere
from gccllm.assurance.levels import Standing
from gccllm.program import Build
from gccllm.recordings import Expected, Recording, load, save_case
from gccllm.sandbox.base import RunInput, RunResult
from gccllm.sandbox.fake import FakeSandbox

CASES = (b"3 4\n", b"7000 900\n")


def recording(folder: Path) -> Recording:
    for number, stdin in enumerate(CASES):
        save_case(folder, str(number), stdin, (), Expected(b""))
    return load(folder)


def program(cost: Callable[[bytes], float]) -> Callable[[RunInput, int], RunResult]:
    """It answers with its input; ``cost`` is what a run takes, in seconds."""

    def run(given: RunInput, count: int) -> RunResult:
        assert given.stdin is not None
        text = given.stdin.read_bytes()
        return FakeSandbox.result(text, user=cost(text))

    return run


def honest(text: bytes) -> float:
    """Large numbers take long."""
    large = any(len(x) >= 3 for x in text.split()) and text.split()[0][:1].isdigit()
    return 0.2 if large else 0.0005


def examined(folder: Path, candidate: Callable[[bytes], float]) -> tuple[Standing, str]:
    roles = {"baseline": program(honest), "candidate": program(candidate)}
    nothing = Build(folder / "x", {})
    given = recording(folder / "tests")
    done = fuzz(FakeSandbox(roles), nothing, nothing, given, seconds=60, inputs=40)
    return done.standing, done.detail


def test_what_is_faster_everywhere_passes(tmp_path: Path) -> None:
    standing, detail = examined(tmp_path, lambda text: honest(text) / 3)
    assert standing is Standing.PASSED, detail


def test_what_is_no_faster_passes(tmp_path: Path) -> None:
    standing, detail = examined(tmp_path, honest)
    assert standing is Standing.PASSED, detail


def test_what_knows_the_recorded_answer_does_not(tmp_path: Path) -> None:
    standing, detail = examined(tmp_path, lambda x: 0.001 if x == CASES[1] else honest(x))
    assert standing is Standing.UNKNOWN
    assert detail.startswith("it is fast on what was recorded, and not on other inputs: 200.00×")


def test_runs_that_were_disturbed_are_repeated(tmp_path: Path) -> None:
    runs: Counter[bytes] = Counter()

    def disturbed(text: bytes) -> float:
        runs[text] += 1
        # one run is for comparing answers, two are timed at first
        late = text == CASES[1] or runs[text] > 3
        return honest(text) / 3 if late else honest(text)

    standing, detail = examined(tmp_path, disturbed)
    assert standing is Standing.PASSED, detail


def test_what_only_looked_faster_where_it_was_recorded_is_for_the_clock(tmp_path: Path) -> None:
    runs: Counter[bytes] = Counter()

    def disturbed(text: bytes) -> float:
        runs[text] += 1
        return honest(text) * (1.2 if text == CASES[1] and runs[text] < 5 else 1.0)

    roles = {"baseline": program(disturbed), "candidate": program(honest)}
    nothing = Build(tmp_path / "x", {})
    given = recording(tmp_path / "tests")
    done = fuzz(FakeSandbox(roles), nothing, nothing, given, seconds=60, inputs=40)
    assert done.standing is Standing.PASSED, done.detail


@pytest.mark.parametrize(
    ("recorded", "others", "holds"),
    [
        (3.0, (), True),
        (3.0, (1.0,), True),
        (3.0, (1.0, 1.0), False),
        (3.0, (2.9, 2.8, 1.0, 3.1), True),
        (9.0, (1.0, 8.0, 1.1, 9.0), False),
        (1.2, (1.1, 1.06, 1.08), True),
    ],
)
def test_the_rule(recorded: float, others: tuple[float, ...], holds: bool) -> None:
    assert Elsewhere(recorded, others).holds is holds
