"""``gccllm-train tokenizer | sft | export``: from shards to an exported model, killed midway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gccllm import process
from trainer.cli import main
from trainer.metrics import read_metrics

Train = Callable[..., tuple[int, str, str]]
COMMAND = (sys.executable, "-c", "from trainer.cli import main; main()")
PATIENCE_SECONDS = 240
STEPS = 40
"""so many that the run is far from done when its first checkpoint is seen"""


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Train:
    """``gccllm-train ARGUMENTS``: status, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gccllm-train", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, *capfd.readouterr()

    return call


def arguments(data: Path, tokenizer: Path, out: Path, steps: int) -> list[str]:
    folders = ["--data", str(data), "--tokenizer", str(tokenizer), "--out", str(out)]
    shape = ["--size", "nano", "--rows", "2", "--length", "256", "--sample", "8"]
    return ["sft", *folders, *shape, "--steps", str(steps), "--every", "4", "--threads", "1"]


@pytest.fixture(scope="module")
def whole(data: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of ``arguments`` that nobody stops."""
    from trainer import sft

    out = tmp_path_factory.mktemp("whole")
    budget = sft.Budget(steps=STEPS)
    sft.train(
        sft.Settings(data, tokenizer_folder, out, budget, size="nano", rows=2, length=256, sample=8)
    )
    return out


def test_from_shards_to_an_exported_model(train: Train, data: Path, tmp_path: Path) -> None:
    tokenizer, run, exported = tmp_path / "tokenizer", tmp_path / "run", tmp_path / "exported"
    status, out, err = train("tokenizer", "--data", data, "--out", tokenizer, "--vocab", 800)
    assert (status, out, err) == (0, f"800 tokens in {tokenizer}\n", "")
    status, out, err = train(*arguments(data, tokenizer, run, 8))
    assert status == 0, err
    assert "8 steps" in out
    assert "valid: loss" in out
    given = ("--quantization", "float32", "--check", data, "--prompts", 4)
    status, out, err = train("export", "--model", run / "model", "--out", exported, *given)
    assert status == 0, err
    found = json.loads(out.splitlines()[-1])
    assert found["prompts"] == 4
    assert found["rate"] == 1.0


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_stopped_goes_on(
    train: Train,
    whole: Path,
    data: Path,
    tokenizer_folder: Path,
    tmp_path: Path,
    sent: signal.Signals,
) -> None:
    """kill -9 and SIGTERM in the middle; the same command then ends with the same bits."""
    stopped = tmp_path / "stopped"
    given = arguments(data, tokenizer_folder, stopped, STEPS)
    with subprocess.Popen(
        [*COMMAND, *given],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    ) as child:
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not (stopped / "checkpoint.pt").exists() and time.monotonic() < deadline:
                assert child.poll() is None
                time.sleep(0.005)
            child.send_signal(sent)
            status = child.wait(PATIENCE_SECONDS)
        finally:
            process.kill_tree(child)
    assert status == (-sent if sent == signal.SIGKILL else 128 + sent)
    assert not (stopped / "model").exists()
    assert train(*given)[0] == 0
    weights = [x / "model" / "model.safetensors" for x in (stopped, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    steps = [x["step"] for x in read_metrics(stopped / "metrics.jsonl") if x["kind"] == "train"]
    assert steps == list(range(1, STEPS + 1))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["tokenizer", "--data", "{none}", "--out", "x"], "no data folder"),
        (["tokenizer", "--data", "{data}", "--out", "{none}", "--vocab", "9"], "too small"),
        (["sft", "--data", "{none}", "--tokenizer", "{tok}", "--steps", "1"], "no data folder"),
        (["sft", "--data", "{data}", "--tokenizer", "{none}", "--steps", "1"], "no tokeniser in"),
        (["sft", "--data", "{data}", "--tokenizer", "{tok}"], "give a budget"),
        (["sft", "--data", "{data}", "--tokenizer", "{tok}", "--steps", "1", "--size", "xl"], "xl"),
        (["export", "--model", "{none}"], "no tokeniser in"),
        (["export", "--model", "{tok}"], "no model in"),
    ],
)
def test_errors_are_one_line(
    train: Train,
    data: Path,
    tokenizer_folder: Path,
    tmp_path: Path,
    given: list[str],
    told: str,
) -> None:
    named: dict[str, Any] = {"data": data, "tok": tokenizer_folder, "none": tmp_path / "none"}
    out = [] if "--out" in given else ["--out", str(tmp_path / "run")]
    status, _, err = train(*(x.format(**named) for x in given), *out)
    assert status == 2
    assert err.startswith("gccllm-train: error: ")
    assert told in err
    assert err.count("\n") == 1


def test_a_missing_package_is_one_line(
    train: Train, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    status, _, err = train("tokenizer", "--data", data, "--out", tmp_path / "x")
    assert status == 2
    assert err == "gccllm-train: error: tokenizers is missing; pip install 'gccllm[train]'\n"
