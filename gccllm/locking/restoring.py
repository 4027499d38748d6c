"""From the blocks of a lock file back to a unit's assembly; whoever wrote the file is not trusted.

A block passes what any candidate passes short of being run: text gate, splice with its rules, ABI
check, object gate. No model, no clock, no sandbox and no store has a part in it, so the same
compiler and the same file make the same bytes anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.carry import Frame
from gccllm.errors import LockError
from gccllm.judge.judge import Judge
from gccllm.judge.screen import check_object
from gccllm.lockfile import Locked
from gccllm.program import BuildStep, Program
from gccllm.recordings import Recording
from gccllm.sandbox.fake import FakeSandbox
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, Isa, Verdict

__all__ = ["Restorer", "features_needed", "one_unit"]


def one_unit(toolchain: Toolchain, frame: Frame, scratch: Path) -> Program:
    """A program of one unit and no link: enough to assemble and to splice."""
    program = Program(toolchain, (), scratch, scratch)
    program.units[frame.unit] = frame
    return program


@dataclass(frozen=True)
class Restorer:
    """Puts locked rewrites into the units of a program; nothing is ever run."""

    program: Program
    scratch: Path

    def restore(self, unit: str, blocks: Sequence[Locked]) -> str:
        """The unit with the blocks in place, one after the other. Raises LockError where one is
        refused: then none is put in, for they were judged together."""
        texts: dict[str, str] = {}
        judge = Judge(
            self.program, Recording(self.scratch, ()), FakeSandbox({}), {}, scratch=self.scratch
        )
        for block in blocks:
            label = block.proposer
            donor = judge.screen(
                Candidate("lock", unit, block.functions, block.assembly, label=label)
            )
            if isinstance(donor, Verdict):
                raise LockError(_refused(block, donor))
            tagged = replace(donor, tag=block.tag)
            done = judge.splice(texts, tagged, block.functions)
            if isinstance(done, Verdict):
                raise LockError(_refused(block, done))
            texts = done
        return texts[unit]

    def check(self, unit: str, text: str, blocks: Sequence[Locked]) -> None:
        """The object gate. Raises LockError. What ``needs`` of a block says counts for native ones
        only: where it is target, the user's own options have to allow it."""
        frame = self.program.units[unit]
        isa = self.program.toolchain.isa("target", frame.options)
        allowed = isa.features.union(*(x.needs for x in blocks if x.isa == "native"))
        imports = frozenset[str]().union(*(x.imports for x in blocks))
        made, base = self.assembled(unit, text), self.assembled(unit, frame.assembly)
        wider = replace(isa, features=allowed)
        findings = check_object(made, base, wider, program_imports=imports)
        if findings:
            names = ", ".join(y for x in blocks for y in x.functions)
            raise LockError(f"{names}: {findings[0].rule}: {findings[0].detail}")

    def assembled(self, unit: str, text: str) -> Path:
        """The object of a unit with that text. Raises LockError."""
        made = self.program.assemble(unit, text)
        if isinstance(made, BuildStep):
            raise LockError(f"{unit}: {made.stage}: {made.detail}")
        return made


def features_needed(made: Path, base: Path) -> frozenset[str]:
    """What code has to have beyond every x86-64, where gcc's version of the function has not."""
    known: frozenset[str] = frozenset()
    while True:
        findings = check_object(made, base, Isa("", "", known), program_imports=frozenset())
        more = {x.detail.rsplit(" ", 1)[-1] for x in findings if x.rule == "cpu-feature"}
        if more <= known:
            return known
        known |= more


def _refused(block: Locked, verdict: Verdict) -> str:
    return f"{', '.join(block.functions)}: {verdict.kind.value}: {verdict.detail}"
