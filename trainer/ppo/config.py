"""verl's configuration for a run, and the run's own, which can be written down and read again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from trainer.choices import Estimator
from trainer.ppo.reward import Shaping

__all__ = ["PROFILES", "Paths", "Settings", "load_settings", "verl_overrides"]

CONFIGS = Path(__file__).parents[1] / "configs"
PROFILES = ("cpu", "gpu")
PRECISIONS = ("fp32", "bf16")
ESTIMATORS = tuple(x.value for x in Estimator)
ENDLESS_EPOCHS = 1_000_000
"""steps end a run, not epochs"""


@dataclass(frozen=True)
class Settings:
    """Everything that decides on a run but the folders it works in. Defaults are the paper's
    (section 3.3 and its code) where it has one, and what two cores can do elsewhere.

    ``batch`` prompts a step, ``samples`` answers to each, in one update a step. ``prompt_length``
    and ``answer_length`` are tokens; longer prompts are left out, longer answers end there and are
    malformed. ``kl`` weighs the distance to the model that it began with, in the reward (0: none).
    ``critic_warmup`` steps train the critic alone. ``every`` is the number of steps between looks
    at the held-out programs and between checkpoints. ``held_samples`` answers are sampled for each
    held-out task beside the greedy one. ``precision`` is that of the updates on a CPU, "fp32" or
    "bf16" (weights and sampling stay fp32). ``survey`` answers are sampled for each task before the
    run, which then leaves out most tasks whose answers all earn the same (0: none is left out).
    ``estimator`` is what an answer's reward is held against: "gae" a critic that learns beside the
    model, "rloo" the mean of the other answers to the same prompt (Ahmadian et al. 2024), "grpo"
    the mean of all of them, divided by their deviation; the last two need several ``samples``.
    ``timing`` and ``states`` are how right answers are looked at, see
    :class:`trainer.ppo.worker.How`. ``micro`` sequences are computed at once, ``lanes`` processes
    judge.
    """

    profile: str = "cpu"
    steps: int = 100
    hours: float | None = None
    batch: int = 32
    samples: int = 1
    temperature: float = 0.5
    prompt_length: int = 512
    answer_length: int = 256
    actor_lr: float = 1e-6
    critic_lr: float = 1e-5
    entropy: float = 0.0
    clip: float = 0.2
    kl: float = 0.0
    epochs: int = 1
    critic_warmup: int = 0
    every: int = 10
    held: int = 32
    held_samples: int = 1
    micro: int = 8
    lanes: int = 1
    seed: int = 0
    estimator: str = "gae"
    precision: str = "fp32"
    survey: int = 0
    timing: str = "quick"
    states: int = 2000
    reward: Shaping = field(default_factory=Shaping)

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UsageError(f"no profile {self.profile}; there are {', '.join(PROFILES)}")
        if self.precision not in PRECISIONS:
            raise UsageError(f"no precision {self.precision}; there are {', '.join(PRECISIONS)}")
        if self.estimator not in ESTIMATORS:
            raise UsageError(f"no estimator {self.estimator}; there are {', '.join(ESTIMATORS)}")
        if self.estimator != "gae" and self.samples < 2:
            raise UsageError(f"{self.estimator} compares answers to one prompt: ask for 2 at least")
        least = {
            "steps": 1,
            "batch": 1,
            "samples": 1,
            "epochs": 1,
            "every": 1,
            "held": 1,
            "micro": 1,
            "lanes": 1,
            "prompt_length": 16,
            "answer_length": 2,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UsageError(f"{name} has to be {value} at least")
        if self.temperature <= 0:
            raise UsageError("PPO learns from answers that differ: the temperature is more than 0")
        if (self.batch * self.samples) % self.micro:
            raise UsageError("micro has to divide batch times samples")

    def identity(self) -> str:
        """All that decides on the weights, as JSON; a run goes on only with the same."""
        harmless = ("steps", "hours", "every", "held", "held_samples", "micro", "lanes")
        return json.dumps({k: v for k, v in asdict(self).items() if k not in harmless})


@dataclass(frozen=True)
class Paths:
    """Where a run works: everything is below ``out``."""

    out: Path

    @property
    def start(self) -> Path:
        """the model that it begins with, with the chat template"""
        return self.out / "verl" / "start"

    @property
    def critic(self) -> Path:
        return self.out / "verl" / "critic"

    @property
    def checkpoints(self) -> Path:
        return self.out / "checkpoints"

    @property
    def train_rows(self) -> Path:
        return self.out / "verl" / "train.parquet"

    @property
    def held_rows(self) -> Path:
        return self.out / "verl" / "held.parquet"

    @property
    def agents(self) -> Path:
        return self.out / "verl" / "agents.yaml"

    @property
    def train_samples(self) -> Path:
        return self.out / "samples" / "train"

    @property
    def held_samples(self) -> Path:
        return self.out / "samples" / "held"

    @property
    def verl_metrics(self) -> Path:
        return self.out / "verl" / "metrics.jsonl"

    @property
    def log(self) -> Path:
        return self.out / "verl" / "log.txt"


def load_settings(path: Path | None, given: Mapping[str, Any]) -> Settings:
    """The settings of a JSON file (those of ``trainer/configs/ppo.json`` without one), with what
    is ``given`` (and not None) in the place of the file's. Raises UsageError."""
    path = path or CONFIGS / "ppo" / "cpu.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("about", None)
        shaping = dict(content.pop("reward", {}))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{path} holds no settings for PPO: {error}") from error
    for name, value in given.items():
        if value is None:
            continue
        if name in {x.name for x in fields(Shaping)} and name != "reward":
            shaping[name] = value
        else:
            content[name] = value
    try:
        return Settings(**content, reward=Shaping(**shaping))
    except TypeError as error:
        raise UsageError(f"{path}: {error}") from error


def verl_overrides(settings: Settings, paths: Paths, fresh: bool) -> dict[str, Any]:
    """verl's dotted keys → values. ``fresh``: no checkpoint is there to go on from."""
    actor, critic, rollout = "actor_rollout_ref.actor", "critic", "actor_rollout_ref.rollout"
    out: dict[str, Any] = {
        "data.train_files": str(paths.train_rows),
        "data.val_files": str(paths.held_rows),
        "data.train_batch_size": settings.batch,
        "data.max_prompt_length": settings.prompt_length,
        "data.max_response_length": settings.answer_length,
        # Prompts that are too long are left out before, with the tokeniser's own count.
        "data.filter_overlong_prompts": False,
        "data.dataloader_num_workers": 0,
        "data.shuffle": True,
        "data.seed": settings.seed,
        "data.validation_shuffle": False,
        "actor_rollout_ref.model.path": str(paths.start),
        "critic.model.path": str(paths.critic),
        f"{actor}.optim.lr": settings.actor_lr,
        f"{critic}.optim.lr": settings.critic_lr,
        f"{actor}.ppo_mini_batch_size": settings.batch,
        f"{actor}.ppo_micro_batch_size_per_gpu": settings.micro,
        f"{critic}.ppo_micro_batch_size_per_gpu": settings.micro,
        f"{actor}.ppo_epochs": settings.epochs,
        f"{actor}.clip_ratio": settings.clip,
        f"{actor}.clip_ratio_low": settings.clip,
        f"{actor}.clip_ratio_high": settings.clip,
        f"{actor}.entropy_coeff": settings.entropy,
        f"{actor}.data_loader_seed": settings.seed,
        f"{critic}.data_loader_seed": settings.seed,
        f"{actor}.use_kl_loss": False,
        "algorithm.use_kl_in_reward": settings.kl > 0,
        "algorithm.kl_ctrl.kl_coef": settings.kl,
        "algorithm.adv_estimator": settings.estimator,
        "algorithm.gamma": 1.0,
        "algorithm.lam": 1.0,
        f"{rollout}.n": settings.samples,
        f"{rollout}.temperature": settings.temperature,
        f"{rollout}.seed": settings.seed,
        f"{rollout}.val_kwargs.temperature": settings.temperature,
        f"{rollout}.val_kwargs.do_sample": True,
        f"{rollout}.log_prob_micro_batch_size_per_gpu": settings.micro,
        f"{rollout}.agent.num_workers": 1,
        f"{rollout}.agent.agent_loop_config_path": str(paths.agents),
        f"{rollout}.agent.default_agent_loop": "region",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": settings.micro,
        "reward.num_workers": 1,
        "reward.reward_manager.source": "importlib",
        "reward.reward_manager.name": "RegionRewards",
        "reward.reward_manager.module.path": "pkg://trainer.on_verl.parts",
        "trainer.use_v1": False,
        "trainer.logger": ["console", "file"],
        "trainer.project_name": "gccllm",
        "trainer.experiment_name": "ppo",
        "trainer.nnodes": 1,
        "trainer.total_epochs": ENDLESS_EPOCHS,
        "trainer.total_training_steps": settings.steps,
        "trainer.test_freq": settings.every,
        "trainer.save_freq": settings.every,
        "trainer.val_before_train": fresh,
        # Without a critic nothing would be trained, or saved, meanwhile.
        "trainer.critic_warmup": settings.critic_warmup if settings.estimator == "gae" else 0,
        "trainer.resume_mode": "auto",
        "trainer.default_local_dir": str(paths.checkpoints),
        "trainer.max_actor_ckpt_to_keep": 1,
        "trainer.max_critic_ckpt_to_keep": 1,
        "trainer.rollout_data_dir": str(paths.train_samples),
        "trainer.validation_data_dir": str(paths.held_samples),
        f"{actor}.checkpoint.save_contents": ["model", "optimizer", "extra", "hf_model"],
        f"{actor}.checkpoint.load_contents": ["model", "optimizer", "extra"],
    }
    if settings.profile == "gpu":
        return {**out, **_GPU}
    for engine in ("actor_rollout_ref.actor.fsdp_config", "actor_rollout_ref.ref.fsdp_config"):
        out |= _engine(engine, settings.precision)
    return {**out, **_engine("critic.fsdp", settings.precision), **_CPU}


def _engine(prefix: str, precision: str) -> dict[str, Any]:
    """Weights in fp32, arithmetic in ``precision``, sums of gradients in fp32."""
    return {
        f"{prefix}.model_dtype": "fp32",
        f"{prefix}.dtype": "float32" if precision == "fp32" else "bfloat16",
        f"{prefix}.use_torch_compile": False,
        f"+{prefix}.mixed_precision": {
            "param_dtype": precision,
            "reduce_dtype": "fp32",
            "buffer_dtype": "fp32",
        },
    }


_CPU: dict[str, Any] = {
    "trainer.device": "cpu",
    "trainer.n_gpus_per_node": 1,
    "actor_rollout_ref.rollout.name": "cpu_hf",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.actor.strategy": "fsdp2",
    "actor_rollout_ref.actor.use_torch_compile": False,
    "critic.strategy": "fsdp2",
    "actor_rollout_ref.model.use_remove_padding": False,
    "critic.model.use_remove_padding": False,
    "actor_rollout_ref.model.enable_gradient_checkpointing": False,
    "critic.model.enable_gradient_checkpointing": False,
    "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
    "+critic.model.override_config.attn_implementation": "sdpa",
    "ray_kwargs.ray_init.num_cpus": max(8, os.cpu_count() or 1),
    "+ray_kwargs.ray_init.num_gpus": 1,
    "+ray_kwargs.ray_init.include_dashboard": False,
}
"""no kernels that want a GPU; Ray is told of one GPU, which is the CPU"""

_GPU: dict[str, Any] = {
    "trainer.device": "cuda",
    "trainer.n_gpus_per_node": 4,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.gpu_memory_utilization": 0.6,
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.model.enable_gradient_checkpointing": True,
    "critic.model.enable_gradient_checkpointing": True,
}
"""stock: vLLM samples, FSDP trains, as in the paper's code"""
