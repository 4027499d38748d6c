"""The client against a real HTTP server that can misbehave in every way we have thought of."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import ProposerError, UsageError
from gccllm.proposers.base import Attempt, Task
from gccllm.proposers.openai import OpenAIProposer, Waits
from gccllm.types import Candidate, Isa, Verdict, VerdictKind

ASM = "f:\n\tret\n"
GOOD = f"```assembly\n{ASM}```"
QUICK = Waits(connect=1.0, answer=5.0, attempts=3, backoff=0.01, longest_backoff=0.02)


@dataclass(frozen=True)
class Reply:
    """What the server does with one request: wait, then send; ``body`` None hangs up."""

    body: bytes | None = b""
    status: int = 200
    wait: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


def chat(text: str, finish: str = "stop") -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return Reply(json.dumps({"choices": [{**choice, "finish_reason": finish}]}).encode())


@dataclass
class FakeServer:
    """Replies by the request's ``seed`` (the sample), else with ``reply``; ``first`` goes first."""

    reply: Reply = field(default_factory=lambda: chat(GOOD))
    by_sample: dict[int, Reply] = field(default_factory=dict)
    first: list[Reply] = field(default_factory=list)
    models: Reply = Reply(b'{"data": [{"id": "org/served"}]}')
    barrier: threading.Barrier | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def pick(self, body: dict[str, Any]) -> Reply:
        with self.lock:
            self.requests.append(body)
            if self.first:
                return self.first.pop(0)
        return self.by_sample.get(body["seed"], self.reply)


class Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def do_GET(self) -> None:
        assert self.path == "/v1/models"
        self.answer(self.fake.models)

    def do_POST(self) -> None:
        assert self.path == "/v1/chat/completions"
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.fake.keys.append(self.headers.get("authorization", ""))
        reply = self.fake.pick(body)
        if self.fake.barrier is not None:
            self.fake.barrier.wait(10)
        self.fake.release.wait(reply.wait)
        self.answer(reply)

    def answer(self, reply: Reply) -> None:
        if reply.body is None:
            self.close_connection = True
            return
        try:
            self.send_response(reply.status)
            self.send_header("content-length", str(len(reply.body)))
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    for name in (
        "GCCLLM_API_KEY",
        "OPENAI_API_KEY",
        "GCCLLM_TEMPERATURE",
        "HTTP_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    fake = FakeServer()
    handler = type("BoundHandler", (Handler,), {"fake": fake})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    httpd.daemon_threads = False
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    fake.url = f"http://127.0.0.1:{httpd.server_address[1]}/v1"
    yield fake
    fake.release.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def task(samples: int = 1, *, seconds: float = 30.0, **more: Any) -> Task:
    more = {"source": "void f(void){}\n", **more}
    isa = Isa("target", "x86-64", frozenset())
    deadline = time.monotonic() + seconds
    return Task("u", ASM, (), isa, Path("unused"), deadline, samples=samples, **more)


def client(server: FakeServer, waits: Waits = QUICK, model: str = "org/m") -> OpenAIProposer:
    return OpenAIProposer(server.url, model, waits)


def test_the_first_sample_is_greedy_and_the_others_warm(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCCLLM_API_KEY", "secret")
    candidates = list(client(server).propose(task(3)))
    assert [c.text for c in candidates] == [ASM] * 3
    assert {c.label for c in candidates} == {
        "sample 1 (greedy)",
        "sample 2 (temperature 0.5)",
        "sample 3 (temperature 0.5)",
    }
    sent = sorted(server.requests, key=lambda r: int(r["seed"]))
    assert [r["temperature"] for r in sent] == [0.0, 0.5, 0.5]
    assert {r["model"] for r in sent} == {"org/m"}
    assert {r["max_tokens"] for r in sent} == {2000}
    assert sent[0]["messages"][0]["content"].startswith("Given the following C code and assembly")
    assert set(server.keys) == {"Bearer secret"}


def test_temperature_is_the_users(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCCLLM_TEMPERATURE", "0.9")
    list(client(server).propose(task(2)))
    assert sorted(r["temperature"] for r in server.requests) == [0.0, 0.9]
    monkeypatch.setenv("GCCLLM_TEMPERATURE", "warm")
    with pytest.raises(UsageError, match="from 0 to 2"):
        next(client(server).propose(task(1)))


def test_without_a_name_the_served_model_is_asked(server: FakeServer) -> None:
    assert len(list(client(server, model="").propose(task(1)))) == 1
    assert server.requests[0]["model"] == "org/served"
    server.models = Reply(b'{"data": []}')
    with pytest.raises(ProposerError, match="lists no model"):
        next(client(server, model="").propose(task(1)))


def test_the_own_last_attempt_is_shown_with_its_verdict(server: FakeServer) -> None:
    verdict = Verdict(VerdictKind.CRASHED, "signal 11")
    mine = Attempt(Candidate("model", "u", (), "g:\n\tud2\n"), verdict)
    others = Attempt(Candidate("compilers", "u", (), ASM), Verdict(VerdictKind.ACCEPTED))
    list(client(server).propose(task(1, attempts=[mine, others])))
    turns = server.requests[0]["messages"]
    assert [t["role"] for t in turns] == ["user", "assistant", "user"]
    assert "ud2" in turns[1]["content"]
    assert "signal 11" in turns[2]["content"]


def test_no_source_or_no_samples_asks_nothing(server: FakeServer) -> None:
    assert list(client(server).propose(task(1, source=None))) == []
    assert list(client(server).propose(task(0))) == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (chat("I would rather not."), "not assembly"),
        (chat("```c\nint x;\n```"), "marked 'c'"),
        (chat("```assembly\nf:\n\tmovl $1, %ea", "length"), "truncated"),
        (chat(ASM, "length"), "truncated"),
    ],
)
def test_an_answer_in_the_wrong_form_is_a_malformed_candidate(
    server: FakeServer, reply: Reply, reason: str
) -> None:
    server.by_sample[1] = reply
    good, bad = sorted(client(server).propose(task(2)), key=lambda c: c.label)
    assert (good.text, good.malformed) == (ASM, "")
    assert bad.text == ""
    assert reason in bad.malformed


def test_too_many_requests_then_ok(server: FakeServer) -> None:
    server.first = [Reply(b"slow down", 429, headers=(("retry-after", "0"),))]
    assert len(list(client(server).propose(task(1)))) == 1
    assert len(server.requests) == 2


def test_an_error_of_the_server_costs_that_sample_only(server: FakeServer) -> None:
    server.by_sample[1] = Reply(b"oops", 500)
    proposer = client(server)
    assert [c.label[:8] for c in proposer.propose(task(2))] == ["sample 1"]
    assert proposer.skipped == {"server-error": 1}
    assert len(server.requests) == 1 + QUICK.attempts


def test_errors_alone_are_a_proposer_that_cannot_work(server: FakeServer) -> None:
    server.reply = Reply(b"oops", 503)
    with pytest.raises(ProposerError, match=r"no sample got through.*HTTP 503"):
        next(client(server).propose(task(2)))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        b"\xff",
    ],
)
def test_garbage_costs_that_sample_only(server: FakeServer, body: bytes) -> None:
    server.by_sample[0] = Reply(body)
    proposer = client(server)
    assert [c.label[:8] for c in proposer.propose(task(2))] == ["sample 2"]
    assert proposer.skipped == {"bad-reply": 1}


def test_a_connection_that_breaks_is_tried_again(server: FakeServer) -> None:
    server.first = [Reply(None)]
    assert len(list(client(server).propose(task(1)))) == 1


def test_a_hanging_server_is_given_up_after_the_time_limit(server: FakeServer) -> None:
    server.reply = Reply(b"late", wait=60)
    waits = Waits(connect=1.0, answer=0.2, attempts=3, backoff=0.01)
    with pytest.raises(ProposerError, match=r"no answer within 0\.2 s"):
        next(client(server, waits).propose(task(1)))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "set GCCLLM_API_KEY"),
        (403, "set GCCLLM_API_KEY"),
        (404, "no model 'org/m'"),
        (400, "refuses the request.*context length"),
    ],
)
def test_what_the_user_must_mend_is_said_at_once(
    server: FakeServer, status: int, message: str
) -> None:
    server.reply = Reply(b"maximum context length is 4096", status)
    with pytest.raises(ProposerError, match=message):
        next(client(server).propose(task(4)))


def test_nobody_listens() -> None:
    proposer = OpenAIProposer("http://127.0.0.1:9/v1", "m", QUICK)
    with pytest.raises(ProposerError, match=r"no server at http://127.0.0.1:9/v1.*serve-vllm"):
        next(proposer.propose(task(3)))


def test_a_url_that_is_none() -> None:
    with pytest.raises(UsageError, match="openai:http://HOST:PORT"):
        OpenAIProposer.from_spec("localhost:8000#m")
    with pytest.raises(ProposerError, match="port"):
        next(OpenAIProposer("http://host:port/v1", "m", QUICK).propose(task(1)))


def test_requests_run_at_the_same_time(server: FakeServer) -> None:
    server.barrier = threading.Barrier(4)
    assert len(list(client(server).propose(task(4)))) == 4


def test_what_is_ready_at_the_deadline_is_all_there_is(server: FakeServer) -> None:
    server.by_sample[1] = Reply(b"late", wait=60)
    candidates = list(client(server).propose(task(2, seconds=2.0)))
    assert [c.label[:8] for c in candidates] == ["sample 1"]


def test_a_deadline_without_any_answer_is_no_error(server: FakeServer) -> None:
    server.reply = Reply(b"late", wait=60)
    assert list(client(server).propose(task(2, seconds=0.2))) == []


def test_closing_the_iterator_cancels_what_is_under_way(server: FakeServer) -> None:
    server.by_sample[1] = Reply(b"late", wait=60)
    stream = client(server).propose(task(2))
    assert next(stream).text == ASM
    assert isinstance(stream, Generator)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "gccllm-openai"]


def test_bytes_that_are_no_utf8_are_sent_as_replacements(server: FakeServer) -> None:
    source = b'char *s = "\xe9";'.decode("utf-8", "surrogateescape")
    assert len(list(client(server).propose(task(1, source=source)))) == 1
    assert '"\ufffd"' in server.requests[0]["messages"][0]["content"]
