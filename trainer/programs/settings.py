"""The section ``gccllm`` of a configuration for whole programs: what is ours and not verl's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gccllm.errors import UsageError
from trainer.judging import Timing
from trainer.on_verl.run import compose_config
from trainer.ppo.config import PROFILES
from trainer.programs.rewards import ProgramShaping
from trainer.programs.tasks import EXAMINE_SECONDS

__all__ = ["CONFIGURATIONS", "PROMPTS", "ProgramSettings", "composed", "resolved"]

CONFIGURATIONS = ("paper-7b", "single-gpu", "cluster", "cpu")
PROMPTS = ("with-o3", "c-only")
ISAS = ("native", "target")


@dataclass(frozen=True)
class ProgramSettings:
    """See ``trainer/configs/programs.yaml``, which explains each of them."""

    profile: str = "gpu"
    prompt: str = "with-o3"
    isa: str = "native"
    timing: str = "quick"
    examine: float = EXAMINE_SECONDS
    where: str = "here"
    lanes: int = 1
    checkers: int = 0
    queue: int = 256
    isolated: bool = False
    deadline: float = 180.0
    reward: ProgramShaping = field(default_factory=ProgramShaping)

    def __post_init__(self) -> None:
        allowed = {
            "profile": PROFILES,
            "prompt": PROMPTS,
            "isa": ISAS,
            "timing": tuple(x.value for x in Timing),
            "where": ("here", "ray"),
        }
        for name, words in allowed.items():
            if getattr(self, name) not in words:
                raise UsageError(f"gccllm.{name} is one of {', '.join(words)}")
        if self.lanes < 1 or self.deadline <= 0:
            raise UsageError("gccllm.lanes is 1 at least and gccllm.deadline more than 0")
        if self.examine < 0:
            raise UsageError("gccllm.examine is 0 at least")
        if self.checkers < 0 or self.queue < 1:
            raise UsageError("gccllm.checkers is 0 at least and gccllm.queue 1")

    @staticmethod
    def of(section: Mapping[str, Any]) -> ProgramSettings:
        """From the section. Raises UsageError for what is none."""
        content = dict(section)
        try:
            reward = ProgramShaping(**content.pop("reward", {}))
            return ProgramSettings(**content, reward=reward)
        except TypeError as error:
            raise UsageError(f"the section gccllm: {error}") from error


def composed(name: str, given: Sequence[str] = ()) -> tuple[dict[str, Any], ProgramSettings]:
    """A configuration of ours for PPO over verl's, all values resolved, and its own section.

    ``given`` are Hydra's ``key=value``. Raises UsageError where they make no sense.
    """
    if name not in CONFIGURATIONS:
        raise UsageError(f"no configuration {name!r}; there are {', '.join(CONFIGURATIONS)}")
    found = resolved(name, given)
    return found, ProgramSettings.of(found["gccllm"])


def resolved(name: str, given: Sequence[str] = ()) -> dict[str, Any]:
    """``trainer/configs/NAME.yaml`` over verl's, all values resolved; as :func:`composed`."""
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = compose_config({}, name, given)
        found: dict[str, Any] = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(f"{name} with {' '.join(given)}: {error}") from error
    return found
