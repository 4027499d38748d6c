"""The process behind ``gccllm serve``: the embedded model, kept in memory for this user's links.

One request at a time; who comes meanwhile is told so and loads the model itself. The socket is in
the store, for its owner alone. A request that makes no sense gets an error, never ends the server.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from gccllm.errors import GccllmError, ProposerError
from gccllm.proposers.answers import Answers, Sampling
from gccllm.proposers.warm import (
    MOST_SECONDS,
    PROTOCOL,
    SOCKET,
    address,
    receive,
    same_user,
    send,
)
from gccllm.types import Json

__all__ = ["ModelServer"]

LOCK = "model.lock"
BEAT_SECONDS = 0.3
"""between two signs of life while a request is worked on"""
REQUEST_SECONDS = 5.0
LAST_SECONDS = 10.0
"""for the request under way when the server ends"""
MOST_PROMPTS = 256
MOST_SAMPLES = 1024
MOST_CONNECTIONS = 16


class ModelServer:
    """Serves ``answers`` of the weights ``identity`` in the store ``folder``, until :meth:`stop`
    or until nobody asked for ``idle`` seconds."""

    def __init__(self, answers: Answers, identity: str, folder: Path, idle: float) -> None:
        self._answers = answers
        self._identity = identity
        self._folder = folder
        self._idle = idle
        self._started = self._used = time.monotonic()
        self._served = 0
        self._stop = threading.Event()
        self._model = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def stop(self) -> None:
        """End :meth:`run` soon; may be called from a signal handler."""
        self._stop.set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve; ``ready`` is called when the socket is there.

        Raises ProposerError where another server has the store, OSError where there can be none.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / LOCK), self._listening() as listener:
            ready()
            while not self._stop.is_set() and time.monotonic() - self._used < self._idle:
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                if not self._room.acquire(blocking=False):
                    peer.close()
                    continue
                threading.Thread(target=self._connection, args=(peer,), daemon=True).start()
            with suppress(OSError):
                (self._folder / SOCKET).unlink()
            # The interpreter must not end under a generation that calls back into it.
            self._model.acquire(timeout=LAST_SECONDS)

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            (self._folder / SOCKET).unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                with address(self._folder) as path:
                    listener.bind(path)
            finally:
                os.umask(before)
            listener.listen(MOST_CONNECTIONS)
            listener.settimeout(0.2)
            yield listener

    def _connection(self, peer: socket.socket) -> None:
        try:
            with peer, suppress(OSError):
                peer.settimeout(REQUEST_SECONDS)
                if same_user(peer):
                    self._reply(peer)
        finally:
            self._room.release()

    def _reply(self, peer: socket.socket) -> None:
        try:
            request = receive(peer, time.monotonic() + REQUEST_SECONDS)
            if not isinstance(request, dict) or request.get("version") != PROTOCOL:
                raise ValueError("another protocol")
            reply = self._done(peer, request)
        except (ValueError, TypeError, GccllmError) as error:
            reply = {"ok": False, "error": str(error)[:300]}
        send(peer, {"version": PROTOCOL, **reply})

    def _done(self, peer: socket.socket, request: dict[str, Json]) -> dict[str, Json]:
        if request.get("do") == "hello":
            return {
                "ok": True,
                "identity": self._identity,
                "busy": self._model.locked(),
                "pid": os.getpid(),
                "served": self._served,
                "up_seconds": time.monotonic() - self._started,
            }
        if request.get("do") == "stop":
            self.stop()
            return {"ok": True, "pid": os.getpid()}
        if request.get("do") != "answers":
            raise ValueError(f"no such request: {request.get('do')}")
        work = self._work(request)
        if not self._model.acquire(blocking=False):
            raise ValueError("busy")
        result: dict[str, Json] = {}

        def worker() -> None:
            try:
                result.update(work())
            except Exception as error:
                # whatever it is, the next request may go well
                result.update({"ok": False, "error": f"{type(error).__name__}: {error}"[:300]})
            finally:
                self._used = time.monotonic()
                self._model.release()

        thread = threading.Thread(target=worker, daemon=True)
        thread.start()
        while True:
            thread.join(BEAT_SECONDS)
            if not thread.is_alive():
                self._served += 1
                return result
            send(peer, None)

    def _work(self, request: dict[str, Json]) -> Callable[[], dict[str, Json]]:
        """What a request asks for. Raises ValueError for one that makes no sense."""
        prompts, samples = request.get("prompts"), request.get("samples")
        seed, heat = request.get("seed"), request.get("temperature")
        seconds = request.get("seconds")
        if request.get("identity") != self._identity:
            raise ValueError("other weights")
        if not isinstance(prompts, list) or len(prompts) > MOST_PROMPTS:
            raise ValueError("prompts: a list")
        texts = [x for x in prompts if isinstance(x, str)]
        if len(texts) != len(prompts):
            raise ValueError("prompts: strings")
        if not isinstance(samples, int) or not 0 <= samples <= MOST_SAMPLES:
            raise ValueError("samples: a number")
        if not isinstance(seed, int) or not isinstance(heat, (int, float)):
            raise ValueError("seed, temperature: numbers")
        least = request.get("least")
        limit = seconds if isinstance(seconds, (int, float)) else MOST_SECONDS

        def work() -> dict[str, Json]:
            sampling = Sampling(
                samples,
                seed,
                float(heat),
                greedy=request.get("greedy") is not False,
                masked=request.get("masked") is not False,
                deadline=time.monotonic() + min(limit, MOST_SECONDS),
                least=float(least) if isinstance(least, (int, float)) else 0.0,
            )
            found = self._answers.answers(texts, sampling)
            return {"ok": True, "answers": [[asdict(x) for x in row] for row in found]}

        return work


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProposerError(f"a server runs already in {path.parent}") from error
        yield handle
