"""Code that nothing can enter: ranges of registers contradict the conditions of every way in."""

from gccllm.assurance.unreachable.mentions import mentions
from gccllm.assurance.unreachable.walk import Unreachable

__all__ = ["Unreachable", "mentions"]
