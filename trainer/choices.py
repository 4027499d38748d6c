"""Options that several commands take, for typer."""

from __future__ import annotations

from enum import Enum

__all__ = ["Estimator", "Precision", "RewardKind"]


class RewardKind(str, Enum):
    """The keys of ``trainer.reward.REWARDS``."""

    SO = "so"
    SO_PUBLISHED = "so-published"
    CGS = "cgs"
    CGS_PUBLISHED = "cgs-published"


class Precision(str, Enum):
    """Of a training run's computations."""

    BF16 = "bf16"
    FP32 = "fp32"


class Estimator(str, Enum):
    """What an answer's reward is held against: ``trainer.ppo.config.ESTIMATORS``."""

    GAE = "gae"
    RLOO = "rloo"
    GRPO = "grpo"
