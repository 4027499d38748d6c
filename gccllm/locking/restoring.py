"""From the blocks of a lock file back to a unit's assembly; whoever wrote the file is not trusted.

A block passes what any candidate passes short of being run: text gate, splice with its rules, ABI
check, object gate. No model, no clock, no sandbox and no store has a part in it, so the same
compiler and the same file make the same bytes anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gccllm.asm.splice import Refusal
from gccllm.asm.unit import parse
from gccllm.errors import LockError
from gccllm.judge.judge import Judge
from gccllm.judge.placing import check_placed, place_unit
from gccllm.judge.screen import Finding, check_object
from gccllm.lockfile import Locked
from gccllm.program import BuildStep, Program
from gccllm.recordings import Recording
from gccllm.sandbox.fake import FakeSandbox
from gccllm.types import Candidate, Isa, Verdict

__all__ = ["Restorer", "features_needed"]


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

    def isa(self, unit: str, blocks: Sequence[Locked], mode: str) -> Isa:
        """What the blocks may use in a build of that -fllm-isa. Not this machine counts, but what
        they say that they need; where ``mode`` is target, the user's own options."""
        isa = self.program.toolchain.isa("target", self.program.units[unit].options)
        if mode == "target":
            return isa
        more = frozenset[str]().union(*(x.needs for x in blocks)) - isa.features
        checked = more if mode == "dispatch" else frozenset[str]()
        return Isa(mode, mode, isa.features | more, checked=checked)

    def check(self, unit: str, text: str, blocks: Sequence[Locked], mode: str) -> None:
        """The object gate. Raises LockError."""
        isa = self.isa(unit, blocks, mode)
        made = self.assembled(unit, text)
        base = self.assembled(unit, self.program.units[unit].assembly)
        _hold(check_object(made, base, isa, program_imports=_imports(blocks)), blocks)

    def shipped(self, unit: str, text: str, blocks: Sequence[Locked], mode: str) -> str:
        """A restored and checked unit as it ships: other than it is where ``mode`` is dispatch and
        it needs more than the target. Raises LockError."""
        isa = self.isa(unit, blocks, mode)
        base = parse(self.program.units[unit].assembly)
        done = place_unit(self.program, unit, base, text, isa)
        if isinstance(done, Refusal | BuildStep):
            raise LockError(f"{_names(blocks)}: {done.detail}")
        findings = check_placed(self.program, unit, done, isa, imports=_imports(blocks))
        if isinstance(findings, BuildStep):
            raise LockError(f"{_names(blocks)}: {findings.detail}")
        _hold(findings, blocks)
        return done.text

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


def _hold(findings: Sequence[Finding], blocks: Sequence[Locked]) -> None:
    if findings:
        raise LockError(f"{_names(blocks)}: {findings[0].rule}: {findings[0].detail}")


def _imports(blocks: Sequence[Locked]) -> frozenset[str]:
    return frozenset[str]().union(*(x.imports for x in blocks))


def _names(blocks: Sequence[Locked]) -> str:
    return ", ".join(y for x in blocks for y in x.functions)


def _refused(block: Locked, verdict: Verdict) -> str:
    return f"{_names([block])}: {verdict.kind.value}: {verdict.detail}"
