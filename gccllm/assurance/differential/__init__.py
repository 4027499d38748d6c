"""Function-level differential testing: both versions of a function on real and mutated calls."""

from gccllm.assurance.differential.examine import Differential, differential

__all__ = ["Differential", "differential"]
