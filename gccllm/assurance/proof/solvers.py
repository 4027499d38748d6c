"""z3 and bitwuzla as processes of their own, with a hard limit on time and memory.

Their programs get SMT-LIB text and answer in text, so neither can take the tool with it.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import which

from gccllm.assurance.proof.smtlib import Script
from gccllm.process import Limits, kill_tree, run

__all__ = ["Answer", "Solvers", "installed"]

MEMORY_BYTES = 2 << 30
_POLL_SECONDS = 0.004
_BITWUZLA = """
import sys, bitwuzla
options = bitwuzla.Options()
options.set(bitwuzla.Option.PRODUCE_MODELS, True)
parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
parser.parse(open(sys.argv[1]).read(), False, False)
"""
_VALUE = re.compile(r"\((\|[^|]*\||[tb]\d+)\s+#([xb])([0-9a-f]+)\)")


@dataclass(frozen=True)
class Answer:
    """``kind`` is "sat", "unsat" or "unknown"; ``solver`` who said it; ``values`` of the script's
    names, for "sat"."""

    kind: str
    solver: str = ""
    values: Mapping[str, int] = field(default_factory=dict)


@cache
def installed() -> Mapping[str, tuple[str, ...]]:
    """Solver → the command that reads a script (its path is added)."""
    found: dict[str, tuple[str, ...]] = {}
    beside = Path(sys.executable).parent / "z3"
    z3 = str(beside) if beside.exists() else which("z3")
    if z3 is not None:
        found["z3"] = (z3, "-smt2")
    if importlib.util.find_spec("bitwuzla") is not None:
        found["bitwuzla"] = (sys.executable, "-I", "-c", _BITWUZLA)
    return found


class Solvers:
    """Asks the solvers; ``counts``: how many questions each of them decided."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._limits = Limits(address_space=MEMORY_BYTES)

    def quick(self, scripts: Sequence[Script], each: float, seconds: float) -> list[Answer]:
        """All questions to one z3, ``each`` seconds for one of them, ``seconds`` for all."""
        command = installed().get("z3")
        if command is None or not scripts or seconds <= 0:
            return [Answer("unknown")] * len(scripts)
        with tempfile.TemporaryDirectory(prefix="gccllm-proof-") as folder:
            path = Path(folder) / "all.smt2"
            limit = f"(set-option :timeout {max(int(each * 1000), 1)})\n"
            path.write_text("".join(f"(reset)\n{limit}{_asked(x)}" for x in scripts))
            argv = [*command, str(path)]
            done = run(argv, timeout=seconds, limits=self._limits)
        answers = [_parsed(x, "z3") for x in _parts(done.stdout.decode("utf-8", "replace"))]
        answers += [Answer("unknown")] * (len(scripts) - len(answers))
        for answer in answers:
            self._count(answer)
        return answers[: len(scripts)]

    def race(self, script: Script, seconds: float) -> Answer:
        """One question to all solvers at once; the first that knows is heard, the others end."""
        if seconds <= 0:
            return Answer("unknown")
        with tempfile.TemporaryDirectory(prefix="gccllm-proof-") as folder:
            path = Path(folder) / "one.smt2"
            path.write_text(_asked(script))
            running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
            try:
                for name, command in installed().items():
                    out = Path(folder) / name
                    with out.open("wb") as stream:
                        child = subprocess.Popen(
                            self._limits.wrap([*command, str(path)]),
                            stdin=subprocess.DEVNULL,
                            stdout=stream,
                            stderr=subprocess.DEVNULL,
                            start_new_session=True,
                        )
                    running[name] = (child, out)
                answer = _first(running, time.monotonic() + seconds)
            finally:
                for child, _ in running.values():
                    if child.poll() is None:
                        kill_tree(child)
        self._count(answer)
        return answer

    def _count(self, answer: Answer) -> None:
        if answer.kind != "unknown":
            self.counts[answer.solver] = self.counts.get(answer.solver, 0) + 1


def _first(running: Mapping[str, tuple[subprocess.Popen[bytes], Path]], deadline: float) -> Answer:
    waiting = dict(running)
    pause = _POLL_SECONDS
    while waiting and time.monotonic() < deadline:
        for name, (child, out) in list(waiting.items()):
            if child.poll() is not None:
                del waiting[name]
                answer = _parsed(out.read_text("utf-8", "replace"), name)
                if answer.kind != "unknown":
                    return answer
        time.sleep(pause)
        pause = min(pause * 1.2, 0.1)
    return Answer("unknown")


def _asked(script: Script) -> str:
    names = " ".join(script.names)
    values = f"(get-value ({names}))\n" if names else ""
    models = "(set-option :produce-models true)\n"
    return f'{models}{script.text}(check-sat)\n{values}(echo "end")\n'


def _parts(text: str) -> list[str]:
    pieces = re.split(r'^"?end"?$', text, flags=re.M)
    return pieces[:-1]


def _parsed(text: str, solver: str) -> Answer:
    """What a solver said of one question. A refusal to print a model after "unsat" is no error."""
    kind = next((x for x in text.split() if x in ("sat", "unsat", "unknown")), "unknown")
    if kind != "sat":
        return Answer(kind, solver)
    values = {
        name: int(digits, 16 if base == "x" else 2) for name, base, digits in _VALUE.findall(text)
    }
    return Answer("sat", solver, values)
