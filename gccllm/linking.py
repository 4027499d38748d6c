"""The link step: the program is linked, its units are at hand, and there are recordings."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from gccllm.assurance.levels import Assurance
from gccllm.errors import GccllmError, StoreError, UsageError
from gccllm.events import count_event
from gccllm.lanes import lane
from gccllm.links import note_link
from gccllm.lockfile import CHECKED, LockFile, read_lock
from gccllm.locking.judging import Court, leave
from gccllm.locking.program import build_locked, matches
from gccllm.optimize import Optimized, Optimizer
from gccllm.paths import cache_dir
from gccllm.program import Program
from gccllm.proposers.base import Proposer
from gccllm.proposers.choose import make
from gccllm.recordings import load
from gccllm.replacing import replace_file
from gccllm.report.progress import Progress, progress
from gccllm.report.record import ProgramRecord, write
from gccllm.sandbox.choice import choose
from gccllm.settings import Settings
from gccllm.store import Store
from gccllm.toolchain import Toolchain
from gccllm.types import Outcome

__all__ = ["optimize_link"]

LANE_WAIT_SECONDS = 100.0


def optimize_link(workdir: str, command: Sequence[str]) -> ProgramRecord | None:
    """Optimise what ``command`` (collect2's) has just linked, in place; the record, if any.

    Says nothing unless asked, except about options that make no sense, a lock file that can't be
    read and a baseline that fails its own recordings: those are for the user to mend.
    """
    # What is killed in the middle can't tidy up; the shim removes the folder with all in it.
    os.environ["TMPDIR"] = tempfile.tempdir = workdir
    try:
        settings = Settings.from_environment()
    except UsageError as error:
        _warn(str(error))
        count_event("link:bad-option")
        return None
    with progress(settings.verbose) as shown:
        record = _optimize(Path(workdir), command[1:], settings, shown)
        if settings.lock is None or record.reason != "no-units":
            shown.finish(record)
    count_event(f"outcome:{record.outcome.value}")
    if record.reason:
        count_event(f"reason:{record.reason}")
    if record.reason in ("baseline-fails", "bad-option", "bad-lock"):
        _warn(record.detail)
    if settings.report is not None:
        try:
            write(record, settings.report)
        except OSError as error:
            _warn(f"can't write the report {settings.report}: {error.strerror}")
    return record


def _optimize(
    scratch: Path, argv: Sequence[str], settings: Settings, shown: Progress
) -> ProgramRecord:
    toolchain = Toolchain(os.environ.get("COLLECT_GCC"))
    record = ProgramRecord(
        program="",
        compiler=toolchain.identity.version,
        isa=settings.isa,
        model=settings.model,
        proposers=settings.proposers,
        outcome=Outcome.NO_TESTS,
    )
    check = os.environ.get("GCCLLM_LOCK_CHECK")
    lock = Path(check) / CHECKED if check else settings.lock
    try:
        locked = read_lock(lock) if lock is not None else None
        program = Program(toolchain, argv, Path.cwd(), scratch)
        record.program = str(program.output)
        if not program.units:
            record.reason = "no-units"
            record.detail = "no object of this link was compiled with recordings announced"
            if locked is not None:
                record.outcome = Outcome.PASSTHROUGH
                record.detail += "; those compiled with a lock file have its rewrites already"
            return record
        if not check:
            note_link(program.output, argv, Path.cwd())
        if locked is not None and not check:
            return _lock(program, locked, settings, record, scratch, shown.say)
        if "-shared" in argv or os.environ.get("GCCLLM_LINKS_ONLY"):
            record.outcome, record.reason = Outcome.PASSTHROUGH, "noted"
            record.detail = "kept for gccllm optimize"
            return record
        tests = _tests(program, settings)
        if tests is None:
            record.reason = "no-recordings"
            record.detail = "no recordings are named, or several and none for this program"
            return record
        record.outcome = Outcome.FALLBACK
        recording = load(tests)
        sandbox = choose()
        proposers: list[Proposer] = [] if check else make(settings.proposers, settings.model)
        folder = cache_dir()
        with lane(folder, LANE_WAIT_SECONDS) as core:
            if core is None:
                record.reason = "no-free-lane"
                record.detail = "every core for timing was busy with other measurements"
                return record
            if locked is not None and check:
                court = Court(
                    program, recording, sandbox, scratch, settings.budget, core, shown.say
                )
                return _check(program, locked, Path(check), record, court)
            store = _open_store(folder, shown.say)
            try:
                optimizer = Optimizer(
                    program,
                    recording,
                    settings,
                    sandbox=sandbox,
                    proposers=proposers,
                    store=store,
                    scratch=scratch,
                    core=core,
                    say=shown.say,
                )
                record = optimizer.record
                return _install(program, optimizer.run(program.output))
            finally:
                if store is not None:
                    store.close()
    except Exception as error:
        # Our own fault or the machine's; the user has gcc's result, and the record says why.
        known = isinstance(error, GccllmError | OSError)
        record.outcome = Outcome.FALLBACK
        record.reason = getattr(error, "reason", "io-error" if known else "driver-failed")
        record.detail = str(error) if known else f"{type(error).__name__}: {error}"
        if not known:
            shown.say("".join(traceback.format_exception(error)))
        return record


def _lock(
    program: Program,
    locked: LockFile,
    settings: Settings,
    record: ProgramRecord,
    scratch: Path,
    say: Callable[[str], None],
) -> ProgramRecord:
    """What a lock file holds for units that are carried; it needs no recordings."""
    record.model, record.proposers = "none", ()
    for line in locked.damaged:
        count_event("lock:damaged")
        say(f"{settings.lock}: {line}")
    found = matches(locked, program, Assurance(settings.lock_assurance), settings.isa)
    built = build_locked(program, found, settings.isa, record, scratch, count_event, say)
    return _install(program, Optimized(record, built))


def _check(
    program: Program,
    locked: LockFile,
    folder: Path,
    record: ProgramRecord,
    court: Court,
) -> ProgramRecord:
    """Judge what the lock file has for this program, for ``gccllm lock --check``; gcc's ships."""
    judged = court.judge(matches(locked, program, Assurance.TESTS))
    leave(folder, program.output, judged)
    record.reason, record.detail = "lock-checked", f"{len(judged)} rewrites judged again"
    return record


def _install(program: Program, done: Optimized) -> ProgramRecord:
    """The accepted executable takes gcc's place; if it can't, gcc's stays."""
    if done.executable is not None:
        try:
            replace_file(str(program.output), str(done.executable))
        except Exception as error:
            done.record.outcome = Outcome.FALLBACK
            done.record.reason = getattr(error, "reason", "not-replaceable")
            done.record.detail = str(error)
    return done.record


def _tests(program: Program, settings: Settings) -> Path | None:
    """The folder named by the user, else the one the units were compiled with.

    A named folder may hold one for each program of a build: ``PROGRAM.tests`` or ``PROGRAM``.
    """
    if settings.tests is not None:
        name = program.output.name
        for folder in (settings.tests / f"{name}.tests", settings.tests / name):
            if folder.is_dir():
                return folder
        for_others = any(x.is_dir() for x in settings.tests.glob("*"))
        return None if for_others and not any(settings.tests.glob("*.out")) else settings.tests
    named = [Path(x) for x in program.recordings_named()]
    if len(named) > 1:
        named = [x for x in named if x.stem == program.output.stem]
    return named[0] if len(named) == 1 else None


def _open_store(folder: Path, say: Callable[[str], None]) -> Store | None:
    try:
        return Store(folder)
    except StoreError as error:
        say(str(error))
        count_event("link:store-unusable")
        return None


def _warn(text: str) -> None:
    """To the user's stderr, which the shim keeps from everything else by another descriptor."""
    line = f"gcc-llm: warning: {text}\n".encode("utf-8", "replace")
    with suppress(OSError, ValueError):
        os.write(int(os.environ.get("GCCLLM_STDERR") or sys.stderr.fileno()), line)
