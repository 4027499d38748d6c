"""The screen: three gates that refuse a candidate before any of it runs.

    text gate        the raw text, before anything parses or assembles it
    object gate      the assembled unit beside the baseline's object
    executable gate  the linked program beside the baseline program

What no static gate can do, and who does it instead:

- keep an indirect jump or call from landing inside an instruction, or a return address from being
  overwritten: whatever then runs meets the sandbox's seccomp filter, which allows no new process,
  no socket, no file to write, no other instruction set mode;
- tell whether code ends, or how much memory and output it makes: rlimits, deadlines, output caps;
- notice answers that were stored in a table of constants, or a branch that no recorded input
  takes: held-out and mutated inputs, the assurance ladder;
- see a wrong result, a clobbered register or an unbalanced stack: the recordings and the ABI check;
- hide the time: the clock of the vDSO is reached without any instruction that is refused here, if
  the unit already imports a clock.

A gate that finds nothing therefore says "may be run in the sandbox", and nothing more.
"""

from __future__ import annotations

from gccllm.judge.executable_gate import check_executable, imports_of
from gccllm.judge.finding import RULES, Finding
from gccllm.judge.object_gate import check_object
from gccllm.judge.text_gate import check_text

__all__ = ["RULES", "Finding", "check_executable", "check_object", "check_text", "imports_of"]
