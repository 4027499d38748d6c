"""``gccllm lane``: one more core that judges for searches of this store."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gccllm.errors import ToolchainError
from gccllm.lanes import lane as hold_lane
from gccllm.paths import cache_dir
from gccllm.projects.linked import open_linked
from gccllm.projects.queue import Announced, Queue
from gccllm.recordings import load
from gccllm.sandbox.choice import choose
from gccllm.settings import Settings

__all__ = ["lane"]

POLL_SECONDS = 0.5


def lane(
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="how long to wait for a search to begin"),
    ] = 60.0,
    forever: Annotated[
        bool, typer.Option("--forever", help="wait for the next one, and the next")
    ] = False,
) -> None:
    """Judge for a running 'gccllm optimize' on one more core.

    It takes a free core of this machine and works for searches whose store, build and recording lie
    in folders that this machine sees under the same names, and that run on the same CPU model.
    What it finds is a hint: the search confirms everything itself.

    \b
    Examples:
      gccllm lane
      gccllm lane --wait 600 --forever
    """
    folder = cache_dir()
    queue = Queue(folder)
    try:
        with hold_lane(folder, wait) as core:
            if core is None:
                raise ToolchainError("every core for timing is busy with other measurements")
            served = 0
            while True:
                announced = _next(queue, wait)
                if announced is None and not forever:
                    break
                if announced is not None:
                    served += _serve(queue, announced, core)
                    if not forever:
                        break
        typer.echo(f"judged {served} layers")
    finally:
        queue.close()


def _next(queue: Queue, wait: float) -> Announced | None:
    # It knows all gates of the judge, and takes long to import.
    from gccllm.projects.sharing import processor

    until, cpu = time.monotonic() + wait, processor()
    while (found := queue.open_search(cpu)) is None and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return found


def _serve(queue: Queue, announced: Announced, core: int) -> int:
    """Until the search is over; how many layers were judged."""
    from gccllm.projects.effort import Effort
    from gccllm.projects.sharing import JOB_SECONDS, judge_job
    from gccllm.search import Seen

    spec, served = announced.spec, 0
    seen: list[Seen] = []
    with tempfile.TemporaryDirectory(prefix="gccllm-lane-") as name:
        scratch = Path(name)
        linked = open_linked(Path(str(spec["program"])), scratch)
        place = scratch / "effort"
        place.mkdir()
        effort = Effort(
            linked.program,
            load(Path(str(spec["recording"]))),
            replace(Settings.from_environment(), isa=str(spec["isa"])),
            sandbox=choose(),
            proposers=[],
            store=None,
            scratch=place,
            core=core,
        )
        search = effort.lane(linked.shipped, spec, seen)
        while search is not None and queue.is_open(announced.id):
            job = queue.take(announced.id, JOB_SECONDS)
            if job is None:
                time.sleep(POLL_SECONDS)
                continue
            queue.finish(job, judge_job(search, job, seen))
            served += 1
    return served
