"""A sandbox without processes or clocks, for tests of whatever judges, times or trains.

A program is a callable or a script. Its times are those that the results carry::

    quick = FakeSandbox.result(stdout=b"42\\n", user=0.010)
    sandbox = FakeSandbox({"baseline": [slow], "candidate": [quick, quick, crash]})
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gccllm.errors import SandboxError
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Trial
from gccllm.sandbox.staging import altered_folder

__all__ = ["Behaviour", "FakeSandbox", "FakeSession"]

Behaviour = Callable[[RunInput, int], RunResult] | Sequence[RunResult]
"""(input, how often this program ran before) → result; or results to give in turn, over again"""


class FakeSession:
    """An open session; ``runs`` lists (program, case) in the order in which they were run."""

    def __init__(
        self, behaviours: Mapping[str, Behaviour], cases: Sequence[RunInput], limits: RunLimits
    ) -> None:
        self._behaviours = behaviours
        self._known: dict[str, Behaviour] = {}
        self._counts: dict[str, int] = {}
        self._cases = cases
        self._limits = limits
        self.runs: list[tuple[str, int]] = []

    def add_program(self, name: str, path: Path) -> None:
        """Raises SandboxError where no behaviour is known by the name or the path."""
        for key in (name, str(path), path.name):
            if key in self._behaviours:
                self._known[name] = self._behaviours[key]
                return
        raise SandboxError(f"the fake sandbox has no behaviour for {name!r} ({path})")

    def run(self, program: str, case: int, *, collect_files: bool = True) -> RunResult:
        """The scripted result, held to the session's limits as a real one would be."""
        self._check(program)
        if not 0 <= case < len(self._cases):
            raise SandboxError(f"no such case: {case}")
        self.runs.append((program, case))
        result = self._behave(program, self._cases[case])
        return result if collect_files else replace(result, files={})

    def run_many(
        self, program: str, trials: Sequence[Trial], *, notes: bool = False
    ) -> list[RunResult]:
        """Results in turn; a trial reaches a behaviour as an input whose stdin is a file.

        ``runs`` lists them as case -1. Notes are what the results carry.
        """
        self._check(program)
        results = []
        with tempfile.TemporaryDirectory(prefix="gccllm-fake-") as folder:
            stdin = Path(folder) / "stdin"
            for number, trial in enumerate(trials):
                stdin.write_bytes(trial.stdin)
                case = RunInput() if trial.case is None else self._cases[trial.case]
                if trial.files and case.files is not None:
                    files = Path(folder) / f"{number}.files"
                    altered_folder(case.files, files, trial.files)
                    case = replace(case, files=files)
                self.runs.append((program, -1))
                results.append(self._behave(program, replace(case, args=trial.args, stdin=stdin)))
        return [result if notes else replace(result, notes=b"") for result in results]

    def _check(self, program: str) -> None:
        if program not in self._known:
            raise SandboxError(f"no such program in this session: {program!r}")

    def _behave(self, program: str, given: RunInput) -> RunResult:
        count = self._counts.get(program, 0)
        self._counts[program] = count + 1
        behaviour = self._known[program]
        if callable(behaviour):
            result = behaviour(given, count)
        else:
            result = behaviour[count % len(behaviour)]
        if max(len(result.stdout), len(result.stderr)) > self._limits.output_bytes:
            result = replace(result, ending=Ending.TOO_MUCH_OUTPUT)
        if result.wall > self._limits.wall_seconds or result.cpu > self._limits.cpu_seconds:
            result = replace(result, ending=Ending.TIMED_OUT, code=9)
        return result

    def profile(self, program: str, case: int) -> tuple[RunResult, bytes]:
        """The result, and as the profile the file that it calls ``profile``, if any."""
        result = self.run(program, case)
        files = dict(result.files)
        profile = files.pop("profile", b"")
        return replace(result, files=files), profile


class FakeSandbox:
    """``behaviours`` by the program's name in the session, its path, or the path's last part.

    ``sessions`` keeps every session that was opened, for a test to look at.
    """

    name = "fake"

    def __init__(self, behaviours: Mapping[str, Behaviour]) -> None:
        self._behaviours = behaviours
        self.sessions: list[FakeSession] = []

    @contextmanager
    def open(
        self,
        programs: Mapping[str, Path],
        cases: Sequence[RunInput],
        *,
        limits: RunLimits,
        core: int | None = None,
    ) -> Iterator[FakeSession]:
        """See :class:`gccllm.sandbox.base.Sandbox`."""
        session = FakeSession(self._behaviours, cases, limits)
        for name, path in programs.items():
            session.add_program(name, path)
        self.sessions.append(session)
        yield session

    @staticmethod
    def result(
        stdout: bytes = b"",
        *,
        code: int = 0,
        user: float = 0.01,
        system: float = 0.0,
        wall: float | None = None,
        ending: Ending = Ending.EXITED,
        stderr: bytes = b"",
        files: Mapping[str, bytes] | None = None,
    ) -> RunResult:
        """A result with defaults; ``wall`` is user + system unless given."""
        return RunResult(
            ending=ending,
            code=code,
            stdout=stdout,
            stderr=stderr,
            user=user,
            system=system,
            wall=user + system if wall is None else wall,
            files=dict(files or {}),
        )
