"""Tasks for PPO: a program, one marked region of it, and the prompt that asks for better lines.

Tasks are made once and kept as JSON lines. A program whose baseline can't be judged gives none.
Of the others come first the regions that some form of the program's family equals (there is
something to find), then others (where leaving it is right), as many of each as asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gccllm.errors import GccllmError, UsageError
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.recordings import load
from gccllm.toolchain import Toolchain
from trainer.corpus.families import Teacher, families_named
from trainer.corpus.programs import (
    Dropped,
    JudgedProgram,
    example_programs,
    load_program,
    make_program,
)
from trainer.corpus.samples import HELD_OUT, draw_sample
from trainer.folders import replace_file
from trainer.judging import JudgedRegion, RegionJudge

__all__ = [
    "Task",
    "Wanted",
    "make_programs",
    "make_tasks",
    "program_digest",
    "read_tasks",
    "tasks_from",
    "write_tasks",
]


@dataclass(frozen=True)
class Task:
    """One question. ``region`` is the region's number in :class:`RegionJudge`, ``level`` what the
    answer may use, ``findable`` whether a form of the family equals the region, ``tests`` the
    program's recorded cases. ``digest`` names program, recording and compiler.
    """

    program: JudgedProgram
    region: int
    level: str
    prompt: str
    digest: str
    tests: int
    findable: bool = False

    @property
    def name(self) -> str:
        """The same for the same question, and for no other."""
        return f"{self.program.name}:{self.region}:{self.level}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        content = {**asdict(self), "name": self.name}
        program = content["program"]
        for key in ("source", "tests"):
            program[key] = str(program[key].absolute())
        return content

    @staticmethod
    def from_json(content: dict[str, Any]) -> Task:
        """What :meth:`to_json` made. Raises LookupError, TypeError or ValueError."""
        program = dict(content["program"])
        program["source"], program["tests"] = Path(program["source"]), Path(program["tests"])
        for key in ("functions", "options", "libraries"):
            program[key] = tuple(program[key])
        rest = {key: value for key, value in content.items() if key not in ("program", "name")}
        return Task(program=JudgedProgram(**program), **rest)


@dataclass(frozen=True)
class Wanted:
    """How many tasks a program gives at most: with something to find, and others."""

    findable: int = 2
    others: int = 1
    level: str = "x86-64-v3"


def tasks_from(
    path: Path,
    cache: Path,
    programs: int,
    seed: int,
    level: str,
    say: Callable[[str], None] = lambda line: None,
) -> list[Task]:
    """The tasks of a file, or those of the programs in a folder: NAME.json as
    :func:`make_program` writes them, or NAME.c with NAME.tests/. With ``programs`` so many are made
    in the folder first. Tasks of a folder are kept in ``cache`` and made once.

    Raises UsageError if there are none.
    """
    if path.is_file():
        return read_tasks(path)
    if cache.exists():
        return read_tasks(cache)
    if programs:
        made = list(make_programs(path, programs, seed, say))
        say(f"{len(made)} programs in {path}")
    written = sorted(path.glob("*.json"))
    chosen = [load_program(x) for x in written] if written else list(example_programs(path))
    found: list[Task] = []
    tools = Toolchain()
    with Harness(toolchain=tools) as harness:
        for number, program in enumerate(chosen, 1):
            found += make_tasks(program, Wanted(level=level), tools, harness)
            if number % 20 == 0:
                say(f"{number} of {len(chosen)} programs, {len(found)} tasks")
    if not found:
        raise UsageError(f"the programs in {path} give no tasks")
    write_tasks(found, cache)
    return found


def make_programs(
    folder: Path, count: int, seed: int, say: Callable[[str], None] = lambda line: None
) -> Iterator[JudgedProgram]:
    """``count`` programs of family samples, all families in turn, but for those held out; those
    that ``folder`` holds already are read again."""
    tools = Toolchain()
    families = [x for x in FAMILIES if x.name not in HELD_OUT]
    made, number = 0, 0
    while made < count and number < 4 * count + len(families):
        sample = draw_sample(families[number % len(families)], number // len(families), seed)
        number += 1
        program = make_program(tools, sample, folder)
        if isinstance(program, Dropped):
            say(f"{program.name}: {program.reason}")
            continue
        made += 1
        yield program


def make_tasks(
    program: JudgedProgram, wanted: Wanted, tools: Toolchain, harness: Harness
) -> list[Task]:
    """The tasks of one program; none where its baseline can't be judged."""
    with RegionJudge(program, tools=tools, harness=harness) as judge:
        if judge.fault is not None:
            return []
        findable: list[JudgedRegion] = []
        others: list[JudgedRegion] = []
        teacher = _teacher(program, tools, harness)
        for region in judge.regions:
            try:
                found = teacher is not None and bool(
                    teacher.answers(region.layout, region.region, others=False)
                )
            except GccllmError:
                found = False
            (findable if found else others).append(region)
        chosen = [(x, True) for x in findable[: wanted.findable]]
        chosen += [(x, False) for x in others[: wanted.others]]
        digest = program_digest(program, tools)
        return [
            Task(
                program,
                x.number,
                wanted.level,
                x.prompt(wanted.level).text,
                digest,
                judge.tests,
                found,
            )
            for x, found in chosen
        ]


def write_tasks(tasks: Sequence[Task], path: Path) -> None:
    """Keep tasks as JSON lines."""
    text = "".join(json.dumps(x.to_json(), sort_keys=True) + "\n" for x in tasks)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def read_tasks(path: Path) -> list[Task]:
    """What :func:`write_tasks` kept. Raises UsageError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Task.from_json(json.loads(x)) for x in lines]
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{path} holds no tasks: {error}") from error


def _teacher(program: JudgedProgram, tools: Toolchain, harness: Harness) -> Teacher | None:
    return Teacher(tools, harness, families_named([program.family])[0]) if program.family else None


def program_digest(program: JudgedProgram, tools: Toolchain) -> str:
    """What a verdict depends on: program, recording, options and compiler."""
    parts = [
        program.source.read_bytes(),
        load(program.tests).digest().encode(),
        repr((program.options, program.libraries, tools.identity.digest)).encode(),
    ]
    return hashlib.sha256(b"".join(hashlib.sha256(x).digest() for x in parts)).hexdigest()
