"""Coverage: which basic blocks of a function's versions the inputs reached."""

from gccllm.assurance.coverage.blocks import Block, Instrumented, instrument
from gccllm.assurance.coverage.measure import Coverage, Unmeasured, count_calls, cover

__all__ = ["Block", "Coverage", "Instrumented", "Unmeasured", "count_calls", "cover", "instrument"]
