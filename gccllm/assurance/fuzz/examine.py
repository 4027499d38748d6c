"""Program fuzzing: baseline and candidate side by side on mutated recordings.

The baseline is the oracle. Mutants on which it crashes, takes too long, writes too much or varies
are skipped and counted. Compared are ending, exit status, stdout, stderr and written files.
"""

from __future__ import annotations

import base64
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from gccllm.assurance.fuzz.behaviour import describe, same
from gccllm.assurance.fuzz.constants import mine, one_sided, spelled_options
from gccllm.assurance.fuzz.contest import (
    BASELINE,
    CANDIDATE,
    Contest,
    Difference,
    Ruling,
    contest,
)
from gccllm.assurance.fuzz.inputs import Mutant, Seedling, seedlings
from gccllm.assurance.fuzz.speed import speed_elsewhere
from gccllm.assurance.fuzz.stream import mutants
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.program import Build
from gccllm.recordings import Case, Recording
from gccllm.sandbox.base import Ending, RunLimits, RunResult, Sandbox, Session, Trial
from gccllm.types import Json

__all__ = ["MOST_INPUTS", "fuzz"]

MOST_INPUTS = 2000
ROUND = 32
MOST_CONTESTS = 8
"""second looks; a candidate whose differences all vanish then is undecided"""
PATIENCE = 10
SPEED_SHARE = 0.25
"""of the time is for the question whether it is faster elsewhere, too"""
LEAST_WALL, MOST_WALL = 0.1, 2.0
SPARE_OUTPUT = 64 << 10


@dataclass
class _Tally:
    runs: int = 0
    compared: int = 0
    refused: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    answers: set[int] = field(default_factory=set)
    contests: int = 0


def fuzz(
    sandbox: Sandbox,
    baseline: Build,
    candidate: Build,
    recording: Recording,
    *,
    seconds: float,
    seed: int = 0,
    inputs: int = MOST_INPUTS,
    witnesses: Mapping[str, Path] | None = None,
    core: int | None = None,
    expired: Callable[[], bool] = lambda: False,
    compared: Callable[[Trial], None] = lambda trial: None,
) -> Examination:
    """Compare the programs on up to ``inputs`` mutants, for up to ``seconds``, reading their code
    beforehand aside.

    Refuted: with the smallest input found. Passed: with how many inputs of which kinds. Unknown:
    nothing could be compared, or the candidate is faster on what was recorded only. The mutants
    depend on recording, objects and ``seed`` alone, save that recorded inputs on which the program
    takes long are not mutated. ``witnesses`` are other honest builds by name (say, one that traps
    on undefined behaviour): an input on which one of them does not do what the baseline does
    refutes nothing. ``compared`` is told each input on which both did the same. Evidence
    ``applicable`` is False where the program has no inputs to be mutated, or gives one answer to
    them all. Raises SandboxError and SandboxUnavailable, OSError for an input that can't be read.
    """
    mined = mine(sorted({*baseline.objects.values(), *candidate.objects.values()}))
    apart = one_sided(sorted(baseline.objects.values()), sorted(candidate.objects.values()))
    spelled = spelled_options(sorted(baseline.objects.values()))
    began = time.monotonic()
    until = began + (1 - SPEED_SHARE) * seconds
    tally = _Tally()
    programs = {BASELINE: baseline.executable, CANDIDATE: candidate.executable}
    programs |= dict(witnesses or {})

    def examination(standing: Standing, detail: str, more: Mapping[str, Json]) -> Examination:
        took = time.monotonic() - began
        evidence = {**_evidence(tally, seed, len(mined), took), **more}
        return Examination(Assurance.FUZZED, standing, detail, evidence, took)

    given = [case.given for case in recording.cases]
    with sandbox.open({BASELINE: programs[BASELINE]}, given, limits=RunLimits(), core=core) as one:
        known = _recorded_runs(one, recording.cases, until=began + seconds / 3)
    from_cases = _quick(seedlings(recording.cases), known)
    if not from_cases:
        detail = "no recorded input can be mutated"
        return examination(Standing.UNKNOWN, detail, {"applicable": False})
    runs = [known[x.number] for x in from_cases]
    limits, patient = _limits(runs)
    at_once = _at_once(runs, seconds)
    stream = islice(mutants(from_cases, mined, seed, apart, spelled), inputs)
    with tempfile.TemporaryDirectory(prefix="gccllm-fuzz-") as name:
        where = Contest(sandbox, programs, recording.cases, patient, limits, core, Path(name))
        with sandbox.open(programs, given, limits=limits, core=core) as session:
            while time.monotonic() < until and not expired():
                batch = list(islice(stream, at_once))
                if not batch:
                    break
                differing = _round(session, batch, tally, compared)
                for mutant in _uncontested(session, differing, where.witnesses, tally):
                    if tally.contests and (time.monotonic() > until or expired()):
                        detail = "they seem to differ, and there was no time for a second look"
                        return examination(Standing.UNKNOWN, detail, {"doubt": True, "again": True})
                    ruling, found = contest(where, mutant, until=until)
                    tally.contests += 1
                    if found is not None:
                        return examination(Standing.REFUTED, *_refutation(found, recording.cases))
                    _settle(tally, mutant, ruling)
                    if tally.contests >= MOST_CONTESTS and ruling is Ruling.RECOVERED:
                        detail = "it differs now and then, never when looked at again"
                        return examination(Standing.UNKNOWN, detail, {"doubt": True})
    if len(tally.answers) < 2:
        what = "no input" if not tally.compared else "all inputs were answered alike"
        detail = f"nothing was learned: {what} ({_skipped(tally)})"
        return examination(Standing.UNKNOWN, detail, {"applicable": tally.compared < ROUND})
    wall = min(max(LEAST_WALL, PATIENCE * max(x.wall for x in known.values())), 10.0)
    slow = RunLimits(wall, int(wall) + 1)
    pair = {BASELINE: programs[BASELINE], CANDIDATE: programs[CANDIDATE]}
    with sandbox.open(pair, given, limits=slow, core=core) as session:
        every = seedlings(recording.cases)
        roles = (BASELINE, CANDIDATE)
        elsewhere = speed_elsewhere(session, roles, every, known, until=began + seconds)
    more = {} if elsewhere is None else elsewhere.evidence()
    if elsewhere is not None and not elsewhere.holds:
        detail = f"it is fast on what was recorded, and not on other inputs: {elsewhere}"
        return examination(Standing.UNKNOWN, detail, {"doubt": True, **more})
    detail = f"the same on {tally.compared} mutated inputs ({_skipped(tally)})"
    return examination(Standing.PASSED, detail, more)


def _recorded_runs(
    session: Session, cases: Sequence[Case], *, until: float
) -> dict[int, RunResult]:
    """What the baseline does on the recorded inputs, by case; left out are those on which it does
    not exit, and those whose turn does not come."""
    known: dict[int, RunResult] = {}
    for number in range(len(cases)):
        if known and time.monotonic() > until:
            break
        result = session.run(BASELINE, number)
        if result.ending is Ending.EXITED:
            known[number] = result
    return known


def _quick(found: Sequence[Seedling], known: Mapping[int, RunResult]) -> list[Seedling]:
    """Those that are not much slower than the others: a mutant of theirs takes as long."""
    usable = [x for x in found if x.number in known]
    if not usable:
        return []
    quickest = min(known[x.number].cpu for x in usable)
    return [x for x in usable if known[x.number].cpu <= 4 * quickest + 0.005]


def _at_once(known: Sequence[RunResult], seconds: float) -> int:
    """Inputs between two looks at the clock: slow programs get fewer."""
    slowest = max(x.wall for x in known)
    return max(1, min(ROUND, int(seconds / 20 / max(slowest, 1e-4))))


def _limits(known: Sequence[RunResult]) -> tuple[RunLimits, RunLimits]:
    """For the mutants' runs, and for a second look."""
    slowest = max(x.wall for x in known)
    wall = min(max(LEAST_WALL, PATIENCE * slowest), MOST_WALL)
    output = 4 * max(len(x.stdout) + len(x.stderr) for x in known) + SPARE_OUTPUT
    usual = RunLimits()
    output = min(output, usual.output_bytes)
    quick = RunLimits(wall, int(wall) + 1, usual.address_space, output)
    patient = max(PATIENCE * wall, PATIENCE * slowest)
    return quick, RunLimits(patient, int(patient) + 1, usual.address_space, output)


def _round(
    session: Session, batch: Sequence[Mutant], tally: _Tally, compared: Callable[[Trial], None]
) -> list[Mutant]:
    """Run a batch; the mutants on which the programs seem to differ."""
    expected = session.run_many(BASELINE, [x.trial for x in batch])
    tally.runs += len(expected)
    sound: list[tuple[Mutant, RunResult]] = []
    for mutant, result in zip(batch, expected, strict=True):
        if result.ending is Ending.EXITED:
            sound.append((mutant, result))
        else:
            tally.skipped[f"baseline {result.ending.value}"] += 1
    actual = session.run_many(CANDIDATE, [x.trial for x, _ in sound])
    tally.runs += len(actual)
    differing = []
    for (mutant, wanted), result in zip(sound, actual, strict=True):
        if not same(wanted, result):
            differing.append(mutant)
            continue
        tally.compared += 1
        tally.kinds[mutant.kind] += 1
        tally.refused += wanted.code != 0
        tally.answers.add(hash((wanted.code, wanted.stdout)))
        compared(mutant.trial)
    return differing


def _uncontested(
    session: Session, differing: Sequence[Mutant], witnesses: Sequence[str], tally: _Tally
) -> list[Mutant]:
    """Those on which neither the baseline itself nor a witness disagrees with the baseline at once;
    it spares second looks.

    A witness may be slow: one that takes too long says nothing yet.
    """
    left = list(differing)
    for name in (BASELINE, *witnesses) if left else ():
        trials = [x.trial for x in left]
        wanted = session.run_many(BASELINE, trials)
        had = session.run_many(name, trials)
        agreed = [
            Ending.TIMED_OUT in (w.ending, h.ending) or same(w, h)
            for w, h in zip(wanted, had, strict=True)
        ]
        if not all(agreed):
            ruling = Ruling.UNSTABLE if name == BASELINE else Ruling.CONTESTED
            tally.skipped[ruling.value] += agreed.count(False)
        left = [mutant for mutant, good in zip(left, agreed, strict=True) if good]
    return left


def _settle(tally: _Tally, mutant: Mutant, ruling: Ruling) -> None:
    if ruling is Ruling.RECOVERED:
        tally.compared += 1
        tally.kinds[mutant.kind] += 1
    else:
        tally.skipped[ruling.value] += 1


def _skipped(tally: _Tally) -> str:
    parts = [f"{n} skipped: {why}" for why, n in sorted(tally.skipped.items())]
    return ", ".join(parts) or "none skipped"


def _evidence(tally: _Tally, seed: int, mined: int, seconds: float) -> dict[str, Json]:
    return {
        "inputs": tally.compared,
        "refused_inputs": tally.refused,
        "distinct_answers": len(tally.answers),
        "kinds": dict(sorted(tally.kinds.items())),
        "skipped": dict(sorted(tally.skipped.items())),
        "runs": tally.runs,
        "runs_per_second": round(tally.runs / seconds, 1) if seconds > 0 else 0.0,
        "constants_mined": mined,
        "seed": seed,
    }


def _refutation(found: Difference, cases: Sequence[Case]) -> tuple[str, dict[str, Json]]:
    mutant = found.mutant
    arguments: list[Json] = list(mutant.args)
    counterexample: dict[str, Json] = {
        "case": cases[mutant.case].name,
        "how": mutant.how,
        "args": arguments,
        "stdin_base64": base64.b64encode(mutant.stdin).decode("ascii"),
        "baseline": dict(describe(found.baseline)),
        "candidate": dict(describe(found.candidate)),
    }
    if mutant.files:
        counterexample["files_base64"] = {
            path: None if data is None else base64.b64encode(data).decode("ascii")
            for path, data in sorted(mutant.files.items())
        }
    with suppress(UnicodeDecodeError):
        counterexample["stdin"] = mutant.stdin.decode("utf-8")
    detail = f"{found.line} on {_shown(mutant)}"
    return detail, {"counterexample": counterexample, "kind": mutant.kind}


def _shown(mutant: Mutant) -> str:
    parts = [] if mutant.files and not mutant.stdin else [f"stdin {_beginning(mutant.stdin)}"]
    parts += [
        f"without the file {path}" if data is None else f"the file {path} {_beginning(data)}"
        for path, data in sorted(mutant.files.items())
    ]
    if mutant.args:
        parts.append(f"the arguments {' '.join(mutant.args)[:60]}")
    return " and ".join(parts)


def _beginning(data: bytes) -> str:
    more = "" if len(data) <= 60 else f" … ({len(data)} bytes)"
    return f"{data[:60].decode('utf-8', 'backslashreplace')!r}{more}"
