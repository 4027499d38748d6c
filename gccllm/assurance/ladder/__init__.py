"""The ladder: what is examined of a combination of rewrites, in which order, and what it earns."""

from gccllm.assurance.ladder.climb import Ladder, Rungs
from gccllm.assurance.ladder.shares import Shares
from gccllm.assurance.ladder.words import Climbed, Combination, Giver, Known

__all__ = ["Climbed", "Combination", "Giver", "Known", "Ladder", "Rungs", "Shares"]
