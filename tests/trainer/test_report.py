"""A run as one page: what is gathered, how it is drawn, and that a browser has no complaint."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.process import run
from gccllm.prompts import answer_text, paper_prompt
from trainer.cli import app
from trainer.programs.tables import results_of
from trainer.report.charts import histogram, line_chart
from trainer.report.gather import gather
from trainer.report.kinds import KINDS, rewrite_kinds
from trainer.report.page import render_page
from trainer.report.sides import side_by_side

LOOP = """f:
	xorl	%eax, %eax
.L2:
	movl	%edi, %edx
	andl	$1, %edx
	addl	%edx, %eax
	shrl	%edi
	jne	.L2
	ret
"""
POPCNT = "f:\n\txorl\t%eax, %eax\n\tpopcntl\t%edi, %eax\n\tret\n"
REGION = "<|isa|>x86-64\n<|region|>\nL0:\n\taddl\t$1, %eax\n\tjne\tL0\n<|/region|>\n"


def sample(name: str, step: int, verdict: str, speedup: float, **changes: Any) -> dict[str, Any]:
    return {
        "input": "", "output": "\tnop\n", "gts": name, "score": speedup, "step": step,
        "verdict": verdict, "speedup": speedup, "correct": 1.0, "cached": 0.0, **changes,
    }  # fmt: skip


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(x) + "\n" for x in rows))


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """Three steps on one program and one region; the program's rewrite was found at step 2."""
    out = tmp_path / "run"
    metrics = [
        {"kind": kind, "step": step, "tokens": 100 * step, "reward": step / 3, "well_formed": 1.0,
         "assembled": 1.0, "correct": 0.5, "speedup": 1 + step, "seconds": 1800.0, "cached": 0.5}
        for step in (1, 2, 3)
        for kind in ("train", "held-greedy")
    ]  # fmt: skip
    write_lines(out / "metrics.jsonl", metrics)
    (out / "run.json").write_text(json.dumps({"config": "cpu", "programs": [["x" * 300]]}))
    program = {"input": paper_prompt("int f;", LOOP), "output": answer_text(POPCNT)}
    for step, verdict, speedup in (
        (1, "wrong-output", 0.0),
        (2, "not-faster", 3.5),
        (3, "unchanged", 1.0),
    ):
        rows = [sample("train p", step, verdict, speedup, **program)]
        write_lines(out / "samples" / "train" / f"{step}.jsonl", rows)
    held = [
        sample("greedy q:0:x86-64", 3, "not-faster", 1.25),
        sample("sampled q:0:x86-64", 3, "malformed", 0.0),
    ]
    write_lines(out / "samples" / "held" / "3.jsonl", held)
    return out


def test_what_is_gathered_of_a_training_run(training: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    (training / "verl").mkdir()
    held = {
        "prompt": [{"role": "user", "content": REGION}],
        "reward_model": {"ground_truth": "greedy q:0:x86-64"},
    }
    pq.write_table(pa.Table.from_pylist([held]), training / "verl" / "held.parquet")
    found = gather(training)
    assert found.settings == {"config": "cpu", "programs": "1 of them"}
    assert found.verdicts == {"wrong-output": 1, "not-faster": 1, "unchanged": 1}
    program, region = found.rewrites
    assert (program.program, program.origin, program.speedup) == ("p", "training, step 2", 3.5)
    assert (program.before.strip(), program.after) == (LOOP.strip(), POPCNT)
    assert "bit-counting instructions" in program.kinds
    assert (region.before, region.after) == ("L0:\n\taddl\t$1, %eax\n\tjne\tL0", "\tnop")
    assert found.speedups == {"held out, greedy, step 3": [1.25]}
    assert found.cost["hours of all steps"] == "1.50"
    assert found.cost["answers judged in training"] == "3"
    assert found.kinds["fewer instructions"] == 2


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """One program that the system ``m`` made twice as fast, by both protocols."""
    out = tmp_path / "evaluation"
    seen = {"speedup": 2.0, "ratio": 2.0, "low": 1.9, "high": 2.1, "faster": True}
    nothing = {**seen, "speedup": 1.0, "ratio": 1.0, "faster": False}
    both = {"paper": seen, "honest": seen}
    answer = {"round": 0, "passes": True, "compiles": True, "glance": 2.0, "verdict": "not-faster"}
    entries: dict[str, dict[str, Any]] = {
        "p baseline": {"control": {"paper": nothing, "honest": nothing}, "tests": 3},
        "p m/1": {
            "answers": [answer], "best": 0, "measured": {"0": both}, "failure": "", "chats": True,
            "seconds": 2.5,
        },
    }  # fmt: skip
    write_lines(out / "programs.jsonl", [{"key": k, **x} for k, x in entries.items()])
    results = results_of({"isa": "native"}, entries, ["m/1"], ["paper", "honest"], [])
    (out / "results.json").write_text(json.dumps(results))
    folder = out / "assembly" / "p"
    folder.mkdir(parents=True)
    (folder / "baseline.s").write_text(LOOP)
    (folder / "m_1-0.s").write_text(POPCNT)
    return out


def test_what_is_gathered_of_an_evaluation(evaluation: Path) -> None:
    found = gather(evaluation)
    (rewrite,) = found.rewrites
    assert (rewrite.program, rewrite.origin, rewrite.verdict) == ("p", "m/1", "faster (honest)")
    assert (rewrite.before, rewrite.after, rewrite.speedup) == (LOOP, POPCNT, 2.0)
    assert found.speedups == {"m/1, paper": [2.0], "m/1, honest": [2.0]}
    text = render_page(found)
    assert "A/A: gcc&#x27;s own against a copy" in text
    assert "<td>2.000 (2.000–2.000)</td>" in text


def test_nothing_and_damage_are_said(tmp_path: Path, training: Path) -> None:
    with pytest.raises(UsageError, match="neither a training run nor an evaluation"):
        gather(tmp_path)
    write_lines(training / "samples" / "train" / "4.jsonl", [{"gts": "train p"}])
    with pytest.raises(UsageError, match="is damaged: KeyError"):
        gather(training)


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("kind", ["training", "evaluation"])
def test_a_browser_shows_it(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """No error in the console, curves or bars that are drawn, and both assemblies side by side
    once they are opened; nothing is fetched."""
    folder: Path = request.getfixturevalue(kind)
    done = CliRunner().invoke(app, ["report", str(folder)])
    assert done.exit_code == 0, done.output
    page = folder / "report.html"
    assert done.stdout.strip() == str(page)
    text = page.read_text()
    assert not re.search(r"(?:src|href)=\"(?!data:,)", text)
    # As a reader would: open all, then look for one word.
    steps = (
        "document.getElementById('open').click();"
        "const box = document.getElementById('filter'); box.value = 'bit-counting';"
        "box.dispatchEvent(new Event('input')); console.error('marker');"
    )
    page.write_text(text.replace("</body>", f"<script>{steps}</script></body>"))
    argv = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    argv += ["--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}"]
    argv += ["--enable-logging=stderr", "--virtual-time-budget=2000", page.as_uri()]
    shown = run(argv, timeout=120)
    assert shown.ok, shown.error_line()
    messages = [x for x in shown.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in x]
    assert len(messages) == 1, messages
    assert "marker" in messages[0]
    dom = shown.stdout.decode()
    if kind == "training":
        assert len(re.findall(r'<polyline class="curve"[^>]*points="[\d., ]+"', dom)) >= 6
    assert re.search(r'<rect class="bar"[^>]*height="[\d.]+"', dom)
    entries = re.findall(r"<details ([^>]*)>", dom)
    assert entries
    assert all("open" in x.split("data-words")[0] or 'open=""' in x for x in entries)
    visible = [x for x in entries if "hidden" not in x]
    assert len(visible) == 1
    assert "bit-counting" in visible[0]
    assert '<table class="sides">' in dom
    assert re.search(r'<td class="gone">\s+shrl', dom)
    assert re.search(r'<td class="new">\s+popcntl', dom)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (LOOP, POPCNT, "bit-counting instructions"),
        ("\tmovl\t(%rdi), %eax\n", "\tvmovdqu\t(%rdi), %ymm0\n", "vectors where there were none"),
        ("\tpaddd\t%xmm0, %xmm1\n", "\tvpaddd\t%zmm0, %zmm1, %zmm1\n", "wider vectors"),
        ("\tidivl\t%ecx\n", "\timull\t%ecx\n\tshrl\t$3, %eax\n", "no division"),
        ("\timull\t%ecx, %eax\n", "\tleal\t(%eax,%eax,4), %eax\n", "less multiplication"),
        ("\tjle\t.L2\n\tmovl\t%eax, %edx\n", "\tcmovgl\t%eax, %edx\n", "choice instead of a jump"),
        ("\taddl\t$1, %eax\n\tjne\t.L1\n", "\taddl\t$1, %eax\n" * 4 + "\tjne\t.L1\n", "unrolled"),
        ("\tcall\tf\n", "\tnop\n\tnop\n", "fewer calls"),
        ("\tmovl\t8(%rsp), %eax\n", "\tmovl\t%ecx, %eax\n", "less memory traffic"),
        ("\tnop\n\tnop\n\tret\n", "\tnop\n\tret\n", "fewer instructions"),
        ("\tnop\n\tret\n", "\tret\n\tnop\n", "another order"),
        ("\tnop\n", "\tret\n", "other"),
    ],
)
def test_kinds_of_rewrite(before: str, after: str, kind: str) -> None:
    assert kind in rewrite_kinds(before, after)
    assert kind in {*KINDS, "another order", "other"}
    assert rewrite_kinds(before, before) == ("another order",)


def test_long_runs_of_equal_lines_are_folded() -> None:
    same = "".join(f"\taddl\t${n}, %eax\n" for n in range(40))
    text = side_by_side(same + "\tnop <&\n", same.replace("\t", "  ") + "\tret\n")
    assert "32 lines alike" in text
    assert '<td class="gone">\tnop &lt;&amp;</td><td class="new">\tret</td>' in text
    assert side_by_side("a\n", "a\nb\n").count('<td class="new">b</td>') == 1


def test_charts_of_little() -> None:
    assert line_chart("x", {}) == histogram("x", []) == ""
    assert line_chart("x", {"a": [(1, float("nan"))]}) == ""
    assert "<polyline" in line_chart("x", {"a <b>": [(1, 2.0)]})
    assert "a &lt;b&gt;" in line_chart("x", {"a <b>": [(1, 2.0)]})
    assert histogram("x", [1.0, 1.0, 8.0]).count("<rect") == 13
