"""What the assembler says of answers: whether each operand suits its mnemonic, at an ISA level.

One run of ``as`` for many answers. Only text that :class:`gccllm.proposers.answer_grammar.Grammar`
passes may come here: the assembler's own language can read files and loop.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gccllm.asm.lines import rename
from gccllm.errors import ToolchainError
from gccllm.proposers.answer_grammar import Fault
from gccllm.toolchain import Toolchain

__all__ = ["LEVELS", "AnswerAssembler", "level_of"]

_V2 = "+popcnt+sse4.2"
_V3 = f"{_V2}+avx2+bmi+bmi2+f16c+fma+lzcnt+movbe+xsave"
_V4 = f"{_V3}+avx512f+avx512bw+avx512cd+avx512dq+avx512vl"
_OPTIONS = {"x86-64": "", "x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}
"""level → what as is to know beyond generic64 (x86-64 psABI, "Micro-Architecture Levels")"""

LEVELS: dict[str, frozenset[str]] = {
    "x86-64-v4": frozenset("AVX512F AVX512BW AVX512CD AVX512DQ AVX512VL".split()),
    "x86-64-v3": frozenset("AVX2 BMI BMI2 F16C FMA LZCNT MOVBE".split()),
    "x86-64-v2": frozenset("POPCNT SSE3 SSSE3 SSE4_1 SSE4_2".split()),
}
"""level → the features (as gcc's macros name them) that it has beyond the level before it"""

_AT_LINE = re.compile(rb"^[^:\n]*:(\d+): (?:Error|Fatal error): (.*)$", re.M)
_PRIVATE = re.compile(r"[LD]\d+")


def level_of(features: frozenset[str]) -> str:
    """The highest x86-64 level whose features are all there."""
    reached = "x86-64"
    for level in sorted(LEVELS):
        if not LEVELS[level] <= features:
            break
        reached = level
    return reached


class AnswerAssembler:
    """Assembles answers; the objects are thrown away."""

    def __init__(self, tools: Toolchain) -> None:
        self._tools = tools

    def faults(self, texts: Sequence[str], level: str) -> list[Fault | None]:
        """For each of ``texts`` the first line that ``as`` rejects at ``level`` (any instruction
        set where the level is none of ours). Raises ToolchainError when as fails in itself."""
        lines = ["\t.text"]
        owners = [(-1, 0)]
        for number, text in enumerate(texts):

            def own(name: str, number: int = number) -> str:
                return f".La{number}{name}" if _PRIVATE.fullmatch(name) else name

            for at, line in enumerate(text.splitlines()):
                lines.append(rename(line, own))
                owners.append((number, at))
        options = [] if level not in _OPTIONS else [f"-march=generic64{_OPTIONS[level]}"]
        with tempfile.TemporaryDirectory(prefix="gccllm-answers-") as folder:
            done = self._tools.assemble(
                "\n".join(lines) + "\n", Path(folder) / "answers.o", options
            )
        found: list[Fault | None] = [None] * len(texts)
        if done.ok:
            return found
        for error in _AT_LINE.finditer(done.stderr):
            owner, at = owners[min(int(error[1]), len(owners)) - 1]
            if owner < 0:
                continue
            earlier = found[owner]
            if earlier is None or at < earlier.line:
                found[owner] = Fault(at, "", error[2].decode("utf-8", "replace"))
        if not any(found):
            raise ToolchainError(f"as does not take answers: {done.error_line()}")
        return found
