"""``gccllm-train rewards`` on a store with verdicts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gccllm.store import Judgement, Store
from gccllm.types import Json, Speedup, Verdict, VerdictKind
from trainer.choices import RewardKind
from trainer.cli import main
from trainer.reward import REWARDS

Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Train:
    """``gccllm-train ARGUMENTS``: status, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gccllm-train", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, *capfd.readouterr()

    return call


@pytest.fixture
def filled(own_store: Path) -> None:
    wrong: dict[str, Json] = {"tests_run": 3}
    verdicts = [
        Verdict(VerdictKind.NOT_ASSEMBLED, "bad operand"),
        Verdict(VerdictKind.CRASHED, "case 3: signalled (signal 11)", wrong),
        Verdict(VerdictKind.NOT_FASTER, "right", speedup=Speedup(0.8, 0.7, 0.9, 20)),
        Verdict(VerdictKind.ACCEPTED, "1.50×", speedup=Speedup(1.5, 1.4, 1.6, 20)),
    ]
    with Store(own_store) as store:
        for program in ("/a/prog", "/a/other"):
            store.note([Judgement(program, "u.c", ("f",), "model", "s", x) for x in verdicts])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("so", [1.5, 0.8, 0.0, 0.0]),
        ("so-published", [1.5, 0.0, 0.0, 0.0]),
        ("cgs", [16.0, 9.0, 0.5, -1.0]),
        ("cgs-published", [16.0, 9.0, -0.5, -1.0]),
    ],
)
def test_rewards_of_a_store(train: Train, filled: None, kind: str, expected: list[float]) -> None:
    status, out, err = train("rewards", "--kind", kind, "--tests", "4", "--program", "prog")
    assert (status, err) == (0, "")
    lines: list[dict[str, Any]] = [json.loads(x) for x in out.splitlines()]
    assert [x["reward"] for x in lines] == pytest.approx(expected)
    assert lines[0] == {
        "program": "/a/prog",
        "unit": "u.c",
        "functions": ["f"],
        "proposer": "model",
        "label": "s",
        "verdict": "accepted",
        "reward": lines[0]["reward"],
    }


def test_all_programs_without_a_name(train: Train, filled: None) -> None:
    assert len(train("rewards")[1].splitlines()) == 8


def test_the_kinds_are_the_rewards() -> None:
    assert [x.value for x in RewardKind] == list(REWARDS)


def test_no_store_is_one_line(train: Train, own_store: Path) -> None:
    status, out, err = train("rewards")
    assert (status, out) == (1, "")
    assert err.startswith(f"gccllm-train: error: there is no store at {own_store} yet")
    assert err.count("\n") == 1


def test_a_corrupt_store_is_one_line(train: Train, own_store: Path) -> None:
    (own_store / "store.sqlite").write_bytes(b"nonsense" * 1000)
    status, out, err = train("rewards")
    assert (status, out) == (1, "")
    assert err.startswith("gccllm-train: error: the store at ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("--no-such",), ("rewards", "--kind", "best"), ("rewards", "--tests", "0"), ("no-such",)],
)
def test_what_makes_no_sense_is_status_2(train: Train, arguments: tuple[str, ...]) -> None:
    assert train(*arguments)[0] == 2


def test_help_has_an_example_and_the_version(train: Train) -> None:
    assert "gccllm-train rewards --kind cgs" in train("rewards", "--help")[1]
    assert train("--version")[1].startswith("gccllm-train ")
