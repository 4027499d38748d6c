"""``gccllm optimize``: a search longer than a link should take, for a program that is built."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gccllm import process
from gccllm.commands.common import plain
from gccllm.commands.workload import record_workload
from gccllm.errors import StoreError, ToolchainError, UsageError
from gccllm.lanes import lane
from gccllm.paths import cache_dir
from gccllm.projects.linked import Linked, open_linked
from gccllm.projects.queue import Queue
from gccllm.proposers.choose import make
from gccllm.recordings import Recording, load
from gccllm.report.progress import progress
from gccllm.report.record import ProgramRecord, write
from gccllm.sandbox.base import Sandbox
from gccllm.sandbox.choice import choose
from gccllm.settings import ASSURANCES, ISA_MODES, Settings
from gccllm.store import Store
from gccllm.types import Outcome

__all__ = ["optimize"]

BUDGET = 600.0
BUILD_SECONDS = 6 * 3600.0
CHECK_SECONDS = 3600.0
LANE_WAIT_SECONDS = 3600.0
LANE_START_SECONDS = 120.0
"""that another lane waits for the search to begin"""


def optimize(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="as the build has linked it")],
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "--workload",
            metavar="CMD",
            help="a shell command that runs PROGRAM as its users do; repeatable",
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="the project's tests; a rewrite that fails them falls"),
    ] = None,
    build: Annotated[
        str | None,
        typer.Option(
            metavar="CMD", help="build PROGRAM anew with gcc-llm first, as in 'make -B CC=gcc-llm'"
        ),
    ] = None,
    budget: Annotated[
        float, typer.Option(metavar="SECONDS", min=10.0, help="how long to search")
    ] = BUDGET,
    tests: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="the recording (default: $GCCLLM_TESTS, then PROGRAM.tests)"
        ),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME", help="a variable of ours to be recorded; repeatable"),
    ] = None,
    lanes: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="cores that judge at once; 'gccllm lane' elsewhere adds more"
        ),
    ] = 1,
    isa: Annotated[
        str | None, typer.Option(metavar="MODE", help="as -fllm-isa: target, native, dispatch")
    ] = None,
    proposers: Annotated[
        str | None, typer.Option(metavar="NAMES", help="as -fllm-proposers")
    ] = None,
    assurance: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="as -fllm-assurance")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a JSON record of all that was decided")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="say what is being done, a line at a time")
    ] = False,
) -> None:
    """Make a program that is built faster: a long search.

    The workload is recorded, the program profiled, and candidates for the functions that matter are
    tried. What is right, measurably faster and sure enough goes into the program at once, and into
    the store: later builds with gcc-llm have it. Ctrl-C keeps what was accepted; the same command
    goes on where it was.

    The program has to be built by gcc-llm with GCCLLM_TESTS set to the folder of its recording
    (which may be empty yet): its objects then carry their assembly. --build does that for you.
    Of shared libraries that were built so, the functions that the program uses count as its own.

    \b
    Examples:
      gccllm optimize --build 'make -B CC=gcc-llm' --workload './prog < big' ./prog
      gccllm optimize --workload 'make bench' --check 'make test' --budget 3600 ./prog
    """
    settings = _settings(isa, proposers, assurance, report, budget, verbose)
    recording = tests or settings.tests or program.parent / f"{program.stem}.tests"
    if build is not None:
        _build(build, recording)
    if not program.is_file():
        raise UsageError(f"there is no program {program}: build it, or name the build with --build")
    sandbox = choose()
    with tempfile.TemporaryDirectory(prefix="gccllm-optimize-") as folder:
        scratch = Path(folder)
        # what libraries leave in the temporary folder goes with ours
        tempfile.tempdir = folder
        linked = open_linked(program, scratch)
        if workload:
            command = "\n".join(["set -e", *workload])
            linked.install({})
            done = record_workload(
                command, program, recording, environment or (), sandbox, linked.shipped
            )
            for line in done.notes:
                typer.echo(f"note: {plain(line)}", err=True)
            typer.echo(f"{len(done.names)} cases recorded in {recording}")
        given = load(recording)
        record = _search(linked, given, settings, sandbox, scratch, check, lanes)
    if settings.report is not None:
        write(record, settings.report)
    _tell(record, linked)
    if record.outcome is not Outcome.OPTIMIZED and record.reason != "nothing-faster":
        raise typer.Exit(1)


def _settings(
    isa: str | None,
    proposers: str | None,
    assurance: str | None,
    report: Path | None,
    budget: float,
    verbose: bool,
) -> Settings:
    """The environment's, with what is named here instead. Raises UsageError."""
    for value, known, name in ((isa, ISA_MODES, "isa"), (assurance, ASSURANCES, "assurance")):
        if value is not None and value not in known:
            raise UsageError(f"--{name} is '{plain(value)}'; it takes {', '.join(known)}")
    given = {
        "GCCLLM_ISA": isa,
        "GCCLLM_PROPOSERS": proposers,
        "GCCLLM_ASSURANCE": assurance,
        "GCCLLM_REPORT": str(report) if report else None,
    }
    # Later builds apply what is found under the same words.
    os.environ.update({name: value for name, value in given.items() if value is not None})
    return replace(Settings.from_environment(), budget=budget, verbose=verbose)


def _build(command: str, recording: Path) -> None:
    """Run the build so that objects carry their assembly and links are noted, no more."""
    dropped = ("GCCLLM", "GCCLLM_LOCK", "GCCLLM_ACTIVE", "GCCLLM_REPORT")
    environment = {k: v for k, v in os.environ.items() if k not in dropped}
    # Objects from a cache would carry nothing, and those that carry are not for others.
    environment |= {
        "GCCLLM_TESTS": str(recording.absolute()),
        "GCCLLM_LINKS_ONLY": "1",
        "CCACHE_DISABLE": "1",
    }
    done = process.run(["sh", "-c", command], timeout=BUILD_SECONDS, env=environment)
    if not done.ok:
        raise ToolchainError(f"the build failed: {plain(done.error_line())}")


def _search(
    linked: Linked,
    recording: Recording,
    settings: Settings,
    sandbox: Sandbox,
    scratch: Path,
    check: str | None,
    lanes: int,
) -> ProgramRecord:
    # It knows all of the search, and takes as long to import as all other commands together.
    from gccllm.projects.effort import Effort

    folder = cache_dir()
    with lane(folder, LANE_WAIT_SECONDS) as core, progress(settings.verbose) as shown:
        if core is None:
            raise ToolchainError("every core for timing was busy with other measurements")
        try:
            store: Store | None = Store(folder)
        except StoreError as error:
            shown.say(str(error))
            store = None
        place = scratch / "effort"
        place.mkdir()
        try:
            effort = Effort(
                linked.program,
                recording,
                settings,
                sandbox=sandbox,
                proposers=make(settings.proposers, settings.model),
                store=store,
                scratch=place,
                core=core,
                say=shown.say,
            )
            effort.install = linked.install
            effort.check = (lambda: _checked(check)) if check else None
            with _lanes(lanes, folder) as effort.queue:
                effort.run(linked.shipped)
            return effort.record
        finally:
            if store is not None:
                store.close()


@contextmanager
def _lanes(number: int, folder: Path) -> Iterator[Queue | None]:
    """Other processes that judge along, each on a core of its own as far as there are any; None for
    a search that has one lane only."""
    if number == 1:
        yield None
        return
    queue = Queue(folder)
    command = [sys.executable, "-m", "gccllm.cli", "lane", "--wait", str(LANE_START_SECONDS)]
    others = [
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(number - 1)
    ]
    try:
        yield queue
    finally:
        queue.close()
        for other in others:
            process.kill_tree(other)


def _checked(command: str) -> str:
    """Run the project's tests; "" when they pass."""
    done = process.run(["sh", "-c", command], timeout=CHECK_SECONDS)
    return "" if done.ok else plain(done.error_line())


def _tell(record: ProgramRecord, linked: Linked) -> None:
    if record.considered is not None:
        functions = len(record.functions)
        typer.echo(f"searched: {functions} functions, {record.considered:.0%} of the run time")
    if record.outcome is not Outcome.OPTIMIZED or record.speedup is None:
        typer.echo(
            f"{linked.outputs[0]}: gcc's own stays ({record.reason}): {plain(record.detail)}"
        )
        return
    value = record.speedup
    for one in record.functions:
        if one.assurance:
            spent = f"{one.share:.0%} of the time" if one.share else "not hot by itself"
            calls = f", {one.calls} calls" if one.calls is not None else ""
            typer.echo(
                f"  {plain(one.function)} ({plain(one.unit)}; {spent}{calls}): {one.assurance}; "
                f"{plain(one.label)}"
            )
    typer.echo(
        f"{', '.join(map(str, linked.outputs))}: {value.ratio:.2f}× "
        f"({value.low:.2f}–{value.high:.2f}), {record.assurance}, {record.seconds:.0f} s"
    )
