"""The first rung: does a rewrite keep to the ABI wherever gcc's own code does?"""

from gccllm.assurance.abi.check import AbiReport, Checker, check
from gccllm.assurance.abi.kinds import Finding, Kind

__all__ = ["AbiReport", "Checker", "Finding", "Kind", "check"]
