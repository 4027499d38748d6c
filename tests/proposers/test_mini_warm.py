"""The warm model: the same answers as one's own, and no harm from any server that is not well."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import ProposerError
from gccllm.proposers import warm
from gccllm.proposers.answers import FOREVER, Answer, Sampling
from gccllm.proposers.serving import ModelServer
from gccllm.proposers.warm import PROTOCOL, SOCKET, Unavailable, WarmAnswers, address, ask
from gccllm.proposers.weights import Weights
from gccllm.types import Json
from tests.tiny_model import PROMPT

Talk = Callable[[socket.socket], None]


class Parrot:
    """Answers with what it was asked; may be made to wait or to fail."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.fails = False
        self.asked: list[Sampling] = []

    def answers(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
    ) -> list[list[Answer]]:
        self.asked.append(replace(sampling, deadline=FOREVER))
        self.go.wait(10.0)
        if self.fails:
            raise RuntimeError("out of order")
        return [
            [Answer(f"{x[-3:]} {n}", -0.1 * n, n) for n in range(sampling.samples)] for x in prompts
        ]


@contextmanager
def served(
    answers: Parrot, store: Path, *, identity: str = "one", idle: float = 60.0
) -> Iterator[threading.Thread]:
    server = ModelServer(answers, identity, store, idle)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(10.0)
    try:
        yield thread
    finally:
        answers.go.set()
        server.stop()
        thread.join(20.0)
        assert not thread.is_alive()
        assert not (store / SOCKET).exists()


@contextmanager
def impostor(store: Path, talk: Talk) -> Iterator[None]:
    """Something else at the socket; ``talk`` is called for each connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with address(store) as path:
            listener.bind(path)
        listener.listen(8)
        listener.settimeout(0.1)
        ended = threading.Event()

        def work() -> None:
            while not ended.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                with peer:
                    try:
                        talk(peer)
                    except OSError:
                        continue

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def framed(message: Json) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def says(*replies: Json) -> Talk:
    """A peer that gives these replies, one a connection, the last one again and again."""
    left = list(replies)

    def talk(peer: socket.socket) -> None:
        peer.recv(1 << 20)
        peer.sendall(framed(left.pop(0) if len(left) > 1 else left[0]))

    return talk


def hello(weights: Weights, **other: Json) -> dict[str, Json]:
    return {
        "version": PROTOCOL,
        "ok": True,
        "identity": weights.identity,
        "busy": False,
        **other,
    }


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time enough for a machine that is busy; what hangs is given up soon all the same."""
    monkeypatch.setattr(warm, "HELLO_SECONDS", 1.0)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Parrot:
    """What is loaded into this process when no server answers."""
    parrot = Parrot()
    monkeypatch.setattr(warm, "load", lambda weights: parrot)
    return parrot


def test_a_server_answers_as_the_model_itself_does(tiny: Weights, own_store: Path) -> None:
    """The real thing on both ends."""
    model = warm.load(tiny)
    wanted = model.answers([PROMPT], Sampling(5, seed=4, temperature=0.9))
    server = ModelServer(model, tiny.identity, own_store, 60.0)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(10.0)
    try:
        client = warm.source_of(tiny.folder)
        assert client.answers([PROMPT], Sampling(5, seed=4, temperature=0.9)) == wanted
        assert isinstance(client, WarmAnswers)
        assert client.why_own == ""
    finally:
        server.stop()
        thread.join(20.0)


def test_all_that_is_asked_arrives(tiny: Weights, own_store: Path, own: Parrot) -> None:
    parrot = Parrot()
    with served(parrot, own_store, identity=tiny.identity):
        client = WarmAnswers(tiny)
        found = client.answers(["abc", "xyz"], Sampling(2, seed=7, temperature=0.25, greedy=False))
        client.answers(["abc"], Sampling(1, masked=False))
    assert [[x.text for x in row] for row in found] == [["abc 0", "abc 1"], ["xyz 0", "xyz 1"]]
    assert parrot.asked == [Sampling(2, 7, 0.25, greedy=False), Sampling(masked=False)]
    assert own.asked == []


def test_the_socket_is_for_its_owner_alone(own_store: Path) -> None:
    with served(Parrot(), own_store):
        assert (own_store / SOCKET).stat().st_mode & 0o777 == 0o600
        assert (own_store / SOCKET).stat().st_uid == os.geteuid()


def test_a_store_with_a_long_name_has_a_socket_too(
    tiny: Weights, tmp_path: Path, own: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / ("long" * 50)
    monkeypatch.setenv("GCCLLM_STORE", str(store))
    with served(Parrot(), store, identity=tiny.identity):
        assert WarmAnswers(tiny).answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert own.asked == []


def test_one_server_a_store(own_store: Path) -> None:
    with served(Parrot(), own_store), pytest.raises(ProposerError, match="runs already"):
        ModelServer(Parrot(), "two", own_store, 1.0).run()
    with served(Parrot(), own_store):
        assert ask({"do": "hello"})["served"] == 0


def test_status_and_stop(own_store: Path) -> None:
    with served(Parrot(), own_store, identity="mine") as thread:
        status = ask({"do": "hello"})
        assert (status["identity"], status["pid"], status["busy"]) == ("mine", os.getpid(), False)
        assert ask({"do": "stop"})["ok"] is True
        thread.join(20.0)
    with pytest.raises(Unavailable):
        ask({"do": "hello"})


def test_it_ends_when_nobody_asks(own_store: Path) -> None:
    with served(Parrot(), own_store, idle=0.01) as thread:
        thread.join(20.0)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    "request_of_odd_kind",
    [
        {"do": "dance"},
        {"do": "answers"},
        {"do": "answers", "identity": "two"},
        {"do": "answers", "identity": "one", "prompts": "abc", "samples": 1},
        {"do": "answers", "identity": "one", "prompts": [1], "samples": 1},
        {"do": "answers", "identity": "one", "prompts": [], "samples": 10**9},
        {"do": "answers", "identity": "one", "prompts": [], "samples": 1, "seed": "x"},
    ],
)
def test_odd_requests_get_an_error_and_end_nothing(
    own_store: Path, request_of_odd_kind: dict[str, Json]
) -> None:
    with served(Parrot(), own_store):
        with pytest.raises(Unavailable, match="it says: "):
            ask(request_of_odd_kind)
        assert ask({"do": "hello"})["ok"] is True


@pytest.mark.parametrize(
    "junk", [b"", b"\0\0", b"\xff" * 8, framed([1]), framed({}), b"\0\0\0\x02hi"]
)
def test_junk_ends_nothing(own_store: Path, junk: bytes) -> None:
    with served(Parrot(), own_store):
        with socket.socket(socket.AF_UNIX) as peer, address(own_store) as path:
            peer.connect(path)
            peer.sendall(junk)
        assert ask({"do": "hello"})["ok"] is True


def test_a_model_that_fails_costs_one_request(tiny: Weights, own_store: Path, own: Parrot) -> None:
    parrot = Parrot()
    parrot.fails = True
    with served(parrot, own_store, identity=tiny.identity):
        client = WarmAnswers(tiny)
        assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
        assert client.why_own == "it says: RuntimeError: out of order"
        parrot.fails = False
        assert WarmAnswers(tiny).answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert (len(parrot.asked), len(own.asked)) == (2, 1)


def test_who_comes_while_it_works_loads_the_model(
    tiny: Weights, own_store: Path, own: Parrot
) -> None:
    parrot = Parrot()
    parrot.go.clear()
    with served(parrot, own_store, identity=tiny.identity):
        asking = (["abc"], Sampling())
        patient_client = threading.Thread(target=WarmAnswers(tiny).answers, args=asking)
        patient_client.start()
        while not ask({"do": "hello"})["busy"]:
            time.sleep(0.01)
        client = WarmAnswers(tiny)
        assert client.answers(["xyz"], Sampling(1))[0][0].text == "xyz 0"
        assert client.why_own == "it is busy"
        assert len(own.asked) == 1
        parrot.go.set()
        patient_client.join(20.0)
    assert len(own.asked) == 1, "the one that was first waited, for the server was alive"


def test_without_a_server(tiny: Weights, own: Parrot) -> None:
    client = WarmAnswers(tiny)
    assert client.answers(["abc"], Sampling(1, seed=3))[0][0].text == "abc 0"
    assert client.why_own
    assert own.asked == [Sampling(1, 3)]


def test_a_server_that_was_killed(tiny: Weights, own_store: Path, own: Parrot) -> None:
    with socket.socket(socket.AF_UNIX) as left, address(own_store) as path:
        left.bind(path)
    client = WarmAnswers(tiny)
    assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert "refused" in client.why_own
    with served(Parrot(), own_store, identity=tiny.identity):
        assert WarmAnswers(tiny).answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert len(own.asked) == 1


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_no_socket_at_all(tiny: Weights, own_store: Path, own: Parrot, kind: str) -> None:
    place = own_store / SOCKET
    if kind == "file":
        place.write_text("hello")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/null")
    client = WarmAnswers(tiny)
    assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert "not this user's socket" in client.why_own


def test_another_user_s_server(
    tiny: Weights, own_store: Path, own: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "same_user", lambda peer: False)
    with impostor(own_store, says(hello(tiny))):
        client = WarmAnswers(tiny)
        assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert client.why_own == "another user's process serves it"


def silent(peer: socket.socket) -> None:
    peer.recv(1)
    peer.recv(1 << 20)
    time.sleep(1.5)


def dying(peer: socket.socket) -> None:
    peer.recv(1 << 20)
    peer.sendall(b"\0\0\1\0half")


def busy_for_ever(peer: socket.socket) -> None:
    request = peer.recv(1 << 20)
    if b"hello" in request:
        return
    while True:
        peer.sendall(b"\0\0\0\0")
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [silent, dying], ids=["silent", "dying"])
def test_a_server_that_hangs_or_dies(
    tiny: Weights, own_store: Path, own: Parrot, talk: Talk
) -> None:
    with impostor(own_store, talk):
        client = WarmAnswers(tiny)
        assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert client.why_own
    assert len(own.asked) == 1


def test_a_server_that_is_at_work_for_ever(
    tiny: Weights, own_store: Path, own: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs of life are not enough: the caller's deadline ends it."""
    monkeypatch.setattr(warm, "SILENCE_SECONDS", 0.5)
    greeting = says(hello(tiny))
    count = 0

    def talk(peer: socket.socket) -> None:
        nonlocal count
        count += 1
        if count == 1:
            greeting(peer)
        else:
            busy_for_ever(peer)

    with impostor(own_store, talk):
        client = WarmAnswers(tiny)
        client.answers(["abc"], Sampling(1, deadline=time.monotonic() + 0.2))
    assert client.why_own == "it takes too long"


GOOD: Json = {"text": "keep", "logprob": -1.0, "tokens": 1, "repairs": 0, "given_up": False}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (None, "no answers"),
        ([], "another number"),
        ([[]], "another number"),
        ([[GOOD, GOOD]], "another number"),
        (["keep"], "another number"),
        ([["keep"]], "no answer"),
        ([[{"text": "keep"}]], "no answer"),
        (
            [[{"text": 5, "logprob": 0.0, "tokens": 1, "repairs": 0, "given_up": False}]],
            "no answer",
        ),
    ],
)
def test_replies_that_make_no_sense(
    tiny: Weights, own_store: Path, own: Parrot, answers: Json, why: str
) -> None:
    with impostor(own_store, says(hello(tiny), hello(tiny, answers=answers))):
        client = WarmAnswers(tiny)
        assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert why in client.why_own


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        ([], "another protocol"),
        ({"version": 99, "ok": True}, "another protocol"),
        ({"version": PROTOCOL}, "it says"),
        ({"version": PROTOCOL, "ok": True, "identity": "other", "busy": False}, "other weights"),
        ({"version": PROTOCOL, "ok": True, "busy": False}, "other weights"),
    ],
)
def test_greetings_of_others(
    tiny: Weights, own_store: Path, own: Parrot, greeting: Json, why: str
) -> None:
    with impostor(own_store, says(greeting)):
        client = WarmAnswers(tiny)
        assert client.answers(["abc"], Sampling(1))[0][0].text == "abc 0"
    assert why in client.why_own


def test_once_on_its_own_it_asks_nobody_again(tiny: Weights, own_store: Path, own: Parrot) -> None:
    client = WarmAnswers(tiny)
    client.answers(["abc"], Sampling(1))
    parrot = Parrot()
    with served(parrot, own_store, identity=tiny.identity):
        client.answers(["abc"], Sampling(1))
    assert (len(own.asked), parrot.asked) == (2, [])
