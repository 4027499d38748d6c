"""A model behind any server that speaks OpenAI's chat completions: vLLM, llama.cpp, a hosted one.

Spec ``openai:URL#MODEL``, URL with its version path (``http://host:8000/v1``). Without ``#MODEL``
the first model that the server lists is asked. docs/SERVING.md shows how to serve one.

The requests of a task (one a sample) run at the same time on an event loop in a thread of its own;
candidates are yielded as they complete. Closing the iterator, or the task's deadline, cancels what
is under way; closing the connection makes vLLM abandon the request.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gccllm.errors import ProposerError, UsageError
from gccllm.proposers.base import Task
from gccllm.proposers.chat import answer_tokens, as_candidate, messages, temperature
from gccllm.types import Candidate, Json

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAIProposer", "Waits"]


@dataclass(frozen=True)
class Waits:
    """Every wait of a request, in seconds. ``answer`` is for one try, from sending to the last
    byte; ``attempts`` tries are made (``connect_attempts`` where nobody listens), with
    ``backoff`` (doubled each time) between them."""

    connect: float = 5.0
    answer: float = 120.0
    attempts: int = 4
    connect_attempts: int = 2
    backoff: float = 0.5
    longest_backoff: float = 10.0


@dataclass(frozen=True)
class _Answer:
    text: str
    truncated: bool


@dataclass(frozen=True)
class _Skip:
    """One sample is lost; ``why`` is a word for the counter."""

    why: str
    detail: str


@dataclass(frozen=True)
class _Done:
    sample: int
    seconds: float
    result: _Answer | _Skip | Exception


@dataclass
class OpenAIProposer:
    """Asks ``samples`` times: once greedily, then with temperature.

    ``skipped`` counts samples that gave no candidate, by reason, over the proposer's life.
    """

    url: str
    model: str = ""
    waits: Waits = field(default_factory=Waits)
    concurrency: int = 8
    name: str = "model"
    refines: bool = True
    skipped: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_spec(cls, spec: str) -> OpenAIProposer:
        """From ``URL#MODEL``. Raises UsageError for anything but an http(s) URL."""
        url, _, model = spec.partition("#")
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"openai:{spec}: write openai:http://HOST:PORT/v1#MODEL")
        return cls(url.rstrip("/"), model.strip())

    def propose(self, task: Task) -> Iterator[Candidate]:
        """Raises ProposerError when the server can't be used, or when no sample got through."""
        turns = messages(task, self.name)
        if turns is None or task.samples < 1:
            return
        warm = temperature()
        bodies: list[dict[str, Json]] = [
            {
                "messages": [dict(turn) for turn in turns],
                "temperature": 0.0 if sample == 0 else warm,
                "max_tokens": answer_tokens(task),
                "seed": sample,
                "stream": False,
            }
            for sample in range(task.samples)
        ]
        yielded, last = 0, ""
        requests = _Requests(self, bodies, task.deadline)
        try:
            for done in requests:
                if isinstance(done.result, Exception):
                    raise done.result
                if isinstance(done.result, _Skip):
                    self.skipped[done.result.why] += 1
                    last = done.result.detail
                    continue
                yielded += 1
                kind = "greedy" if done.sample == 0 else f"temperature {warm:g}"
                yield as_candidate(
                    task,
                    self.name,
                    done.result.text,
                    label=f"sample {done.sample + 1} ({kind})",
                    seconds=done.seconds,
                    truncated=done.result.truncated,
                )
        finally:
            requests.close()
        if not yielded and last and time.monotonic() < task.deadline:
            raise ProposerError(f"{self.url}: no sample got through; the last: {last}")


class _Requests:
    """All requests of a task, iterated as they complete. :meth:`close` is idempotent."""

    def __init__(
        self, owner: OpenAIProposer, bodies: list[dict[str, Json]], deadline: float
    ) -> None:
        self._owner = owner
        self._bodies = bodies
        self._deadline = deadline
        self._results: queue.Queue[_Done | None] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._main: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="gccllm-openai", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[_Done]:
        while True:
            left = self._deadline - time.monotonic()
            try:
                done = self._results.get(timeout=max(0.0, left))
            except queue.Empty:
                return
            if done is None:
                return
            yield done

    def close(self) -> None:
        """Cancel what is under way and wait for the thread to end."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()
        self._loop.close()

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._all())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            # a fault of ours must not end in silence with this thread
            self._results.put(_Done(0, 0.0, error))
        finally:
            self._results.put(None)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _all(self) -> None:
        import httpx

        owner = self._owner
        waits = owner.waits
        key = os.environ.get("GCCLLM_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(waits.answer, connect=waits.connect, pool=None)
        async with httpx.AsyncClient(headers=headers, timeout=timeout) as client:
            try:
                model = owner.model or await self._first_model(client)
            except ProposerError as error:
                self._results.put(_Done(0, 0.0, error))
                return
            gate = asyncio.Semaphore(owner.concurrency)

            async def one(sample: int, body: dict[str, Json]) -> None:
                async with gate:
                    start = time.monotonic()
                    result = await self._ask(client, {"model": model, **body})
                    self._results.put(_Done(sample, time.monotonic() - start, result))

            await asyncio.gather(*(one(i, body) for i, body in enumerate(self._bodies)))

    async def _first_model(self, client: httpx.AsyncClient) -> str:
        reply = await self._send(client, "GET", "/models", None)
        if isinstance(reply, ProposerError):
            raise reply
        if not isinstance(reply, _Skip):
            match reply:
                case {"data": [{"id": str(model)}, *_]}:
                    return model
        raise ProposerError(
            f"{self._owner.url}: the server lists no model; name it: openai:{self._owner.url}#MODEL"
        )

    async def _ask(
        self, client: httpx.AsyncClient, body: dict[str, Json]
    ) -> _Answer | _Skip | ProposerError:
        reply = await self._send(client, "POST", "/chat/completions", body)
        if isinstance(reply, (_Skip, ProposerError)):
            return reply
        match reply:
            case {"choices": [{"message": {"content": str(text)}, **choice}, *_]}:
                return _Answer(text, choice.get("finish_reason") == "length")
        return _Skip("bad-reply", "the reply is no chat completion")

    async def _send(
        self, client: httpx.AsyncClient, method: str, path: str, body: dict[str, Json] | None
    ) -> Json | _Skip | ProposerError:
        """One request with its retries: the decoded reply, or why there is none."""
        waits = self._owner.waits
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._once(client, method, path, body)
            if not isinstance(outcome, _Retry):
                return outcome
            if attempt >= outcome.most:
                return outcome.failure
            pause = max(waits.backoff * 2 ** (attempt - 1), outcome.after)
            await asyncio.sleep(min(pause, waits.longest_backoff))

    async def _once(
        self, client: httpx.AsyncClient, method: str, path: str, body: dict[str, Json] | None
    ) -> Json | _Skip | ProposerError | _Retry:
        import httpx

        url, waits = self._owner.url, self._owner.waits
        try:
            request = client.request(method, url + path, json=body)
            reply = await asyncio.wait_for(request, waits.connect + waits.answer)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return _Retry(
                ProposerError(
                    f"no server at {url} ({error or 'connection timed out'}): start it "
                    "(scripts/serve-vllm) or name another with GCCLLM_MODEL=openai:URL#MODEL"
                ),
                waits.connect_attempts,
            )
        except (httpx.TimeoutException, asyncio.TimeoutError):
            return _Skip("time-limit", f"no answer within {waits.answer:g} s")
        except httpx.InvalidURL as error:
            return ProposerError(f"{url}: {error}")
        except httpx.HTTPError as error:
            why = f"{type(error).__name__} {error}".strip()
            return _Retry(_Skip("connection-lost", why), waits.attempts)
        return _read(reply, self._owner)


@dataclass(frozen=True)
class _Retry:
    """Worth another attempt, ``after`` seconds at least, ``most`` in all; then ``failure``."""

    failure: _Skip | ProposerError
    most: int
    after: float = 0.0


def _read(reply: httpx.Response, owner: OpenAIProposer) -> Json | _Skip | ProposerError | _Retry:
    url, status = owner.url, reply.status_code
    if status == 429 or status >= 500:
        wait = reply.headers.get("retry-after", "")
        failure = _Skip("overloaded" if status == 429 else "server-error", f"HTTP {status}")
        return _Retry(failure, owner.waits.attempts, float(wait) if wait.isdecimal() else 0.0)
    said = " ".join(reply.text[:300].split())
    if status in (401, 403):
        return ProposerError(f"{url} wants a key (HTTP {status}): set GCCLLM_API_KEY")
    if status == 404:
        return ProposerError(
            f"{url} has no model {owner.model!r} or no such path (HTTP 404): {said}"
        )
    if status != 200:
        return ProposerError(f"{url} refuses the request (HTTP {status}): {said}")
    try:
        decoded: Json = reply.json()
    except ValueError:
        return _Skip("bad-reply", "the reply is not JSON")
    return decoded
