"""Program fuzzing: whole runs of baseline and candidate on mutated recordings."""

from gccllm.assurance.fuzz.examine import MOST_INPUTS, fuzz
from gccllm.assurance.fuzz.stream import Mutant, mutants, seedlings

__all__ = ["MOST_INPUTS", "Mutant", "fuzz", "mutants", "seedlings"]
