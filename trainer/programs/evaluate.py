"""Whole programs put to several systems: every answer judged, the best measured anew.

A program at a time: each system is asked for N answers, and again for each round of refinement with
what the judge said. Which answer is best of the first n is decided by a glance at the clock; what a
protocol then says of it is a new measurement, so nothing is the better for having been lucky. The
baseline's copy goes through each protocol as well. What is finished is written down, program by
program, and the same call goes on from there.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gccllm.errors import ProposerError, UsageError
from gccllm.lanes import lane
from gccllm.paths import cache_dir
from gccllm.proposers.answer_assembly import level_of
from gccllm.proposers.base import Attempt
from gccllm.search.trial import Trial
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, Json, Verdict, VerdictKind
from trainer.corpus.program_folders import unfold
from trainer.corpus.program_rows import ProgramRow, read_program_rows
from trainer.corpus.programs import JudgedProgram, example_programs
from trainer.evaluation.ledger import Ledger
from trainer.folders import replace_file
from trainer.programs.judging import Judged, ProgramJudge
from trainer.programs.protocols import PROTOCOLS, Measured, TimingProtocol, control
from trainer.programs.systems import ProgramSystem, asked, system_of
from trainer.programs.tables import BASELINE, best_of, prefixes, results_of, write_tables
from trainer.programs.tasks import EXAMINE_SECONDS

__all__ = ["ProgramPlan", "evaluate_programs"]

LANE_SECONDS = 60.0
Entry = dict[str, Any]
Say = Callable[[str], None]
_BUILT = frozenset(
    set(VerdictKind)
    - {
        VerdictKind.MALFORMED,
        VerdictKind.SCREENED,
        VerdictKind.NOT_ASSEMBLED,
        VerdictKind.NOT_LINKED,
        VerdictKind.UNJUDGED,
    }
)
_RIGHT = frozenset(
    {
        VerdictKind.ACCEPTED,
        VerdictKind.UNCHANGED,
        VerdictKind.NOT_FASTER,
        VerdictKind.SUSPICIOUS,
    }
)


@dataclass(frozen=True)
class ProgramPlan:
    """What to evaluate: ``systems`` as :func:`system_of` reads them, on the rows of ``data`` in
    ``split`` and the programs of ``examples``. ``samples`` answers each, ``refine`` more rounds of
    as many; ``ablation`` are names of systems for Table 3. ``seconds``: for one system's answers to
    one program. ``examine``: what the honest protocol calls faster climbs the ladder, as in a link
    of so many seconds; 0 leaves that out. ``budget``: seconds, after which what is not begun is
    left for the next call."""

    out: Path
    systems: tuple[str, ...]
    data: Path | None = None
    split: str = "val"
    examples: Path | None = None
    prompts: tuple[str, ...] = ("with-o3",)
    protocols: tuple[str, ...] = ("paper", "honest")
    samples: int = 1
    refine: int = 0
    limit: int | None = None
    isa: str = "native"
    ablation: tuple[str, ...] = ()
    seconds: float = 600.0
    examine: float = EXAMINE_SECONDS
    budget: float = float("inf")

    def settings(self, tools: Toolchain) -> dict[str, Json]:
        """All that figures depend on."""
        features = tools.isa(self.isa, ()).features
        return {
            "systems": list(self.systems),
            "data": str(self.data.resolve()) if self.data else "",
            "split": self.split if self.data else "",
            "examples": str(self.examples.resolve()) if self.examples else "",
            "prompts": list(self.prompts),
            "protocols": list(self.protocols),
            "samples": self.samples,
            "refine": self.refine,
            "examine": self.examine,
            "isa": f"{self.isa} ({level_of(features)})",
            "compiler": tools.identity.version,
        }


def evaluate_programs(plan: ProgramPlan, say: Say = lambda line: None) -> dict[str, Any]:
    """Ask, judge, measure, and write tables, figures and pictures into ``plan.out``; → what
    ``results.json`` holds.

    Raises UsageError for what makes no sense and for an ``out`` of other settings, and
    SandboxUnavailable where nothing can be run.
    """
    wrong = [x for x in plan.protocols if x not in PROTOCOLS]
    if wrong:
        raise UsageError(f"no protocol {wrong[0]!r}; there are {', '.join(PROTOCOLS)}")
    until = time.monotonic() + plan.budget
    tools = Toolchain()
    systems = [x for text in plan.systems for x in system_of(text, plan.prompts)]
    names = [x.name for x in systems]
    twice = next((x for x in names if names.count(x) > 1), None)
    if twice or not systems:
        raise UsageError(f"two systems are called {twice!r}" if twice else "no system to ask")
    missing = [x for x in plan.ablation if x not in names]
    if missing:
        raise UsageError(f"no system {missing[0]!r} for the ablation; there are {', '.join(names)}")
    settings = plan.settings(tools)
    ledger = Ledger(plan.out, "programs", settings, grows="systems")
    protocols = [PROTOCOLS[x]() for x in plan.protocols]
    with _programs(plan) as programs, lane(cache_dir(), LANE_SECONDS) as core:
        if core is None:
            say("every core for timing is busy: figures are taken on one that others use")
        for number, program in enumerate(programs, 1):
            evaluation = _Evaluation(plan, tools, ledger, protocols, core, until, say)
            evaluation.program(program, systems, f"{number}/{len(programs)}")
    results = results_of(settings, ledger.entries, names, plan.protocols, plan.ablation)
    text = json.dumps(results, indent=1) + "\n"
    replace_file(plan.out / "results.json", lambda part: part.write_text(text))
    write_tables(plan.out, results)
    return results


@contextmanager
def _programs(plan: ProgramPlan) -> Iterator[list[JudgedProgram]]:
    """Those to evaluate on; rows are written to a folder first. Raises UsageError for none."""
    with tempfile.TemporaryDirectory(prefix="gccllm-eval-") as folder:
        rows: list[ProgramRow] = []
        if plan.data is not None:
            rows = list(read_program_rows(plan.data, plan.split))
        found = [unfold(x, Path(folder)) for x in rows]
        if plan.examples is not None:
            found += example_programs(plan.examples)
        if not found:
            raise UsageError(f"no programs of split {plan.split!r}: give --data or --examples")
        yield found[: plan.limit]


@dataclass
class _Evaluation:
    """One program's: judged by one judge for all systems."""

    plan: ProgramPlan
    tools: Toolchain
    ledger: Ledger
    protocols: Sequence[TimingProtocol]
    core: int | None
    until: float
    say: Say

    def program(self, program: JudgedProgram, systems: Sequence[ProgramSystem], place: str) -> None:
        """All that is not in the ledger yet, as long as there is time."""
        keys = {x.name: f"{program.name} {x.name}" for x in systems}
        missing = [x for x in systems if keys[x.name] not in self.ledger]
        if not missing or time.monotonic() > self.until:
            return
        with ProgramJudge(program, tools=self.tools, isa=self.plan.isa, core=self.core) as judge:
            if judge.fault is not None:
                for system in missing:
                    self.ledger.add(keys[system.name], {"dropped": judge.fault.detail})
                self.say(f"{place} {program.name}: dropped: {judge.fault.detail}")
                return
            base = f"{program.name} {BASELINE}"
            if base not in self.ledger:
                self._save(program.name, BASELINE, judge.baseline)
                measured = {x.name: control(judge.judge, x).as_json() for x in self.protocols}
                self.ledger.add(base, {"control": measured, "tests": judge.tests})
            for system in missing:
                if time.monotonic() > self.until:
                    return
                entry = self._entry(judge, system)
                self.ledger.add(keys[system.name], entry)
                shown = ", ".join(
                    f"{name} {x['speedup']:.2f}"
                    for name, x in entry["measured"].get(str(entry["best"]), {}).items()
                )
                self.say(
                    f"{place} {program.name}: {system.name}: {len(entry['answers'])} answers, "
                    f"best {shown or 'none'}"
                )

    def _entry(self, judge: ProgramJudge, system: ProgramSystem) -> Entry:
        """One system's answers to one program, and what the protocols say of the best."""
        plan, started = self.plan, time.monotonic()
        answers: list[Entry] = []
        judgements: list[Judged] = []
        task = judge.task(plan.samples, started + plan.seconds, only_hot=not system.chats)
        failure = ""
        for round_ in range(1 + (plan.refine if system.proposer.refines else 0)):
            try:
                offered = asked(system, task, plan.samples)
            except (ProposerError, ValueError) as error:
                failure = str(error)
                break
            attempts = []
            for candidate in offered:
                judged = judge.try_candidate(candidate)
                judgements.append(judged)
                answers.append(_answer(candidate, judged, round_))
                attempts.append(Attempt(candidate, judged.verdict))
            task = replace(task, attempts=tuple(attempts))
        seconds = time.monotonic() - started
        measured: dict[str, Any] = {}
        wanted = {best_of(answers, n) for n in prefixes(answers)}
        for index in sorted(x for x in wanted if x >= 0):
            trial = judgements[index].trial
            if trial is not None:
                measured[str(index)] = {
                    x.name: self._measured(x, judge, trial, judgements[index].verdict).as_json()
                    for x in self.protocols
                }
                self._save(judge.program.name, f"{system.name}-{index}", _text(judgements[index]))
        return {
            "answers": answers,
            "best": best_of(answers, len(answers)),
            "measured": measured,
            "failure": failure,
            "chats": system.chats,
            "seconds": round(seconds, 3),
            "seconds_in_all": round(time.monotonic() - started, 3),
        }

    def _measured(
        self, protocol: TimingProtocol, judge: ProgramJudge, trial: Trial, verdict: Verdict
    ) -> Measured:
        """What knows the recordings by heart is fast, too: an honest figure is of what the product
        would ship."""
        found = protocol.measure(judge.judge, trial.admitted)
        if not (protocol.examines and found.faster and self.plan.examine):
            return found
        examined = judge.examined(trial, verdict, self.plan.examine)
        if examined.speedup is not None:
            return found
        said = f"{examined.kind.value}: {examined.detail}"
        return replace(found, speedup=1.0, faster=False, detail=said)

    def _save(self, program: str, name: str, text: str) -> None:
        """Keep assembly for whoever wants to look at it."""
        folder = self.plan.out / "assembly" / program
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name.replace('/', '_')}.s"
        path.write_text(text, encoding="utf-8", errors="surrogateescape")


def _answer(candidate: Candidate, judged: Judged, round_: int) -> Entry:
    verdict = judged.verdict
    glance = verdict.speedup.ratio if verdict.speedup and verdict.kind in _RIGHT else 1.0
    return {
        "label": candidate.label,
        "round": round_,
        "verdict": verdict.kind.value,
        "detail": verdict.detail[:300],
        "compiles": verdict.kind in _BUILT,
        "passes": verdict.kind in _RIGHT,
        "glance": round(glance, 4),
        "seconds": round(candidate.seconds, 3),
    }


def _text(judged: Judged) -> str:
    return "\n".join(judged.admitted.texts.values()) if judged.admitted else ""
