"""Programs for judging: a function, a main around it, and a recording of several cases.

A sample of a rewrite family (:mod:`trainer.corpus.samples`) becomes a program that
calls its function on values drawn from what stdin says (:mod:`trainer.corpus.program_text`). Which
values a function stands is tried out: cases that hang or crash gcc's own program are left out, and
a program that nothing suits is dropped with the reason. One case is long enough to be timed (some
ten milliseconds), the others are short and hold the edges: nothing, one element, lengths that no
vector divides, 0, 1, all ones, negative numbers, extremes.

All but the number of calls of the timed case follows from seed and number; that one is measured,
in powers of two. What is written to disk is then fixed: a folder with NAME.c, NAME.tests/ and
NAME.json. Programs that have a source and recordings already (examples/) are read the same way.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gccllm import process
from gccllm.errors import UsageError
from gccllm.recordings import Expected, save_case
from gccllm.toolchain import Toolchain
from trainer.corpus.program_cases import Runner, cases_of
from trainer.corpus.program_text import Signature, program_of
from trainer.corpus.samples import Sample

__all__ = [
    "Dropped",
    "JudgedProgram",
    "example_programs",
    "load_program",
    "make_program",
]


@dataclass(frozen=True)
class JudgedProgram:
    """A program on disk: one C source and its recording.

    ``functions`` are those to be rewritten, () for all that the source defines. ``options`` are
    gcc's, ``libraries`` go behind the source at the link. ``family`` is "" for a program of none.
    """

    name: str
    source: Path
    tests: Path
    functions: tuple[str, ...]
    options: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    family: str = ""
    number: int = -1
    seed: int = -1


@dataclass(frozen=True)
class Dropped:
    """A sample that gives no program, and why: one line."""

    name: str
    reason: str


def make_program(tools: Toolchain, sample: Sample, folder: Path) -> JudgedProgram | Dropped:
    """Write the program of ``sample`` into ``folder``; one that is there already is read again."""
    name = f"{sample.family}-{sample.seed}-{sample.number}"
    found = folder / f"{name}.json"
    if found.is_file():
        return load_program(found)
    try:
        text = program_of(sample.slow)
        signature = Signature.of(sample.slow)
    except ValueError as error:
        return Dropped(name, str(error))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gccllm-program-") as scratch:
        source = Path(scratch) / f"{name}.c"
        source.write_text(text)
        runner = Runner(Path(scratch) / name, sample.number + 1)
        argv = [tools.cc, *sample.options, "-w", str(source), "-o", str(runner.program)]
        done = process.run(argv, timeout=60.0)
        if not done.ok:
            return Dropped(name, f"gcc does not take it: {done.error_line()}")
        cases = cases_of(runner, signature)
        if isinstance(cases, str):
            return Dropped(name, cases)
        tests = folder / f"{name}.tests"
        for case in cases:
            output = runner.output(case)
            if output is None:
                return Dropped(name, f"case {case.name} does not always end")
            save_case(tests, case.name, case.stdin(runner.seed), (), Expected(output))
    program = JudgedProgram(
        name=name,
        source=folder / f"{name}.c",
        tests=tests,
        functions=(sample.slow.function,),
        options=sample.options,
        family=sample.family,
        number=sample.number,
        seed=sample.seed,
    )
    program.source.write_text(text)
    content = {**asdict(program), "source": program.source.name, "tests": tests.name}
    found.write_text(json.dumps(content, indent=1) + "\n")
    return program


def load_program(path: Path) -> JudgedProgram:
    """What :func:`make_program` wrote as NAME.json. Raises UsageError for anything else."""
    try:
        content = json.loads(path.read_text())
        content["source"] = path.parent / content["source"]
        content["tests"] = path.parent / content["tests"]
        for key in ("functions", "options", "libraries"):
            content[key] = tuple(content[key])
        return JudgedProgram(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} describes no program: {error}") from error


def example_programs(folder: Path) -> Iterator[JudgedProgram]:
    """Every NAME.c of ``folder`` with a NAME.tests/ beside it, for -O3. Raises UsageError if there
    is none."""
    sources = [x for x in sorted(folder.glob("*.c")) if x.with_suffix(".tests").is_dir()]
    if not sources:
        raise UsageError(f"no NAME.c with NAME.tests/ in {folder}")
    for source in sources:
        yield JudgedProgram(
            name=source.stem,
            source=source,
            tests=source.with_suffix(".tests"),
            functions=(),
            options=("-O3",),
            libraries=("-lm",),
        )
