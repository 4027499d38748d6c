"""One program, open: rewrites are compiled, spliced in, and run on its eight recordings.

What passes here is what recordings alone would accept: text gate, splice, the rules of gcc's own
assumptions, object and executable gate, all recordings. The ABI check and what is above it are not
asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.mutating.subjects import OPTIONS, Subject, prepare
from gccllm import process
from gccllm.asm.code import functions_of
from gccllm.asm.elf import ElfError
from gccllm.asm.normalise import function_text, same_code
from gccllm.asm.rules import check as check_rules
from gccllm.asm.splice import Refusal, splice
from gccllm.asm.unit import parse
from gccllm.judge.baseline import Admitted
from gccllm.program import BuildStep
from gccllm.proposers.settings import gcc_common
from gccllm.sandbox import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, Verdict
from trainer.judging import open_judge

__all__ = ["Passed", "Workshop"]

COMPILE_SECONDS = 30.0


@dataclass(frozen=True)
class Passed:
    """A rewrite that all recordings agree with."""

    candidate: Candidate
    functions: tuple[str, ...]
    admitted: Admitted


class Workshop:
    """A context manager; ``folder`` has to be there, and is the caller's to remove."""

    def __init__(self, subject: Subject, folder: Path, tools: Toolchain | None = None) -> None:
        self.subject = subject
        self.folder = folder
        self.tools = tools or Toolchain()
        self.isa = self.tools.isa("native", OPTIONS)
        self._stack = ExitStack()

    def __enter__(self) -> Workshop:
        program = prepare(self.subject, self.folder)
        isas = {program.name: self.isa}
        opened = open_judge(self._stack, program, isas, tools=self.tools, sandbox=choose())
        if opened.fault is not None:
            self._stack.close()
            raise SystemExit(f"{self.subject.name}: {opened.fault.detail}")
        self.judge, self.program, self.scratch = opened.judge, opened.linked, opened.scratch
        self.unit = program.name
        self.base = parse(self.program.units[self.unit].assembly)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def functions(self, function: str) -> tuple[str, ...]:
        """What is replaced where ``function`` is rewritten."""
        return (function,) if self.subject.apart else tuple(self.base.functions)

    def compiled(self, source: str, options: Sequence[str]) -> str | None:
        """gcc's assembly of a source, as the proposer of compilers asks for it."""
        given, out = self.folder / "variant.c", self.folder / "variant.s"
        given.write_text(source)
        argv = [self.tools.cc, *OPTIONS, *gcc_common({}), *options, "-S", str(given)]
        done = process.run([*argv, "-o", str(out)], timeout=COMPILE_SECONDS)
        return out.read_text() if done.ok else None

    def is_baseline(self, text: str, function: str) -> bool:
        """Whether it is gcc's own code after all."""
        return self.alike(text, self.base.text, function)

    @staticmethod
    def alike(one: str, other: str, function: str) -> bool:
        """Whether two units have the same code for a function."""
        first, second = parse(one), parse(other)
        if function not in first.functions or function not in second.functions:
            return False
        return function_text(first, function) == function_text(second, function)

    def tried(self, candidate: Candidate, names: Sequence[str]) -> Passed | str:
        """What passes the recordings; else at what it fell."""
        donor = self.judge.screen(candidate)
        if isinstance(donor, Verdict):
            return donor.kind.value
        done = splice(self.base, donor.unit, names, tag=donor.tag, foreign=candidate.foreign)
        if isinstance(done, Refusal):
            return f"splice: {done.reason}"
        if same_code(done.text, self.base.text):
            return "unchanged"
        objects = [self.program.assemble(self.unit, x) for x in (self.base.text, done.text)]
        if any(isinstance(x, BuildStep) for x in objects):
            return "not-assembled"
        try:
            before, after = (functions_of(x) for x in objects if isinstance(x, Path))
        except ElfError:
            return "not-assembled"
        own = self.program.assemble(self.unit, candidate.text) if done.assumed else None
        donor_code = functions_of(own) if isinstance(own, Path) else None
        refusals = check_rules(before, after, done, donor=donor_code)
        if refusals:
            return f"rules: {refusals[0].reason}"
        admitted = self.judge.admit({self.unit: done.text})
        if isinstance(admitted, Verdict):
            return admitted.kind.value
        return Passed(candidate, done.functions, admitted)
