"""Configurations for whole programs: they compose, verl takes them, and paper-7b is the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import UsageError
from gccllm.types import Speedup, Verdict, VerdictKind
from tests.trainer.tiny_chat import make_tiny_chat
from trainer.ppo.config import Paths, Settings, verl_overrides
from trainer.programs.commands import Configuration, Prompt, Supervised
from trainer.programs.rewards import ProgramShaping
from trainer.programs.settings import (
    CONFIGURATIONS,
    PROMPTS,
    ProgramSettings,
    composed,
    resolved,
)
from trainer.programs.sft import SFT_CONFIGURATIONS

pytest.importorskip("verl")
pytest.importorskip("hydra")

QWEN = "Qwen/Qwen2.5-Coder-7B-Instruct"
TABLE_A1: dict[str, Any] = {
    # Base model
    "actor_rollout_ref.model.path": QWEN,
    "critic.model.path": QWEN,
    # Actor's and critic's learning rate
    "actor_rollout_ref.actor.optim.lr": 1e-6,
    "critic.optim.lr": 1e-5,
    # Batch size, epoch
    "data.train_batch_size": 16,
    "trainer.total_epochs": 1,
    # Max prompt and response length
    "data.max_prompt_length": 2000,
    "data.max_response_length": 2000,
    # Gradient checkpointing: enabled (both actor and critic)
    "actor_rollout_ref.model.enable_gradient_checkpointing": True,
    "critic.model.enable_gradient_checkpointing": True,
    # Rollout temperature
    "actor_rollout_ref.rollout.temperature": 0.5,
    # Hardware: 4 A100 GPUs, a single node (section 4)
    "trainer.n_gpus_per_node": 4,
    "trainer.nnodes": 1,
    "trainer.device": "cuda",
}
"""appendix A.1, row by row"""
SCRIPT: dict[str, Any] = {
    "algorithm.adv_estimator": "gae",
    "data.filter_overlong_prompts": True,
    "data.truncation": "error",
    "actor_rollout_ref.model.use_remove_padding": True,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 16,
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 1,
    "actor_rollout_ref.actor.fsdp_config.param_offload": False,
    "actor_rollout_ref.actor.fsdp_config.optimizer_offload": False,
    "actor_rollout_ref.actor.use_kl_loss": False,
    "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 1,
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.gpu_memory_utilization": 0.6,
    "critic.model.use_remove_padding": True,
    "critic.ppo_micro_batch_size_per_gpu": 2,
    "critic.fsdp.param_offload": False,
    "critic.fsdp.optimizer_offload": False,
    "algorithm.use_kl_in_reward": False,
    "trainer.critic_warmup": 0,
    "trainer.save_freq": 100,
    "trainer.test_freq": 100,
}
"""what the authors' script sets beside that, in verl 0.9.1's words"""
DEFAULTS: dict[str, Any] = {
    "algorithm.gamma": 1.0,
    "algorithm.lam": 1.0,
    "actor_rollout_ref.rollout.n": 1,
    "actor_rollout_ref.actor.clip_ratio": 0.2,
    "actor_rollout_ref.actor.clip_ratio_low": 0.2,
    "actor_rollout_ref.actor.clip_ratio_high": 0.2,
    "actor_rollout_ref.actor.entropy_coeff": 0.0,
    "actor_rollout_ref.actor.ppo_epochs": 1,
    "actor_rollout_ref.rollout.val_kwargs.temperature": 0.0,
}
"""what the authors' verl did where their script is silent, and ours must do too"""


def value(found: dict[str, Any], key: str) -> Any:
    inner: Any = found
    for word in key.split("."):
        inner = inner[word]
    return inner


@pytest.mark.parametrize("table", [TABLE_A1, SCRIPT, DEFAULTS], ids=["A.1", "script", "defaults"])
def test_every_value_of_the_paper(table: dict[str, Any]) -> None:
    found, settings = composed("paper-7b")
    assert {key: value(found, key) for key in table} == table
    assert settings.prompt == "with-o3"
    reward = settings.reward
    # The paper's best reward, neither banded nor (within reason) bounded.
    assert (reward.kind, reward.band, reward.doublings, reward.even) == (
        "so-published",
        0.0,
        False,
        1.0,
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("given", [(), ("algorithm.adv_estimator=grpo",)], ids=["gae", "grpo"])
def test_verl_takes_every_configuration(name: str, given: Sequence[str], tmp_path: Path) -> None:
    from omegaconf import OmegaConf
    from verl.utils.config import validate_config

    model = make_tiny_chat(tmp_path / "model")
    paths = [f"{x}.model.path={model}" for x in ("actor_rollout_ref", "critic")]
    found, settings = composed(name, [*paths, *given])
    use_critic = found["algorithm"]["adv_estimator"] == "gae"
    validate_config(OmegaConf.create(found), use_reference_policy=False, use_critic=use_critic)
    assert settings.profile == ("cpu" if name == "cpu" else "gpu")
    assert found["reward"]["reward_manager"]["name"] == "ProgramRewards"


def test_the_cpu_profile_is_that_of_regions(tmp_path: Path) -> None:
    """What makes verl run on a CPU is said twice, in Python and in YAML: here they are compared."""
    found, _ = composed("cpu")
    cpu = verl_overrides(Settings(profile="cpu"), Paths(tmp_path), fresh=True)
    same = (
        *("use_torch_compile", "strategy", "dtype", "mixed_precision", "ray_kwargs", "device"),
        *("use_remove_padding", "gradient_checkpointing", "attn_implementation", "rollout.name"),
    )
    compared = {k.lstrip("+"): v for k, v in cpu.items() if any(x in k for x in same)}
    assert len(compared) > 15
    for key, expected in compared.items():
        if key != "ray_kwargs.ray_init.num_cpus":
            assert value(found, key) == expected, key


def test_options_on_top() -> None:
    found, settings = composed(
        "single-gpu",
        ["gccllm.reward.kind=cgs", "gccllm.reward.alpha=5", "data.seed=7", "trainer.nnodes=2"],
    )
    assert (settings.reward.kind, settings.reward.alpha) == ("cgs", 5)
    assert (found["data"]["seed"], found["trainer"]["nnodes"]) == (7, 2)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("none", (), "no configuration 'none'"),
        ("cpu", ("no.such=1",), "no.such"),
        ("cpu", ("gccllm.prompt=both",), "gccllm.prompt is one of with-o3, c-only"),
        ("cpu", ("gccllm.reward.kind=best",), "no reward best"),
        ("cpu", ("gccllm.reward.alpha=-1",), "alpha"),
        ("cpu", ("gccllm.lanes=0",), "gccllm.lanes is 1 at least"),
        ("cpu", ("+gccllm.more=1",), "the section gccllm"),
    ],
)
def test_what_makes_no_sense(name: str, given: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        composed(name, given)


def test_the_command_knows_them_all() -> None:
    assert tuple(x.value for x in Configuration) == CONFIGURATIONS
    assert tuple(x.value for x in Supervised) == SFT_CONFIGURATIONS
    assert tuple(x.value for x in Prompt) == PROMPTS


RIGHT = Verdict(VerdictKind.NOT_FASTER, speedup=Speedup(2.0, 1.9, 2.1, 5), tests_run=8)
WRONG = Verdict(VerdictKind.WRONG_OUTPUT, tests_run=3)
BROKEN = Verdict(VerdictKind.NOT_ASSEMBLED)


@pytest.mark.parametrize(
    ("kind", "alpha", "expected"),
    [
        ("so", 10.0, (2.0, 0.0, 0.0)),
        ("cgs", 10.0, (21.0, 0.25, -1.0)),
        ("cgs", 5.0, (11.0, 0.25, -1.0)),
    ],
)
def test_rewards_of_the_paper(
    kind: str, alpha: float, expected: tuple[float, float, float]
) -> None:
    shaping = ProgramShaping(kind, alpha=alpha)
    assert tuple(shaping.reward(x, 8) for x in (RIGHT, WRONG, BROKEN)) == expected
    assert ProgramSettings.of({"reward": {"kind": kind, "alpha": alpha}}).reward == shaping


@pytest.mark.parametrize("name", SFT_CONFIGURATIONS)
def test_supervised_configurations_compose(name: str) -> None:
    """What the authors' script has, unless a machine says otherwise."""
    config = resolved(name, ("data.max_length=100",))
    assert config["data"]["max_length"] == 100
    assert resolved(name)["data"]["max_length"] == 4000
    assert config["trainer"]["total_epochs"] == 5
    assert config["gccllm"]["prompt"] in PROMPTS
    if name == "sft-7b":
        assert config["data"]["train_batch_size"] == 8
        assert config["model"]["path"] == QWEN
    with pytest.raises(UsageError, match="no_such"):
        resolved(name, ("no_such=1",))
