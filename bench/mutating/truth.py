"""Is a mutant really wrong? Hand-made inputs for its program, in the sandbox, with gcc's beside it.

An input on which gcc's own program, built to trap on what C leaves undefined, does something else
says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.mutating.probing import probes
from bench.mutating.workshop import Passed, Workshop
from gccllm import process
from gccllm.assurance.fuzz.behaviour import same
from gccllm.sandbox import choose
from gccllm.sandbox.base import Ending, RunLimits, RunResult, Trial

__all__ = ["Truth"]

ROUND = 32
SECONDS = 5.0
OUTPUT = 64 << 20
_CHECKED = ("-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")


class Truth:
    """Of one program."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._witness = shop.folder / "checked"
        argv = [shop.tools.cc, "-w", *_CHECKED, str(shop.subject.source), "-lm"]
        done = process.run([*argv, "-o", str(self._witness)], timeout=60.0)
        if not done.ok:
            raise SystemExit(done.error_line())
        self._known: list[tuple[bytes, RunResult]] | None = None

    def differs_on(self, passed: Passed) -> str:
        """The first input that shows the mutant wrong, shortened; "" for none."""
        known = self._expected()
        for start in range(0, len(known), ROUND):
            some = known[start : start + ROUND]
            results = self._run(passed.admitted.build.executable, [x for x, _ in some])
            for (stdin, wanted), had in zip(some, results, strict=True):
                if not same(wanted, had):
                    return _shown(stdin, wanted, had)
        return ""

    @property
    def inputs(self) -> int:
        """How many count."""
        return len(self._expected())

    def _expected(self) -> list[tuple[bytes, RunResult]]:
        if self._known is None:
            self._known = list(self._agreed())
        return self._known

    def _agreed(self) -> Iterator[tuple[bytes, RunResult]]:
        every = iter(probes(self._shop.subject.name))
        baseline = self._shop.judge.baseline.build.executable
        while some := list(islice(every, ROUND)):
            results = self._run(baseline, some)
            checked = self._run(self._witness, some)
            for stdin, result, other in zip(some, results, checked, strict=True):
                if result.ending is Ending.EXITED and same(result, other):
                    yield stdin, result

    def _run(self, program: Path, inputs: list[bytes]) -> list[RunResult]:
        limits = RunLimits(wall_seconds=SECONDS, output_bytes=OUTPUT)
        with choose().open({"it": program}, [], limits=limits) as session:
            return session.run_many("it", [Trial(x) for x in inputs])


def _shown(stdin: bytes, wanted: RunResult, had: RunResult) -> str:
    if had.ending is not Ending.EXITED:
        return f"{had.ending.value} on {stdin[:60]!r}"
    lines = zip(wanted.stdout.split(b"\n"), had.stdout.split(b"\n"), strict=False)
    at = next((i for i, (a, b) in enumerate(lines) if a != b), 0)
    given = stdin.split(b"\n")
    line = given[at] if len(given) > at and len(given) > 50 else stdin[:60]
    return f"line {at + 1} of the output differs on {line[:60]!r}"
