"""``gccllm serve``: the embedded model stays in memory, so that no link has to load it."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from gccllm.errors import ProposerError
from gccllm.paths import cache_dir
from gccllm.types import Json

__all__ = ["serve"]


def serve(
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="weights; those of gccllm if left out")
    ] = None,
    idle: Annotated[
        float, typer.Option(metavar="SECONDS", min=1.0, help="end when nobody asked for so long")
    ] = 1800.0,
    stop: Annotated[bool, typer.Option("--stop", help="end the server that runs")] = False,
    status: Annotated[bool, typer.Option("--status", help="tell whether one runs")] = False,
) -> None:
    """Keep the embedded model in memory for the links of this user.

    Stays in the foreground; links find it by a socket in the store, and load the model themselves
    wherever it does not answer at once. Exit status 1 of --status: none runs.

    \b
    Examples:
      gccllm serve &
      gccllm serve --status
      gccllm serve --stop
    """
    if stop or status:
        raise typer.Exit(0 if _asked("stop" if stop else "hello") else 1)
    from gccllm.proposers.serving import ModelServer
    from gccllm.proposers.warm import load
    from gccllm.proposers.weights import FOLDER, check

    weights = check(model or FOLDER)
    store = cache_dir()
    server = ModelServer(load(weights), weights.identity, store, idle)

    def end(number: int, frame: FrameType | None) -> None:
        server.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        server.run(lambda: typer.echo(f"{weights.name} is served from {store}"))
    except OSError as error:
        raise ProposerError(f"no socket in {store}: {error.strerror or error}") from error


def _asked(what: str) -> bool:
    """Ask the server that runs, tell what it says; False where there is none."""
    from gccllm.proposers.warm import Unavailable, ask

    try:
        reply = ask({"do": what})
    except Unavailable as error:
        typer.echo(f"no server for {cache_dir()}: {error}")
        return False
    typer.echo(
        f"process {_whole(reply.get('pid'))} " + ("ends" if what == "stop" else _told(reply))
    )
    return True


def _told(reply: dict[str, Json]) -> str:
    busy = "busy" if reply.get("busy") else "idle"
    return (
        f"serves weights {reply.get('identity')}: {busy}, {_whole(reply.get('served'))} requests "
        f"in {_whole(reply.get('up_seconds'))} s"
    )


def _whole(number: Json) -> int:
    return int(number) if isinstance(number, (int, float)) else 0
