"""The reward service: answers in through a Unix socket, rewards out, beside Ray and not in it.

    verl's reward worker ──task, answer──▶ RewardService ─▶ known already? ─▶ SQLite
                         ◀──score, …──────                 else ─▶ a lane's process ─▶ the judge

Every verdict is kept, so the same answer to the same question is judged once, in whatever run. A
lane that does not answer in time is killed with all that it started; its question is unjudged, and
not kept. One that dies is started anew and asked once more. :meth:`RewardService.reward` never
raises.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import socketserver
import sqlite3
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from gccllm.types import Json, Verdict, VerdictKind
from trainer.corpus.programs import JudgedProgram
from trainer.ppo.reward import Shaping, load_verdict, saved_verdict, scored, unjudged
from trainer.ppo.text import TRUNCATED
from trainer.ppo.worker import How, work

__all__ = ["Handler", "Lane", "Question", "RewardService", "VerdictCache"]

DEADLINE_SECONDS = 120.0
"""for one answer, opening its program included"""
MOST_LINE = 1 << 20


class Question(Protocol):
    """What is asked: about a region (:class:`trainer.ppo.tasks.Task`) or a whole program.

    ``name`` is no other question's, ``prompt`` is shown, ``digest`` names program, recording and
    compiler, ``tests`` counts the recorded cases.
    """

    @property
    def name(self) -> str: ...

    @property
    def program(self) -> JudgedProgram: ...

    @property
    def prompt(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def tests(self) -> int: ...


class VerdictCache:
    """Verdicts by question and answer, in one SQLite file; for several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, check_same_thread=False, timeout=30.0)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS verdicts"
            " (key TEXT PRIMARY KEY, task TEXT, answer TEXT, verdict TEXT, at REAL)"
        )
        self._base.commit()

    def get(self, key: str) -> Verdict | None:
        """The verdict of an earlier question; None also for what can't be read."""
        with self._lock:
            row = self._base.execute(
                "SELECT verdict FROM verdicts WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        try:
            return load_verdict(json.loads(row[0]))
        except (ValueError, LookupError, TypeError):
            return None

    def put(self, key: str, task: str, answer: str, verdict: Verdict) -> None:
        """Keep a verdict; what could not be judged is not kept."""
        if verdict.kind is VerdictKind.UNJUDGED:
            return
        text = json.dumps(saved_verdict(verdict))
        with self._lock:
            self._base.execute(
                "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)",
                (key, task, answer, text, time.time()),
            )
            self._base.commit()

    def close(self) -> None:
        self._base.close()


class Lane:
    """A worker process and the questions that wait for it; a dead one is started anew."""

    def __init__(self, how: How, deadline: float) -> None:
        self._how = how
        self._deadline = deadline
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    def ask(self, task: Question, answer: str) -> Verdict:
        """The verdict; unjudged if it does not come in time, or two processes died of it."""
        reason = ""
        with self._lock:
            for _ in range(2):
                try:
                    pipe = self._pipe or self._start()
                    pipe.send((task, answer))
                    if pipe.poll(self._deadline):
                        verdict: Verdict = pipe.recv()
                        return verdict
                except (OSError, EOFError) as error:
                    # Killed by someone else, for want of memory perhaps: asked once more.
                    reason = f"the judging process ended: {type(error).__name__}"
                    self._kill()
                    continue
                self._kill()
                reason = f"no verdict in {self._deadline:.0f} seconds"
                break
        return Verdict(VerdictKind.UNJUDGED, reason)

    def close(self) -> None:
        with self._lock:
            if self._pipe is not None:
                with suppress(OSError):
                    self._pipe.send(None)
                self._process.join(10.0)
            self._kill()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_in_own_group, args=(theirs, self._how), daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        return ours

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _in_own_group(pipe: Connection, how: How) -> None:
    """A group of its own, so that all that it started can be killed with it."""
    os.setpgid(0, 0)
    work(pipe, how)


class RewardService:
    """Rewards for answers to ``tasks``. A context manager; :attr:`address` is its socket.

    ``lanes`` processes judge at once; a program is always judged by the same one. ``cache`` is the
    file that verdicts are kept in.
    """

    def __init__(
        self,
        tasks: Sequence[Question],
        shaping: Shaping,
        how: How,
        cache: Path,
        *,
        lanes: int = 1,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._tasks = {x.name: x for x in tasks}
        self._shaping = shaping
        self._how = how
        self._cache = VerdictCache(cache)
        self._lanes = [Lane(how, deadline) for _ in range(lanes)]
        self._folder = tempfile.TemporaryDirectory(prefix="gccllm-reward-")
        self.address = Path(self._folder.name) / "socket"
        self._server: socketserver.BaseServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> RewardService:
        self._server = self.listening()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        for one in self._lanes:
            one.close()
        self._cache.close()
        self._folder.cleanup()

    def reward(self, name: str, answer: str) -> dict[str, Json]:
        """The reward for ``answer`` to the task ``name``, as
        :func:`trainer.ppo.reward.scored` has it. Never raises."""
        try:
            task = self._tasks.get(name)
            if task is None:
                return unjudged(f"no task {name}")
            if answer.endswith(TRUNCATED):
                cut = Verdict(VerdictKind.MALFORMED, "it does not end, or holds a special token")
                return scored(cut, task.tests, self._shaping, False)
            key = self._key(task, answer)
            known = self._cache.get(key)
            if known is not None:
                return scored(known, task.tests, self._shaping, True)
            verdict = self.judged(task, answer)
            self._cache.put(key, name, answer, verdict)
            return scored(verdict, task.tests, self._shaping, False)
        except Exception as error:
            # One answer's reward must not end the training of the others.
            return unjudged(f"{type(error).__name__}: {error}")

    def listening(self) -> socketserver.BaseServer:
        """The server at :attr:`address`, whose handler is :class:`Handler`."""
        return _Server(str(self.address), self)

    @property
    def reached_at(self) -> str:
        """What :data:`trainer.on_verl.names.SOCKET_VARIABLE` has to be."""
        return str(self.address)

    def admits(self, question: Mapping[str, Any]) -> bool:
        """Whether whoever asks may: the socket's folder is ours alone."""
        return "task" in question

    def judged(self, task: Question, answer: str) -> Verdict:
        """Ask the program's lane."""
        number = int(hashlib.sha256(task.program.name.encode()).hexdigest(), 16)
        return self._lanes[number % len(self._lanes)].ask(task, answer)

    def _key(self, task: Question, answer: str) -> str:
        parts = (task.digest, task.name, task.prompt, answer, self._how.identity)
        hashes = (hashlib.sha256(x.encode("utf-8", "surrogatepass")).digest() for x in parts)
        return hashlib.sha256(b"".join(hashes)).hexdigest()


class Handler(socketserver.StreamRequestHandler):
    """A JSON line in, a JSON line out; its server has a ``service``."""

    def handle(self) -> None:
        service: RewardService = vars(self.server)["service"]
        try:
            question: Mapping[str, Any] = json.loads(self.rfile.readline(MOST_LINE))
            if not service.admits(question):
                raise ValueError("it may not be asked")
            found = service.reward(str(question["task"]), str(question["answer"]))
        except (ValueError, LookupError, TypeError) as error:
            found = unjudged(f"not a question: {error}")
        with suppress(OSError):
            self.wfile.write(json.dumps(found).encode() + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    """A thread a question."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, path: str, service: RewardService) -> None:
        self.service = service
        super().__init__(path, Handler)
