"""From CTranslate2 back to a model that can be trained on: the same weights, one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.errors import UsageError
from trainer.export import export
from trainer.importing import import_model
from trainer.model import load_model


@pytest.fixture
def trained(trained_run: Path) -> Path:
    return trained_run / "model"


def test_unquantised_weights_come_back_to_the_bit(trained: Path, tmp_path: Path) -> None:
    import torch

    export(trained, tmp_path / "exported", "float32")
    import_model(tmp_path / "exported", tmp_path / "back", "nano")
    before, after = (load_model(x).state_dict() for x in (trained, tmp_path / "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[x], after[x]) for x in before)


def test_int8_weights_are_near_and_export_to_the_same_file(trained: Path, tmp_path: Path) -> None:
    import torch

    export(trained, tmp_path / "exported")
    import_model(tmp_path / "exported", tmp_path / "back", "nano")
    before, after = (load_model(x).state_dict() for x in (trained, tmp_path / "back"))
    for name, weight in before.items():
        step = weight.abs().max(-1, keepdim=weight.dim() == 2).values / 127
        assert torch.all((weight - after[name]).abs() <= 0.51 * step), name
    export(tmp_path / "back", tmp_path / "again")
    again = (tmp_path / "again" / "model.bin").read_bytes()
    assert again == (tmp_path / "exported" / "model.bin").read_bytes()
    names = {x.name for x in (tmp_path / "exported").iterdir()}
    assert {x.name for x in (tmp_path / "again").iterdir()} == names


def test_the_weights_that_ship_come_back(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shipped = Path(__file__).parents[2] / "gccllm" / "models" / "mini"
    import_model(shipped, tmp_path / "start")
    assert sum(x.numel() for x in load_model(tmp_path / "start").parameters()) > 5_000_000


def test_errors_are_one_line(trained: Path, tmp_path: Path) -> None:
    export(trained, tmp_path / "exported")
    with pytest.raises(UsageError, match="no export of a model of size mini"):
        import_model(tmp_path / "exported", tmp_path / "back", "mini")
    whole = (tmp_path / "exported" / "model.bin").read_bytes()
    for damage in (whole[: len(whole) // 2], b"\7" + whole[1:], b""):
        (tmp_path / "exported" / "model.bin").write_bytes(damage)
        with pytest.raises(UsageError, match=r"model\.bin is no model of CTranslate2's"):
            import_model(tmp_path / "exported", tmp_path / "back", "nano")
    assert not (tmp_path / "back").exists()
