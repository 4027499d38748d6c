"""The embedded model kept warm in another process (``gccllm serve``), or loaded into this one.

Requests go over a Unix socket in the store, each message a JSON object behind its length (4 bytes,
big endian); a length of 0 says that the server is still at work. Whoever does not answer in time,
serves other weights, breaks the protocol or is another user is left alone: the model is then
loaded here. Both ways give the same answers.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gccllm.paths import cache_dir
from gccllm.proposers.answer_assembly import AnswerAssembler
from gccllm.proposers.answers import Answer, Answers, Sampling
from gccllm.proposers.decoding import Decoder
from gccllm.proposers.weights import Weights, check
from gccllm.toolchain import Toolchain
from gccllm.types import Json

__all__ = [
    "MOST_SECONDS",
    "PROTOCOL",
    "SOCKET",
    "Unavailable",
    "WarmAnswers",
    "address",
    "ask",
    "load",
    "receive",
    "same_user",
    "send",
    "source_of",
]

SOCKET = "model.sock"
PROTOCOL = 1
HELLO_SECONDS = 0.1
SILENCE_SECONDS = 2.0
"""a server at work says so more often"""
MOST_SECONDS = 120.0
"""of work for one request"""
MOST_BYTES = 16 << 20
_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")


class Unavailable(Exception):
    """No usable server; the message says why."""


def load(weights: Weights) -> Decoder:
    """The model in this process. Raises ProposerError, and ToolchainError without an assembler."""
    return Decoder(weights.folder, assembles=AnswerAssembler(Toolchain()).faults)


def source_of(folder: Path) -> Answers:
    """Whoever answers for the weights in ``folder``. Raises ProposerError for damaged weights."""
    return WarmAnswers(check(folder))


class WarmAnswers:
    """A server's answers; from the first time that it fails on, this process's own."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._own: Decoder | None = None
        self.why_own = ""
        """why no server answers"""

    def answers(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
    ) -> list[list[Answer]]:
        """See :class:`gccllm.proposers.answers.Answers`."""
        if self._own is None:
            seconds = min(MOST_SECONDS, max(0.0, sampling.deadline - time.monotonic()))
            request: dict[str, Json] = {
                "do": "answers",
                "identity": self._weights.identity,
                "prompts": list(prompts),
                "samples": sampling.samples,
                "seed": sampling.seed,
                "temperature": sampling.temperature,
                "greedy": sampling.greedy,
                "masked": sampling.masked,
                "least": sampling.least,
                "seconds": seconds,
            }
            try:
                found = _answers_of(self._checked(request, seconds))
                if [len(x) for x in found] != [sampling.samples] * len(prompts):
                    raise Unavailable("another number of answers than was asked for")
                return found
            except Unavailable as error:
                self.why_own = str(error)
            self._own = load(self._weights)
        return self._own.answers(prompts, sampling)

    def _checked(self, request: dict[str, Json], seconds: float) -> dict[str, Json]:
        hello = ask({"do": "hello"}, silence=HELLO_SECONDS, within=HELLO_SECONDS)
        if hello.get("identity") != self._weights.identity:
            raise Unavailable("it serves other weights")
        if hello.get("busy") is not False:
            raise Unavailable("it is busy")
        return ask(request, silence=SILENCE_SECONDS, within=seconds + SILENCE_SECONDS)


def ask(
    request: dict[str, Json], *, silence: float = SILENCE_SECONDS, within: float = SILENCE_SECONDS
) -> dict[str, Json]:
    """Send one request to the server of this store, wait for the reply: ``within`` seconds in all,
    ``silence`` of them without a byte. Raises Unavailable for everything that may go wrong."""
    try:
        with _connected() as peer:
            peer.settimeout(silence)
            send(peer, {**request, "version": PROTOCOL})
            reply = receive(peer, time.monotonic() + within)
    except (OSError, ValueError) as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    if not isinstance(reply, dict) or reply.get("version") != PROTOCOL:
        raise Unavailable("it speaks another protocol")
    if reply.get("ok") is not True:
        raise Unavailable(f"it says: {reply.get('error')}")
    return reply


@contextmanager
def address(folder: Path) -> Iterator[str]:
    """The socket of the store ``folder`` as a path that is short enough for any folder (108 bytes
    are the limit of unix(7)). Raises OSError where there is no such folder."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{SOCKET}"
    finally:
        os.close(handle)


def same_user(peer: socket.socket) -> bool:
    """Is the process at the other end one of this user's?"""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1]) == os.geteuid()


def send(peer: socket.socket, message: dict[str, Json] | None) -> None:
    """One message; None: still at work."""
    body = b"" if message is None else json.dumps(message).encode()
    peer.sendall(_LENGTH.pack(len(body)) + body)


def receive(peer: socket.socket, until: float) -> Json:
    """The next message that has a body. Raises OSError, as when it is not there at ``until``
    (time.monotonic()), and ValueError for what is none."""
    length = 0
    while not length:
        (length,) = _LENGTH.unpack(_exactly(peer, _LENGTH.size, until))
    if length > MOST_BYTES:
        raise ValueError(f"a message of {length} bytes")
    message: Json = json.loads(_exactly(peer, length, until))
    return message


@contextmanager
def _connected() -> Iterator[socket.socket]:
    folder = cache_dir()
    found = (folder / SOCKET).lstat()
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(f"{folder / SOCKET} is not this user's socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, address(folder) as path:
        peer.settimeout(HELLO_SECONDS)
        peer.connect(path)
        if not same_user(peer):
            raise OSError("another user's process serves it")
        yield peer
        with suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)


def _exactly(peer: socket.socket, count: int, until: float) -> bytes:
    parts = []
    while count:
        part = peer.recv(min(count, 1 << 16))
        if not part:
            raise ConnectionError("it closed the connection")
        if time.monotonic() > until:
            raise TimeoutError("it takes too long")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _answers_of(reply: dict[str, Json]) -> list[list[Answer]]:
    """Raises Unavailable for anything but lists of lists of answers."""
    rows = reply.get("answers")
    if not isinstance(rows, list):
        raise Unavailable("it gives no answers")
    return [[_answer(x) for x in row] if isinstance(row, list) else [] for row in rows]


def _answer(found: Json) -> Answer:
    match found:
        case {
            "text": str(text),
            "logprob": float(logprob),
            "tokens": int(tokens),
            "repairs": int(repairs),
            "given_up": bool(given_up),
        }:
            return Answer(text, logprob, tokens, repairs, given_up)
    raise Unavailable("that is no answer")
