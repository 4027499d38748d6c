"""Program fuzzing: whole runs of baseline and candidate on mutated recordings."""

from gccllm.assurance.fuzz.examine import MOST_INPUTS, fuzz
from gccllm.assurance.fuzz.inputs import Mutant, seedlings
from gccllm.assurance.fuzz.stream import mutants

__all__ = ["MOST_INPUTS", "Mutant", "fuzz", "mutants", "seedlings"]
