"""The programs: small ones in programs/ and those of examples/ with eight recordings at least.

``programs/NAME.inputs`` holds the inputs, ``---`` between them; what gcc -O3's program answers is
what is recorded. Of examples/ the first eight recordings are taken. In programs/ functions are kept
from being inlined, so that there is something to replace one by one; examples/ are as they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gccllm.recordings import Expected, load, save_case
from trainer.corpus.programs import JudgedProgram

__all__ = ["CASES", "OPTIONS", "Subject", "prepare", "subjects"]

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "programs"
EXAMPLES = HERE.parent.parent / "examples"
CASES = 8
OPTIONS = ("-O3",)


@dataclass(frozen=True)
class Subject:
    """``functions`` are mutated. ``apart``: each can be replaced alone; else all go together, for
    gcc has inlined them."""

    name: str
    source: Path
    functions: tuple[str, ...]
    apart: bool


def subjects() -> list[Subject]:
    """All programs, in the order of their names."""
    found = [
        Subject(path.stem, path, tuple(re.findall(r"noinline\)\) .*?(\w+)\(", text)), True)
        for path in FOLDER.glob("*.c")
        for text in [path.read_text()]
    ]
    for path in EXAMPLES.glob("*.c"):
        if len(list(path.with_suffix(".tests").glob("*.out"))) >= CASES:
            names = re.findall(r"(?m)^(?!static)\w[\w ]*?(\w+)\([^;]*\)\n\{", path.read_text())
            functions = tuple(x for x in names if x != "main")
            if functions:
                found.append(Subject(f"x_{path.stem}", path, functions, False))
    return sorted(found, key=lambda x: x.name)


def prepare(subject: Subject, folder: Path) -> JudgedProgram:
    """Its eight recordings in ``folder``, as gcc -O3's program answers."""
    source, tests = folder / f"{subject.name}.c", folder / f"{subject.name}.tests"
    shutil.copyfile(subject.source, source)
    program = folder / subject.name
    argv = ["gcc", *OPTIONS, "-w", str(source), "-o", str(program), "-lm"]
    subprocess.run(argv, check=True, timeout=60)
    if subject.apart:
        texts = subject.source.with_suffix(".inputs").read_text().split("---\n")
        inputs = [x.encode() for x in texts]
    else:
        cases = load(subject.source.with_suffix(".tests")).cases[:CASES]
        inputs = [x.given.stdin.read_bytes() if x.given.stdin else b"" for x in cases]
    if len(inputs) != CASES:
        raise ValueError(f"{subject.name} has {len(inputs)} recordings")
    for number, stdin in enumerate(inputs):
        done = subprocess.run([str(program)], input=stdin, capture_output=True, timeout=10)
        save_case(tests, str(number), stdin, (), Expected(done.stdout, done.returncode))
    return JudgedProgram(subject.name, source, tests, subject.functions, OPTIONS, ("-lm",))
