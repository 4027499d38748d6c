"""Settings, what becomes of them in verl, and the one version of verl that there is."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import UsageError
from trainer.model import SIZES
from trainer.on_verl.pin import VERSION, check_version, cpu_environment
from trainer.ppo.config import CONFIGS, PROFILES, Paths, Settings, load_settings, verl_overrides


@pytest.mark.parametrize("profile", PROFILES)
def test_the_profiles(profile: str) -> None:
    settings = load_settings(CONFIGS / "ppo" / f"{profile}.json", {})
    assert settings.profile == profile
    assert profile not in SIZES


def test_options_come_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"batch": 8, "seed": 3, "reward": {"kind": "cgs", "high": 9.0}}))
    settings = load_settings(path, {"batch": 16, "high": 2.0, "kl": None})
    assert (settings.batch, settings.seed, settings.kl) == (16, 3, 0.0)
    assert (settings.reward.kind, settings.reward.high) == ("cgs", 2.0)


@pytest.mark.parametrize("text", ["{", "[]", '{"wrong": 1}', '{"batch": 0}', '{"temperature": 0}'])
def test_files_that_hold_no_settings(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        load_settings(path, {})


def test_a_micro_batch_has_to_divide() -> None:
    with pytest.raises(UsageError, match="micro"):
        Settings(batch=10, micro=4)


def test_answers_are_held_against_others_only_where_there_are_some() -> None:
    assert Settings(estimator="rloo", samples=4).samples == 4
    with pytest.raises(UsageError, match="ask for 2"):
        Settings(estimator="rloo")
    with pytest.raises(UsageError, match="no estimator mean; there are gae, rloo, grpo"):
        Settings(estimator="mean", samples=4)


@pytest.mark.parametrize(("estimator", "steps"), [("gae", 5), ("rloo", 0), ("grpo", 0)])
def test_only_a_critic_is_trained_alone(estimator: str, steps: int, tmp_path: Path) -> None:
    """verl neither trains the model nor saves it in those steps."""
    settings = Settings(estimator=estimator, samples=4, critic_warmup=5)
    overrides = verl_overrides(settings, Paths(tmp_path), fresh=True)
    assert overrides["trainer.critic_warmup"] == steps


def test_what_decides_on_the_weights() -> None:
    one = Settings()
    assert Settings(steps=5, hours=1.0, every=3).identity() == one.identity()
    assert Settings(actor_lr=1e-3).identity() != one.identity()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kl", [0.0, 0.01])
def test_verl_knows_every_key(profile: str, kl: float, tmp_path: Path) -> None:
    pytest.importorskip("verl")
    pytest.importorskip("hydra")
    from omegaconf import OmegaConf

    from trainer.on_verl.run import compose_config

    settings = Settings(profile=profile, kl=kl, batch=16, micro=4, seed=5)
    config = compose_config(verl_overrides(settings, Paths(tmp_path), fresh=True))
    found: Any = OmegaConf.to_container(config, resolve=True)
    actor = found["actor_rollout_ref"]
    assert actor["rollout"]["name"] == ("cpu_hf" if profile == "cpu" else "vllm")
    assert found["algorithm"]["use_kl_in_reward"] == (kl > 0)
    assert (found["algorithm"]["gamma"], found["algorithm"]["lam"]) == (1.0, 1.0)
    assert found["critic"]["ppo_mini_batch_size"] == actor["actor"]["ppo_mini_batch_size"] == 16
    assert found["critic"]["ppo_micro_batch_size_per_gpu"] == 4


def test_a_key_that_verl_lacks_is_noticed(tmp_path: Path) -> None:
    pytest.importorskip("verl")
    errors = pytest.importorskip("omegaconf.errors")
    from trainer.on_verl.run import compose_config

    with pytest.raises(errors.ConfigAttributeError):
        compose_config({"trainer.no_such_thing": 1})
    assert compose_config({"+trainer.no_such_thing": 1}).trainer.no_such_thing == 1


def test_another_verl_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.10.0")
    with pytest.raises(UsageError, match=rf"verl 0\.10\.0 is installed.*verl=={VERSION}"):
        check_version()


def test_no_verl_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(UsageError, match=r"verl is missing.*gccllm\[train\]"):
        check_version()


def test_the_pin_is_the_one_in_the_extra() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'"verl=={VERSION}"' in text
    assert cpu_environment()["VERL_USE_EXTERNAL_MODULES"] == "trainer.on_verl.cpu"
