"""One input on which two programs seemed to differ: is it so, and does it count?

The mutants' own runs are quick and impatient. What they found is looked at again the way recorded
cases are run, several times and with ten times the patience.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from gccllm.assurance.fuzz.behaviour import difference, same
from gccllm.assurance.fuzz.inputs import Mutant
from gccllm.assurance.fuzz.shrink import shrink
from gccllm.recordings import Case
from gccllm.sandbox.base import (
    Ending,
    RunLimits,
    RunResult,
    Sandbox,
    Session,
)
from gccllm.sandbox.staging import altered_folder

__all__ = ["BASELINE", "CANDIDATE", "Contest", "Difference", "Ruling", "contest"]

BASELINE, CANDIDATE = "baseline", "candidate"
BASELINE_RUNS = 3
CANDIDATE_RUNS = 2
SHRINK_SECONDS = 3.0


class Ruling(str, Enum):
    """What came of a second look; the value counts in reports."""

    DIFFERS = "differs"
    RECOVERED = "recovered"
    """with more patience both did the same"""
    UNSTABLE = "baseline varies"
    BASELINE_FAILS = "baseline fails"
    CONTESTED = "contested by a witness"
    """another honest build of the program does something else than the baseline, too: the input
    reaches behaviour that C leaves undefined"""


@dataclass(frozen=True)
class Difference:
    """An input that tells the programs apart, and what each did."""

    mutant: Mutant
    baseline: RunResult
    candidate: RunResult

    @property
    def line(self) -> str:
        return difference(self.baseline, self.candidate)


@dataclass(frozen=True)
class Contest:
    """The programs, by the roles above and the witnesses' names, and where they run.

    ``limits`` hold where it counts, ``quick`` ones while smaller inputs are looked for.
    """

    sandbox: Sandbox
    programs: Mapping[str, Path]
    cases: Sequence[Case]
    limits: RunLimits
    quick: RunLimits
    core: int | None
    folder: Path

    @property
    def witnesses(self) -> tuple[str, ...]:
        return tuple(x for x in self.programs if x not in (BASELINE, CANDIDATE))


def contest(where: Contest, mutant: Mutant, *, until: float) -> tuple[Ruling, Difference | None]:
    """Look again at ``mutant``; when it holds, with the smallest input found before ``until``
    (time.monotonic seconds; the shrinking may take a few seconds in any case).

    Raises SandboxError.
    """
    ruling, found = _look(where, mutant)
    if found is None or found.candidate.ending is Ending.TIMED_OUT:
        return ruling, found
    deadline = time.monotonic() + min(SHRINK_SECONDS, max(1.0, until - time.monotonic()))
    given = [case.given for case in where.cases]
    smaller = mutant
    with where.sandbox.open(where.programs, given, limits=where.quick, core=where.core) as session:
        for path in (None, *sorted(mutant.files)):
            data = mutant.stdin if path is None else mutant.files[path]
            if data:
                finder = _Finder(where, session, smaller, path)
                small = shrink(data, finder.holds, seconds=deadline - time.monotonic())
                smaller = finder.changed(small)
    if (smaller.stdin, smaller.files) == (mutant.stdin, mutant.files):
        return ruling, found
    shrunk = replace(smaller, how=f"{mutant.how}; then made smaller")
    again, less = _look(where, shrunk)
    return ruling, less if again is Ruling.DIFFERS and less is not None else found


def _look(where: Contest, mutant: Mutant) -> tuple[Ruling, Difference | None]:
    """Run it as a recorded case is run."""
    stdin = where.folder / "contested"
    stdin.write_bytes(mutant.stdin)
    given = replace(where.cases[mutant.case].given, args=mutant.args, stdin=stdin)
    if mutant.files and given.files is not None:
        files = Path(tempfile.mkdtemp(dir=where.folder)) / "files"
        altered_folder(given.files, files, mutant.files)
        given = replace(given, files=files)
    with where.sandbox.open(
        where.programs, [given], limits=where.limits, core=where.core
    ) as session:
        baseline = session.run(BASELINE, 0)
        if baseline.ending is not Ending.EXITED:
            return Ruling.BASELINE_FAILS, None
        candidate = session.run(CANDIDATE, 0)
        if same(baseline, candidate):
            again = (session.run(CANDIDATE, 0) for _ in range(CANDIDATE_RUNS - 1))
            candidate = next((x for x in again if not same(baseline, x)), candidate)
            if same(baseline, candidate):
                return Ruling.RECOVERED, None
        for _ in range(BASELINE_RUNS - 1):
            if not same(baseline, session.run(BASELINE, 0)):
                return Ruling.UNSTABLE, None
        for witness in where.witnesses:
            if not same(baseline, session.run(witness, 0)):
                return Ruling.CONTESTED, None
    return Ruling.DIFFERS, Difference(mutant, baseline, candidate)


class _Finder:
    """Which of some contents of stdin, or of the file ``path``, still tell the programs apart."""

    def __init__(self, where: Contest, session: Session, mutant: Mutant, path: str | None) -> None:
        self.where = where
        self.session = session
        self.mutant = mutant
        self.path = path

    def changed(self, data: bytes) -> Mutant:
        """The mutant with these contents."""
        if self.path is None:
            return replace(self.mutant, stdin=data)
        return replace(self.mutant, files={**self.mutant.files, self.path: data})

    def holds(self, inputs: Sequence[bytes]) -> int | None:
        trials = [self.changed(x).trial for x in inputs]
        baseline = self.session.run_many(BASELINE, trials)
        sound = [i for i, x in enumerate(baseline) if x.ending is Ending.EXITED]
        candidate = self.session.run_many(CANDIDATE, [trials[i] for i in sound])
        for index, result in zip(sound, candidate, strict=True):
            if result.ending is Ending.TIMED_OUT or same(baseline[index], result):
                continue
            if all(
                same(baseline[index], self.session.run_many(name, [trials[index]])[0])
                for name in (BASELINE, *self.where.witnesses)
            ):
                return index
        return None
