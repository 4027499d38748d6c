"""Put the questions of a set to all systems, a program at a time, and keep what came of it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gccllm.errors import GccllmError
from gccllm.harness.compare import Harness
from gccllm.proposers.answer_assembly import level_of
from gccllm.toolchain import Toolchain
from trainer.corpus.debian import sources_folder
from trainer.corpus.levels import LEVELS
from trainer.corpus.programs import Dropped, JudgedProgram, make_program
from trainer.differential import Differential, JudgedRegion
from trainer.evaluation.ledger import Ledger
from trainer.evaluation.outcomes import HarnessCourt, ProgramCourt
from trainer.evaluation.packages import PackageFile, package_files, package_regions
from trainer.evaluation.plan import EXAMPLES, FAMILY_SPLITS, PACKAGES, Plan
from trainer.evaluation.questions import (
    Asked,
    Docket,
    family_dockets,
    matched,
    teacher_questions,
)
from trainer.evaluation.raw import Court, answered
from trainer.evaluation.summary import family_summary, raw_summary
from trainer.evaluation.systems import System
from trainer.judging import RegionJudge

__all__ = ["TEACHER", "Asking", "Say"]

TEACHER = "idioms"
MOST_OF_EXAMPLE = 12
"""regions of one example, those of its hottest functions first"""
Entry = dict[str, Any]
Say = Callable[[str], None]
"""gets progress, a line at a time"""


@dataclass
class Asking:
    """Puts the questions of a set to all systems, a program at a time."""

    plan: Plan
    tools: Toolchain
    harness: Harness
    systems: Sequence[System]
    core: int | None
    until: float
    say: Say

    def ask(self, name: str) -> None:
        """All that is not in the ledger yet, as long as there is time."""
        ledger = self._ledger(name)
        for number, (key, make) in enumerate(self._programs(name), 1):
            if key in ledger:
                continue
            if time.monotonic() > self.until:
                self.say(f"{name}: the time is over after {number - 1} programs")
                return
            started = time.monotonic()
            entry = make()
            ledger.add(key, entry)
            done = (
                f"dropped: {entry['dropped']}" if "dropped" in entry else f"{entry['asked']} asked"
            )
            self.say(f"{name} {number} {key}: {done}, {time.monotonic() - started:.1f} s")

    def entries(self, name: str) -> dict[str, Entry]:
        """What the ledger holds of a set, by program."""
        return self._ledger(name).entries

    def fitting(self, name: str) -> frozenset[str]:
        """The programs that the teacher has a rewrite for."""
        return frozenset(
            key
            for key, entry in self.entries(name).items()
            if any(
                q["wanted"] for q in entry.get("answers", {}).get(TEACHER, {}).get("questions", ())
            )
        )

    def summary(self, name: str) -> dict[str, Any]:
        """The figures of what the ledger holds."""
        entries = list(self.entries(name).values())
        left_out: Counter[str] = Counter()
        for entry in entries:
            left_out["questions whose region gcc writes otherwise"] += entry.get("unmatched", 0)
            if "dropped" in entry:
                left_out[f"programs ({entry['dropped'].split(':')[0]})"] += 1
        asked = [x["answers"] for x in entries if "dropped" not in x]
        at: dict[str, Any] = {}
        for samples in sorted({1, self.plan.sampling.samples}):
            at[str(samples)] = {
                system.name: raw_summary(
                    [x[system.name]["questions"] for x in asked], samples
                ).as_json()
                for system in self.systems
            }
        by_family = {
            system.name: family_summary(
                {
                    x["key"]: x["answers"][system.name]["questions"]
                    for x in entries
                    if "dropped" not in x
                }
            )
            for system in self.systems
            if name in FAMILY_SPLITS
        }
        left = {k: n for k, n in left_out.items() if n}
        return {"left_out": left, "at": at, "families": by_family}

    def _ledger(self, name: str) -> Ledger:
        return Ledger(self.plan.out, f"raw-{name}", self.plan.settings())

    def _programs(self, name: str) -> Iterator[tuple[str, Callable[[], Entry]]]:
        """(key, what puts its questions) of each program of a set."""
        plan = self.plan
        if name == EXAMPLES:
            for program in plan.example_programs():
                yield program.name, partial(self._example, program)
            return
        levels = _levels_here(self.tools)
        chosen = {"seed": plan.sampling.seed, "most": plan.most_questions}
        if name == PACKAGES:
            for file in package_files(plan.pairs(), levels, **chosen)[: plan.limit]:
                yield file.name, partial(self._package, file)
            return
        for docket in family_dockets(plan.pairs(), name, levels, **chosen)[: plan.limit]:
            yield docket.name, partial(self._family, docket)

    def _family(self, docket: Docket) -> Entry:
        program = make_program(self.tools, docket.sample, self.plan.out / "programs")
        if isinstance(program, Dropped):
            return _dropped(program.reason)
        with self._judge(program) as judge:
            if judge.fault is not None:
                return _dropped(judge.fault.detail)
            questions = list(matched(docket.asked, judge.regions))
            return self._answered(questions, ProgramCourt(judge), len(docket.asked))

    def _example(self, program: JudgedProgram) -> Entry:
        level = _levels_here(self.tools)[-1]
        with self._judge(program) as judge:
            if judge.fault is not None:
                return _dropped(judge.fault.detail)
            hot = judge.hot_functions()
            regions = [x for name in hot for x in judge.regions if x.function == name]
            questions = list(
                teacher_questions(self.tools, self.harness, regions, level, MOST_OF_EXAMPLE)
            )
            return self._answered(questions, ProgramCourt(judge), len(questions))

    def _package(self, file: PackageFile) -> Entry:
        with tempfile.TemporaryDirectory(prefix="gccllm-eval-") as folder:
            scratch = Path(folder)
            try:
                regions = package_regions(self.tools, file, sources_folder(), scratch)
            except GccllmError as error:
                return _dropped(str(error))
            questions = list(matched(file.asked, regions))
            court = HarnessCourt(Differential(self.tools, self.harness))
            return self._answered(questions, court, len(file.asked))

    def _answered(
        self, questions: Sequence[tuple[Asked, JudgedRegion]], court: Court, asked: int
    ) -> Entry:
        answers = answered(questions, self.systems, court, self.plan.sampling)
        unmatched = asked - len(questions)
        return {"asked": len(questions), "unmatched": unmatched, "answers": answers}

    def _judge(self, program: JudgedProgram) -> RegionJudge:
        return RegionJudge(program, tools=self.tools, harness=self.harness, core=self.core, seed=0)


def _dropped(reason: str) -> Entry:
    return {"dropped": reason}


def _levels_here(tools: Toolchain) -> tuple[str, ...]:
    """The levels whose instructions this machine has."""
    highest = level_of(tools.isa("native", ()).features)
    return LEVELS[: LEVELS.index(highest) + 1]
