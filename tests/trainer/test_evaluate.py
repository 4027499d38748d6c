"""The evaluation: questions from pairs, answers judged, figures, and going on where it stopped."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.proposers.answers import Sampling
from gccllm.toolchain import Toolchain
from trainer.cli import app
from trainer.corpus.families import Teacher, make_sample
from trainer.evaluation.asking import Asking
from trainer.evaluation.evaluate import Plan, evaluate, render_markdown
from trainer.evaluation.intervals import geometric_mean_of, percentiles, rate
from trainer.evaluation.ledger import Ledger
from trainer.evaluation.outcomes import Outcome
from trainer.evaluation.product import _read
from trainer.evaluation.summary import family_summary, product_summary, raw_summary
from trainer.evaluation.systems import Fixed, System, opened_model
from trainer.pairs import KEEP_ANSWER, Pair, read_pairs, write_shard

RIGHT = Outcome(
    "not-faster", False, True, True, True, True, True, 2000, faster=True, speedup=2.0
).as_json()
SLOW = {**RIGHT, "faster": False, "speedup": 0.8}
WRONG = {**RIGHT, "kind": "wrong-output", "passes": False, "equal": False, "faster": False}
WRONG["speedup"] = 0.0
KEPT = Outcome("unchanged", kept=True).as_json()


@pytest.fixture(scope="module")
def pairs(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the pairs of one sample of popcount, as "valid"."""
    pytest.importorskip("pyarrow")
    tools = Toolchain()
    (family,) = (x for x in FAMILIES if x.name == "popcount")
    with Harness(toolchain=tools) as harness:
        teacher = Teacher(tools, harness, family)
        found = list(make_sample(tools, teacher, 0, 5))
    assert any(not x.keeps for x in found)
    folder = tmp_path_factory.mktemp("pairs")
    write_shard(folder / "a.parquet", [replace(x, split="valid") for x in found])
    return folder


def plan(pairs: Path, out: Path) -> Plan:
    return Plan(out, {}, data=pairs, sets=("valid",), sampling=Sampling(samples=2))


def question(*samples: dict[str, Any], wanted: bool = True, exact: bool = False) -> dict[str, Any]:
    return {
        "level": "x86-64",
        "wanted": wanted,
        "samples": [{**x, "exact": exact, "answer": ""} for x in samples],
    }


def test_the_teacher_is_right_and_nothing_keeps(pairs: Path, tmp_path: Path) -> None:
    said: list[str] = []
    results = evaluate(plan(pairs, tmp_path / "out"), said.append)
    assert len(said) == 1
    found = results["raw"]["valid"]
    nothing, idioms = (found["at"]["1"][x] for x in ("nothing", "idioms"))
    assert found["left_out"] == {}
    assert nothing["kept"]["value"] == 1.0
    assert nothing["rewrites"] == 0
    assert nothing["average_speedup"]["value"] == 1.0
    assert idioms["questions"] == nothing["questions"] > 0
    assert idioms["rewrites"] > 0
    for stage in ("well_formed", "assembles", "links", "passes", "equal", "correct"):
        assert idioms["of_rewrites"][stage]["value"] == 1.0, stage
    assert idioms["exact"]["value"] == 1.0
    assert set(found["families"]["idioms"]) == {"popcount"}
    assert results["product"] == {}
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["raw"]["valid"]["at"]["1"]["idioms"]["questions"] == idioms["questions"]
    assert "| idioms | " in (tmp_path / "out" / "results.md").read_text()
    again = evaluate(plan(pairs, tmp_path / "out"), said.append)
    assert len(said) == 1  # all of it was there
    assert again["raw"] == results["raw"]


def test_wrong_answers_are_found_out(pairs: Path, tmp_path: Path) -> None:
    tools = Toolchain()
    rewritten = [x for x in read_pairs(pairs) if not x.keeps]
    known = {
        x.prompt: ["\tnonsense\n", _spoilt(x), "no line\tof: assembly\n", x.answer]
        for x in rewritten
    }
    chosen = plan(pairs, tmp_path / "out")
    sampling = Sampling(samples=4)
    with Harness(toolchain=tools) as harness:
        asking = Asking(
            replace(chosen, sampling=sampling),
            tools,
            harness,
            [System("liar", Fixed(known))],
            None,
            float("inf"),
            lambda text: None,
        )
        asking.ask("valid")
        summary = asking.summary("valid")
    assert summary["left_out"] == {}
    found = summary["at"]
    first, best = found["1"]["liar"], found["4"]["liar"]
    assert first["rewrites"] > 0
    assert first["of_rewrites"]["assembles"]["value"] == 0.0
    assert first["of_rewrites"]["correct"]["value"] == 0.0
    assert best["of_rewrites"]["correct"]["value"] == 1.0
    kinds = best["kinds"]
    assert kinds["not-assembled"] >= first["rewrites"]
    assert kinds["not-faster"] == first["rewrites"]
    assert kinds.get("screened", 0) + kinds.get("crashed", 0) >= first["rewrites"]


def _spoilt(pair: Pair) -> str:
    """The right answer with its stack pointer moved: refused or crashed, never right."""
    push = "\tpushq\t%rax\n"
    if "L0:\n" in pair.answer:
        return pair.answer.replace("L0:\n", f"L0:\n{push}", 1)
    return push + pair.answer


def test_time_that_is_over_leaves_the_rest(pairs: Path, tmp_path: Path) -> None:
    said: list[str] = []
    results = evaluate(replace(plan(pairs, tmp_path / "out"), budget=-1.0), said.append)
    assert said == ["valid: the time is over after 0 programs"]
    assert results["raw"]["valid"]["at"]["1"]["idioms"]["questions"] == 0


def test_other_settings_need_another_folder(pairs: Path, tmp_path: Path) -> None:
    chosen = replace(plan(pairs, tmp_path / "out"), budget=-1.0)
    evaluate(chosen, lambda text: None)
    with pytest.raises(UsageError, match="other settings"):
        evaluate(replace(chosen, sampling=Sampling(samples=3)), lambda text: None)


def test_a_ledger_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    Ledger(tmp_path, "raw", {"a": 1}).add("one", {"x": 1})
    with (tmp_path / "raw.jsonl").open("a") as file:
        file.write('{"key": "two", "x"')
    ledger = Ledger(tmp_path, "raw", {"a": 1})
    assert "one" in ledger
    assert "two" not in ledger
    ledger.add("two", {"x": 2})
    assert Ledger(tmp_path, "raw", {"a": 1}).entries["two"]["x"] == 2
    (tmp_path / "raw.jsonl").write_text("[]\n")
    with pytest.raises(UsageError, match="damaged"):
        Ledger(tmp_path, "raw", {"a": 1})


def test_rates_at_one_and_several_samples() -> None:
    programs = [
        [question(WRONG, RIGHT), question(KEPT, KEPT, wanted=False, exact=True)],
        [question(SLOW, WRONG, exact=True), question(KEPT, RIGHT)],
    ]
    first, best = raw_summary(programs, 1), raw_summary(programs, 2)
    assert (first.questions, first.programs, first.rewrites) == (4, 2, 2)
    assert first.of_rewrites["correct"] is not None
    assert first.of_rewrites["correct"].value == 0.5
    assert first.improved is not None
    assert first.improved.value == 0.0
    assert first.kept is not None
    assert first.kept.value == 0.5
    assert first.kept_rightly is not None
    assert first.kept_rightly.value == 1.0
    assert first.exact_rewrites is not None
    assert first.exact_rewrites.value == pytest.approx(1 / 3)
    assert first.test_pass is not None
    assert first.test_pass.value == 0.75
    assert first.average_speedup is not None
    assert first.average_speedup.value == 1.0  # what is slower counts as 1
    assert best.rewrites == 3
    assert best.improved is not None
    assert best.improved.value == 0.5
    assert best.average_speedup is not None
    assert best.average_speedup.value == 1.5
    assert best.percentiles == (1.0, 1.5, 2.0)


def test_without_programs_only_the_harness_counts() -> None:
    found = raw_summary([[question({**RIGHT, "programmed": False, "passes": False})]], 1)
    assert set(found.of_rewrites) == {"well_formed", "assembles", "equal", "correct"}
    assert found.of_rewrites["correct"] is not None
    assert found.of_rewrites["correct"].value == 1.0
    assert found.test_pass is None


def test_families_apart() -> None:
    found = family_summary({"gcd-1-2": [question(RIGHT)], "gcd-1-9": [question(WRONG)]})
    assert found["gcd"] == {
        "questions": 2,
        "rewrites": 2,
        "correct": 1,
        "faster": 1,
        "speedup": 2.0,
    }


def test_intervals_come_from_programs() -> None:
    assert rate([]) is None
    assert rate([(0.0, 0)]) is None
    alike = rate([(5.0, 10)] * 20)
    assert alike is not None
    assert (alike.value, alike.low, alike.high, alike.count) == (0.5, 0.5, 0.5, 200)
    split = rate([(10.0, 10)] * 10 + [(0.0, 10)] * 10)
    assert split is not None
    assert split.value == 0.5
    assert split.low < 0.35 < 0.65 < split.high  # 20 programs, not 200 questions
    mean = geometric_mean_of([1.0, 4.0])
    assert mean is not None
    assert mean.value == pytest.approx(2.0)
    assert geometric_mean_of([]) is None
    assert percentiles([]) is None
    assert percentiles([3.0]) == (3.0, 3.0, 3.0)
    assert percentiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)


def report(**changes: object) -> dict[str, Any]:
    accepted = {"verdict": "accepted", "function": "f", "label": "a form", "proposer": "model"}
    content: dict[str, Any] = {
        "outcome": "optimized",
        "reason": "",
        "speedup": 2.0,
        "speedup_low": 1.9,
        "speedup_high": 2.1,
        "control": {"speedup": 1.01},
        "functions": [accepted, {**accepted, "verdict": "not-faster"}],
        "counts": {},
        "proposed": {},
        "seconds": 1.0,
    }
    return {**content, **changes}


def test_the_product_counts_what_was_accepted() -> None:
    won = _read(report())
    left = _read(report(outcome="fallback", reason="nothing-faster", speedup=None))
    assert (won["speedup"], won["accepted"], won["by"]) == (2.0, 1, "model")
    assert (left["speedup"], left["accepted"], left["control"]) == (1.0, 0, None)
    found = product_summary([won, left])
    assert found.accepted is not None
    assert found.accepted.value == 0.5
    assert found.geometric_mean is not None
    assert found.geometric_mean.value == pytest.approx(2**0.5)
    assert found.control is not None
    assert found.control.value == pytest.approx(1.01)
    results = {
        "settings": {"seed": 0},
        "raw": {},
        "product": {
            "examples": {
                "summary": {"model": found.as_json()},
                "programs": {"a": {"model": won}, "b": {"model": left}},
            }
        },
    }
    text = render_markdown(results)
    assert "| a | 2.00 (1.90–2.10) |" in text
    assert "| b | 1 |" in text
    assert "50.0" in text


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model"), opened_model(tmp_path, Toolchain()):
        pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "nonsense"], "no set 'nonsense'"),
        ([], "nothing to ask"),
        (["--model", "a=x", "--model", "a=y", "--examples", "e"], "two models"),
    ],
)
def test_what_makes_no_sense_is_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["eval", "--out", str(tmp_path / "out"), *arguments])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)


def test_a_trained_model_is_asked(pairs: Path, trained_run: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("ctranslate2") is None:
        pytest.skip("ctranslate2 is missing")
    chosen = replace(
        plan(pairs, tmp_path / "out"), models={"nano": trained_run / "model"}, most_questions=2
    )
    found = evaluate(chosen, lambda text: None)["raw"]["valid"]["at"]
    for samples in ("1", "2"):
        masked, free = (found[samples][x] for x in ("nano", "nano, unmasked"))
        assert masked["questions"] == free["questions"] == 2
        if masked["rewrites"]:
            assert masked["of_rewrites"]["well_formed"]["value"] == 1.0


def test_keep_is_what_nothing_says() -> None:
    answers = Fixed({"p": ["x\n", "y\n"]}).answers(["p", "q"], Sampling(3))
    assert [x.text for x in answers[0]] == ["x\n", "y\n", "y\n"]
    assert [x.text for x in answers[1]] == [KEEP_ANSWER] * 3
