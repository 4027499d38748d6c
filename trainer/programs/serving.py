"""The reward service of a run on whole programs: a court behind a socket, and what it has done.

On one machine lanes are processes and the socket is a Unix one. In a Ray cluster
(``gccllm.where=ray``) lanes are actors on the nodes that have room for them, and verl's workers
come from any node, by TCP, with a token that only this run's processes know.
"""

from __future__ import annotations

import json
import secrets
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.types import Verdict
from trainer.on_verl.names import TCP
from trainer.ppo.service import Handler, Lane, Question, RewardService
from trainer.programs.court import AsksLane, Court
from trainer.programs.settings import ProgramSettings
from trainer.programs.tasks import ProgramHow, ProgramTask

__all__ = ["CourtService", "court_of", "served"]

LOG_SECONDS = 20.0


class CourtService(RewardService):
    """As :class:`RewardService`, with ``court`` for a judge. ``far``: reachable by TCP. Figures are
    appended to ``log`` every :data:`LOG_SECONDS`, and at the end."""

    def __init__(
        self,
        tasks: Sequence[Question],
        settings: ProgramSettings,
        how: ProgramHow,
        cache: Path,
        court: Court,
        log: Path,
        *,
        far: bool = False,
    ) -> None:
        super().__init__(tasks, settings.reward, how, cache, lanes=0)
        self.court = court
        self._log = log
        self._far = far
        self._token = secrets.token_hex(16)
        self._port = 0
        self._over = threading.Event()
        self._logger = threading.Thread(target=self._keep_log, daemon=True)

    def __enter__(self) -> CourtService:
        super().__enter__()
        self._logger.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._logger.join()
        super().__exit__(*_)

    def judged(self, task: Question, answer: str) -> Verdict:
        """Ask the court."""
        return self.court.verdict(task, answer)

    def listening(self) -> socketserver.BaseServer:
        """A Unix socket, or a port on all of this machine's addresses."""
        if not self._far:
            return super().listening()
        server = _Far(self)
        self._port = int(server.server_address[1])
        return server

    @property
    def reached_at(self) -> str:
        """The Unix socket, or host, port and token."""
        if not self._far:
            return super().reached_at
        host = socket.gethostbyname(socket.gethostname())
        return f"{TCP}{host} {self._port} {self._token}"

    def admits(self, question: Mapping[str, Any]) -> bool:
        """By TCP only with the token."""
        if not self._far:
            return super().admits(question)
        return secrets.compare_digest(str(question.get("token", "")), self._token)

    def _keep_log(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        while True:
            over = self._over.wait(LOG_SECONDS)
            with self._log.open("a") as file:
                file.write(json.dumps(self.court.figures().as_json()) + "\n")
            if over:
                return


class _Far(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, service: CourtService) -> None:
        self.service = service
        super().__init__(("", 0), Handler)


def court_of(settings: ProgramSettings, how: ProgramHow) -> Court:
    """The lanes that the settings ask for. Raises UsageError where a cluster has none."""
    checks = replace(how, timing="none", isolated=False)
    timing: list[AsksLane]
    checking: list[AsksLane]
    if settings.where == "ray":
        import ray

        from trainer.on_verl.lanes import CHECKING, TIMING, ray_lanes

        if not ray.is_initialized():
            ray.init(address="auto", log_to_driver=False)
        timing = list(ray_lanes(how, settings.deadline, TIMING))
        checking = list(ray_lanes(checks, settings.deadline, CHECKING))
        if not timing:
            raise UsageError(f"no node of the Ray cluster has the resource {TIMING}")
    else:
        timing = [Lane(how, settings.deadline) for _ in range(settings.lanes)]
        checking = [Lane(checks, settings.deadline) for _ in range(settings.checkers)]
    return Court(checking, timing, queue=settings.queue)


@contextmanager
def served(
    tasks: Sequence[ProgramTask], settings: ProgramSettings, how: ProgramHow, cache: Path, log: Path
) -> Iterator[CourtService]:
    """The service while it runs."""
    far = settings.where == "ray"
    with (
        court_of(settings, how) as court,
        CourtService(tasks, settings, how, cache, court, log, far=far) as service,
    ):
        yield service
