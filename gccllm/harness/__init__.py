"""Trying out: versions of a region run on many machine states, compared in all that they leave."""

from gccllm.harness.compare import Harness
from gccllm.harness.comparison import Comparison, ComparisonKind

__all__ = ["Comparison", "ComparisonKind", "Harness"]
