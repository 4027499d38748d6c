"""Branch counts of the recordings, for gcc's -fprofile-use.

The unit is compiled with counters, run on its recordings by the task's ``instrument`` (in the
sandbox, linked in the unit's place), and its ``.gcda`` is put where gcc looks for it.
gcc 12 derives the name of that file from -o: ``/abs/x.s`` means ``/abs/x.gcda``, for writing and
for reading, and -fprofile-use=PATH takes PATH as a folder even where it is a file. So both
compilations write the same absolute path, and the name inside the counting program is made
relative: the sandbox has no other place to write to than the folder of the run.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gccllm.process import run
from gccllm.proposers.base import Task

__all__ = ["Profile"]

MERGE_SECONDS = 10.0
_COUNTER_FILE = re.compile(r'^(\s*\.string\s+)"(?:[^"\\]|\\.)*/pgo\.gcda"', re.MULTILINE)


class Profile:
    """The profile of one task's unit. ``gcc`` is the command line, compiler first, without
    outputs and inputs; it must agree with the later compilation in all but the ISA."""

    use = (
        "-fprofile-use",
        # code that no recording reaches is optimised as ever, not for size
        "-fprofile-partial-training",
        "-fno-profile-reorder-functions",
        "-Wno-missing-profile",
        "-Wno-error=coverage-mismatch",
    )
    """the options with which the profile is used; -o must be :attr:`output`"""

    def __init__(self, task: Task, gcc: Sequence[str]) -> None:
        self._task = task
        self._gcc = gcc
        self._folder = (task.scratch / "compilers" / "profile").resolve()
        self.output = self._folder / "pgo.s"
        self._ready: bool | None = None

    def collect(self, seconds: float) -> bool:
        """Whether there is a profile; the first call makes it (``seconds``: for compiling)."""
        if self._ready is None:
            self._ready = self._collect(seconds)
        return self._ready

    def _collect(self, seconds: float) -> bool:
        task = self._task
        if task.compile is None or task.instrument is None:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        argv = [*self._gcc, "-fprofile-generate", "-fprofile-update=single", "-S"]
        source = task.compile.preprocessed.resolve()
        argv += ["-x", "cpp-output", "-o", str(self.output), str(source)]
        if not run(argv, timeout=seconds, cwd=self._folder).ok:
            return False
        text, count = _COUNTER_FILE.subn(
            r'\1"pgo.gcda"', self.output.read_text(encoding="utf-8", errors="surrogateescape")
        )
        if count != 1 or time.monotonic() >= task.deadline:
            return False
        files = task.instrument(text, ["-lgcov"])
        return self._store(files)

    def _store(self, files: Mapping[str, bytes]) -> bool:
        """Write ``pgo.gcda``; several (one a run) are added up with gcov-tool."""
        found = [data for name, data in sorted(files.items()) if name.endswith(".gcda")]
        if not found:
            return False
        target = self._folder / "pgo.gcda"
        target.write_bytes(found[0])
        tool = _gcov_tool(self._gcc[0])
        if tool is None:
            target.write_bytes(max(found, key=len))
            return True
        for data in found[1:]:
            self._add(tool, target, data)
        return True

    def _add(self, tool: str, target: Path, data: bytes) -> None:
        sides = [self._folder / name for name in ("left", "right", "sum")]
        for side in sides:
            shutil.rmtree(side, ignore_errors=True)
            side.mkdir()
        (sides[0] / target.name).write_bytes(target.read_bytes())
        (sides[1] / target.name).write_bytes(data)
        argv = [tool, "merge", "-o", str(sides[2]), str(sides[0]), str(sides[1])]
        done = run(argv, timeout=MERGE_SECONDS)
        merged = sides[2] / target.name
        if done.ok and merged.is_file():
            target.write_bytes(merged.read_bytes())


def _gcov_tool(cc: str) -> str | None:
    """The gcov-tool of this gcc (``gcc-12`` → ``gcov-tool-12``), or the unversioned one."""
    base = Path(cc).name
    names = [base.replace("gcc", "gcov-tool", 1), "gcov-tool"] if "gcc" in base else ["gcov-tool"]
    return next(filter(None, map(shutil.which, names)), None)
