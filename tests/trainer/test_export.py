"""From a trained nano to CTranslate2: the same answers, and one-line errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gccllm.errors import UsageError
from trainer.export import agreement, export, prompts_of
from trainer.model import create, save_model, size_of
from trainer.tokenizer import load


@pytest.fixture
def trained(trained_run: Path) -> Path:
    return trained_run / "model"


def test_unquantised_answers_are_the_same(trained: Path, data: Path, tmp_path: Path) -> None:
    export(trained, tmp_path / "exported", "float32")
    prompts = prompts_of(data, 16)
    assert len(set(prompts)) == 16
    found = agreement(trained, tmp_path / "exported", prompts, longest=48)
    assert (found.prompts, found.identical, found.first_tokens) == (16, 16, 16)
    assert found.rate == 1.0
    assert found.tokens > 16


def test_int8_answers_are_mostly_the_same(trained: Path, data: Path, tmp_path: Path) -> None:
    """Rounding weights to 8 bits turns some close calls; first tokens are keep or a mnemonic."""
    export(trained, tmp_path / "exported")
    found = agreement(trained, tmp_path / "exported", prompts_of(data, 16), longest=48)
    assert found.first_tokens >= 12
    assert found.identical >= 8
    whole = (trained / "model.safetensors").stat().st_size
    assert (tmp_path / "exported" / "model.bin").stat().st_size < whole / 2


def test_weights_that_were_trained_in_bf16_want_no_cpu_that_has_it(
    trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """CTranslate2 converts them at every load else, and says so."""
    import ctranslate2

    model = tmp_path / "model"
    shutil.copytree(trained, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    export(model, tmp_path / "exported")
    capfd.readouterr()
    generator = ctranslate2.Generator(str(tmp_path / "exported"), compute_type="default")
    assert generator.compute_type == "int8_float32"
    assert "warning" not in capfd.readouterr().err


def test_the_exported_folder_needs_no_transformers(trained: Path, tmp_path: Path) -> None:
    """What a proposer on the compile path has: ctranslate2 and tokenizers."""
    import ctranslate2
    from tokenizers import Tokenizer

    export(trained, tmp_path / "exported")
    tokenizer = Tokenizer.from_file(str(tmp_path / "exported" / "tokenizer.json"))
    generator = ctranslate2.Generator(str(tmp_path / "exported"))
    prompt = tokenizer.encode("<|region|>\n\taddl\t$1, %eax\n<|/region|>\n<|answer|>").tokens
    results = generator.generate_batch(
        [prompt], max_length=8, num_hypotheses=8, sampling_topk=50, include_prompt_in_result=False
    )
    answers = [tokenizer.decode(x, skip_special_tokens=False) for x in results[0].sequences_ids]
    assert len(answers) == 8
    assert any(answers)


def test_a_check_that_fails(
    data: Path, trained: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    """Another model's export is found out: the check is able to fail."""
    tokenizer = load(tokenizer_folder)
    save_model(create(size_of("nano"), tokenizer, seed=9), tokenizer, tmp_path / "model")
    export(tmp_path / "model", tmp_path / "exported")
    found = agreement(trained, tmp_path / "exported", prompts_of(data, 8), longest=16)
    assert found.identical == 0


def test_what_can_not_be_exported(trained: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tokeniser in"):
        export(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="no CTranslate2 model in"):
        agreement(trained, tmp_path, ["x"])
    with pytest.raises(UsageError, match="no prompts"):
        agreement(trained, tmp_path, [])
    assert not (tmp_path / "out").exists()
