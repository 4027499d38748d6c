"""Running programs that nobody vouches for."""

from gccllm.sandbox.choice import choose

__all__ = ["choose"]
