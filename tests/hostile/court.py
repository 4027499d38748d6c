"""The real judge, open over program.c, and rewrites of its function ``work`` brought before it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from gccllm.assurance.ladder import Combination, Giver, Ladder, Shares
from gccllm.assurance.ladder.rungs import Place, ProgramRungs
from gccllm.assurance.levels import Assurance
from gccllm.judge.baseline import Admitted
from gccllm.recompile import recompile
from gccllm.recordings import Expected, save_case
from gccllm.sandbox import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, Verdict, VerdictKind
from tests.hostile.judged import INPUTS
from trainer.corpus.programs import JudgedProgram
from trainer.judging import open_judge

__all__ = ["FUNCTION", "Court", "assembly"]

PROGRAM = Path(__file__).with_name("program.c")
FUNCTION = "work"
_SIGNATURE = "unsigned work(unsigned x, int rounds)\n"


class Court:
    """A context manager. Judges what replaces ``work``; nothing is timed."""

    def __init__(self, folder: Path, inputs: Sequence[str] = INPUTS, define: str = "") -> None:
        """``define``: a macro for the program, see program.c."""
        self.folder = folder
        self.text = f"#define {define}\n" * bool(define) + PROGRAM.read_text()
        self.inputs = inputs
        self.tools = Toolchain()
        self._stack = ExitStack()
        self._ladder: ProgramRungs | None = None

    def __enter__(self) -> Court:
        source, tests = self.folder / "program.c", self.folder / "program.tests"
        source.write_text(self.text)
        built = self.folder / "built"
        subprocess.run(["gcc", "-O3", "-w", str(source), "-o", str(built)], check=True, timeout=60)
        for number, text in enumerate(self.inputs):
            given = text.encode()
            out = subprocess.run([str(built)], input=given, capture_output=True, check=True).stdout
            save_case(tests, str(number), given, (), Expected(out))
        program = JudgedProgram("program", source, tests, (FUNCTION,), ("-O3",))
        isas = {"program": self.tools.isa("target", ("-O3",))}
        opened = open_judge(self._stack, program, isas, tools=self.tools, sandbox=choose())
        assert opened.fault is None, opened.fault
        self.judge, self.program, self.scratch = opened.judge, opened.linked, opened.scratch
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def compiled(self, body: str, *options: str) -> str:
        """gcc's assembly of the program with another body of ``work``."""
        text = self.text
        start = text.index(_SIGNATURE) + len(_SIGNATURE)
        end = text.index("\n}\n", start) + 3
        given = self.folder / "rewrite.c"
        given.write_text(f"{text[:start]}{{ {body} }}\n{text[end:]}")
        argv = ["gcc", "-O3", "-w", "-fno-ipa-ra", *options, "-S", "-o", "-", str(given)]
        return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode()

    def judged(self, text: str, *, foreign: bool = True) -> Verdict | Admitted:
        """The verdict, or what passed all recordings."""
        candidate = Candidate("attack", "program", (FUNCTION,), text, foreign=foreign)
        donor = self.judge.screen(candidate)
        if isinstance(donor, Verdict):
            return donor
        texts = self.judge.splice({}, donor, [FUNCTION])
        return texts if isinstance(texts, Verdict) else self.judge.admit(texts)

    def verdict(self, text: str, *, foreign: bool = True) -> Verdict:
        """As :meth:`judged`; not-faster for what passed."""
        done = self.judged(text, foreign=foreign)
        return done if isinstance(done, Verdict) else Verdict(VerdictKind.NOT_FASTER, "right")

    def climbed(self, text: str, wanted: Assurance = Assurance.FUZZED) -> Verdict | None:
        """What the ladder says of one that passes the recordings; None where it stands."""
        admitted = self.judged(text)
        assert isinstance(admitted, Admitted), admitted
        giver = {("program", FUNCTION): Giver(text, True)}
        what = Combination(admitted.texts, admitted.build, giver)
        ladder = Ladder(self._rungs(), wanted, Shares(60.0), float("inf"))
        (known,) = ladder.examine(what).found
        return None if known.stands else known.verdict(wanted)

    def _rungs(self) -> ProgramRungs:
        if self._ladder is None:
            scratch = self.scratch / "ladder"
            scratch.mkdir()
            _, spec = recompile(self.program, "program", scratch, lambda line: None)
            assert spec is not None
            baseline, recording = self.judge.baseline.build, self.judge.arena.recording
            place = Place(self.program, baseline, recording, choose(), scratch, {"program": spec})
            self._ladder = ProgramRungs(place)
        return self._ladder


def assembly(body: str, function: str = FUNCTION, data: Sequence[str] = ()) -> str:
    """A unit of one function; statements of ``body`` stand between semicolons."""
    lines = [
        x if x.endswith(":") else "\t" + re.sub(" ", "\t", x, count=1) for x in body.split("; ")
    ]
    head = ["\t.text", f"\t.globl\t{function}", f"\t.type\t{function}, @function", f"{function}:"]
    tail = [f"\t.size\t{function}, .-{function}", *data, '\t.section .note.GNU-stack,"",@progbits']
    return "\n".join([*head, *lines, *tail, ""])
