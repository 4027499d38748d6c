"""Talk to a runner: one open session, whatever isolation was put around it.

The protocol is described at the top of protocol.h.
"""

from __future__ import annotations

import os
import selectors
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import SandboxError, SandboxUnavailable
from gccllm.process import kill_tree
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Trial
from gccllm.sandbox.staging import Stage

__all__ = ["Confinement", "RunnerSession", "runner_session"]

START_SECONDS = 20.0
STOP_SECONDS = 2.0
SPARE_SECONDS = 30.0
"""what a reply may take on top of the run's own wall limit: copying in, collecting, deleting"""
MAX_COLLECTED = 256
MAX_ENTRIES = 20_000
SCRATCH_BYTES = 256 << 20
ENDINGS = (
    Ending.EXITED,
    Ending.SIGNALLED,
    Ending.TIMED_OUT,
    Ending.TOO_MUCH_OUTPUT,
    Ending.FORBIDDEN,
)
FLAG_COLLECT, FLAG_PROFILE, FLAG_MANY, FLAG_NOTES = 1, 2, 4, 8
NO_CASE = 0xFFFFFFFF
MOST_TRIALS = 64
"""in one command; many.h allows more"""
MOST_TRIAL_BYTES = 1 << 20
"""of arguments in one command, of which protocol.h allows four times as much"""


@dataclass(frozen=True)
class Confinement:
    """How strictly the runner holds its programs.

    ``landlock`` 0: never, 1: where the kernel has it, 2: give up without it. ``processes`` is
    RLIMIT_NPROC for all processes and threads of the uid, 0: leave it alone.
    """

    landlock: int
    seccomp: bool
    uid: int
    processes: int


def scratch_bytes(stage: Stage) -> int:
    """How much a run may write into its working folder, its own input files included."""
    return SCRATCH_BYTES + 2 * stage.largest_files


def runner_arguments(
    work: str, stage: Stage, limits: RunLimits, core: int | None, confinement: Confinement
) -> list[str]:
    """The runner's command line, less its own name."""
    values = {
        "work": work,
        "uid": confinement.uid,
        "core": -1 if core is None else core,
        "wall": int(limits.wall_seconds * 1e9),
        "cpu": limits.cpu_seconds,
        "memory": limits.address_space,
        "output": limits.output_bytes,
        "stack": limits.stack_bytes,
        "processes": confinement.processes,
        "scratch": scratch_bytes(stage),
        "entries": MAX_ENTRIES,
        "collected": MAX_COLLECTED,
        "landlock": confinement.landlock,
        "seccomp": int(confinement.seccomp),
    }
    return [f"{name}={value}" for name, value in values.items()]


class RunnerSession:
    """A session that is open. Not for several threads at once; see :func:`runner_session`."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        stage: Stage,
        cases: Sequence[RunInput],
        limits: RunLimits,
        complaints: Path,
    ) -> None:
        self._child = child
        self._stage = stage
        self._cases = cases
        self._limits = limits
        self._complaints = complaints
        self._broken = ""
        self.landlock_abi = 0
        """what the kernel offers; 0: none"""

    def run(self, program: str, case: int, *, collect_files: bool = True) -> RunResult:
        """See :class:`gccllm.sandbox.base.Session`."""
        return self._run(program, case, FLAG_COLLECT if collect_files else 0)

    def run_many(
        self, program: str, trials: Sequence[Trial], *, notes: bool = False
    ) -> list[RunResult]:
        """See :class:`gccllm.sandbox.base.Session`."""
        self._check(program)
        flags = FLAG_MANY | FLAG_COLLECT | (FLAG_NOTES if notes else 0)
        name = os.fsencode(program) + b"\0"
        results: list[RunResult] = []
        while len(results) < len(trials):
            coded: list[bytes] = []
            room = MOST_TRIAL_BYTES
            for number, trial in enumerate(trials[len(results) :][:MOST_TRIALS]):
                body = self._coded(number, trial)
                room -= len(body)
                if coded and room < 0:
                    break
                self._stage.put_trial(number, trial.stdin)
                if trial.files and trial.case is not None:
                    place = len(self._cases) + number
                    self._stage.put_files(place, trial.case, trial.files)
                coded.append(body)
            self._send(struct.pack("=III", flags, len(coded), 0) + name + b"".join(coded))
            # the runner ends a reply when its runs have taken half a second
            reply = self._receive(self._limits.wall_seconds + SPARE_SECONDS)
            (count,) = struct.unpack_from("=I", reply)
            if not count:
                raise self._breakdown("it ran nothing")
            at = 4
            for _ in range(count):
                result, at = _parse(reply, at)
                results.append(result)
        return results

    def profile(self, program: str, case: int) -> tuple[RunResult, bytes]:
        """Run a program that we trust with timers allowed and an empty file as descriptor 3;
        also gives what it wrote there. Raises SandboxError."""
        result = self._run(program, case, FLAG_PROFILE)
        return result, result.notes

    def add_program(self, name: str, path: Path) -> None:
        """Copy one more program in. Raises SandboxError."""
        self._stage.add_program(name, path)

    def _run(self, program: str, case: int, flags: int) -> RunResult:
        self._check(program, case)
        args = _strings(self._cases[case].args)
        head = struct.pack("=III", flags, case, len(self._cases[case].args))
        self._send(head + os.fsencode(program) + b"\0" + args)
        return _parse(self._receive(self._limits.wall_seconds + SPARE_SECONDS), 0)[0]

    def _coded(self, number: int, trial: Trial) -> bytes:
        files = NO_CASE
        if trial.case is not None:
            self._check_case(trial.case)
            given = self._cases[trial.case]
            if trial.files:
                files = len(self._cases) + number
            elif given.files is not None or given.environment:
                files = trial.case
        elif trial.files:
            raise SandboxError("a made-up input without a case can't have files")
        return struct.pack("=III", number, files, len(trial.args)) + _strings(trial.args)

    def _check(self, program: str, case: int | None = None) -> None:
        if self._broken:
            raise SandboxError(self._broken)
        if self._child.poll() is not None:
            raise self._breakdown("it has ended")
        if case is not None:
            self._check_case(case)
        if "\0" in program or not (self._stage.programs / program).is_file():
            raise SandboxError(f"no such program in this session: {program!r}")

    def _check_case(self, case: int) -> None:
        if not 0 <= case < len(self._cases):
            raise SandboxError(f"no such case: {case}")

    def wait_until_ready(self) -> None:
        """Raises SandboxUnavailable when the runner does not come up."""
        try:
            reply = self._receive(START_SECONDS)
        except SandboxError as error:
            raise SandboxUnavailable(str(error)) from None
        (self.landlock_abi,) = struct.unpack("=I", reply)

    def _send(self, body: bytes) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(struct.pack("=I", len(body)) + body)
            self._child.stdin.flush()
        except OSError:
            raise self._breakdown("it has ended") from None

    def _receive(self, seconds: float) -> memoryview:
        """The rest of one reply, after its status word. Raises SandboxError."""
        deadline = time.monotonic() + seconds
        (length,) = struct.unpack("=Q", self._read(8, deadline))
        body = self._read(length, deadline)
        (status,) = struct.unpack_from("=I", body)
        if status != 0:
            raise self._breakdown(body[4:].decode("utf-8", "replace"))
        return memoryview(body)[4:]

    def _read(self, length: int, deadline: float) -> bytearray:
        assert self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        data = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while len(data) < length:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self._breakdown("no reply within its time limit")
                piece = os.read(descriptor, min(length - len(data), 1 << 20))
                if not piece:
                    raise self._breakdown("it has ended")
                data += piece
        return data

    def _breakdown(self, why: str) -> SandboxError:
        """Every later use fails the same way: half a reply may be left in the pipe."""
        _stop(self._child, 0.0)
        said = ""
        with suppress(OSError):
            said = self._complaints.read_bytes()[-300:].decode("utf-8", "replace").strip()
        self._broken = "the sandbox's runner broke down: " + why + (f" ({said})" if said else "")
        return SandboxError(self._broken)


def _strings(texts: Sequence[str]) -> bytes:
    coded = [os.fsencode(text) for text in texts]
    if any(b"\0" in text for text in coded):
        raise SandboxError("an argument holds a NUL")
    return b"".join(text + b"\0" for text in coded)


def _parse(reply: memoryview, at: int) -> tuple[RunResult, int]:
    """The result that starts at byte ``at`` of a reply, and where it ends."""
    ending, code, user, system, wall = struct.unpack_from("=IIQQQ", reply, at)
    at += struct.calcsize("=IIQQQ")

    def blob() -> bytes:
        nonlocal at
        (length,) = struct.unpack_from("=Q", reply, at)
        at += 8 + length
        return bytes(reply[at - length : at])

    stdout, stderr, notes = blob(), blob(), blob()
    (count,) = struct.unpack_from("=I", reply, at)
    at += 4
    files = {}
    for _ in range(count):
        path = os.fsdecode(blob())
        files[path] = blob()
    times = (user / 1e9, system / 1e9, wall / 1e9)
    return RunResult(ENDINGS[ending], code, stdout, stderr, *times, files, notes), at


@contextmanager
def runner_session(
    prefix: Sequence[str],
    runner_argv: Sequence[str],
    stage: Stage,
    cases: Sequence[RunInput],
    limits: RunLimits,
) -> Iterator[RunnerSession]:
    """Start a runner, behind ``prefix`` (bwrap and its options, or nothing).

    At the end the runner sees its stream close and leaves; what does not leave is killed.
    Raises SandboxUnavailable when it does not start.
    """
    complaints = stage.root / "stderr"
    inputs = os.open(stage.inputs, os.O_RDONLY | os.O_DIRECTORY)
    programs = os.open(stage.programs, os.O_RDONLY | os.O_DIRECTORY)
    argv = [*prefix, *runner_argv, f"inputs={inputs}", f"programs={programs}"]
    try:
        with complaints.open("wb") as stderr:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=[inputs, programs],
                start_new_session=True,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )
    except OSError as error:
        raise SandboxUnavailable(f"can't start {argv[0]}: {error}") from None
    finally:
        os.close(inputs)
        os.close(programs)
    session = RunnerSession(child, stage, cases, limits, complaints)
    try:
        session.wait_until_ready()
        yield session
    finally:
        _stop(child, STOP_SECONDS)


def _stop(child: subprocess.Popen[bytes], patience: float) -> None:
    """Hang up, which ends the runner; what has not left after ``patience`` seconds is killed."""
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(OSError):
        child.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(patience)
    if child.returncode is None:
        kill_tree(child)
    child.stdout.close()
