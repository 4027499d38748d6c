"""``gccllm serve`` as a process: it serves, tells, stops, and says in a line what keeps it from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gccllm.proposers.answers import Sampling
from gccllm.proposers.warm import SOCKET, WarmAnswers, load
from gccllm.proposers.weights import Weights
from tests.cli.conftest import Command
from tests.tiny_model import PROMPT, make

SECONDS = 60


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, shared_cache: object) -> Weights:
    return make(tmp_path_factory.mktemp("tiny") / "model")


@contextmanager
def serving(weights: Weights, *options: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-W", "error", "-m", "gccllm.cli", "serve", "--model"]
    with subprocess.Popen(
        [*argv, str(weights.folder), *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert "tiny is served from" in process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_it_serves_tells_and_stops(tiny: Weights, gccllm: Command, own_store: Path) -> None:
    with serving(tiny) as process:
        told = gccllm("serve", "--status")
        assert told.status == 0
        expected = f"process {process.pid} serves weights {tiny.identity}: idle, 0 requests in "
        assert told.out.startswith(expected)
        client = WarmAnswers(tiny)
        answers = client.answers([PROMPT], Sampling(3, seed=2))
        if not client.why_own:
            assert gccllm("serve", "--status").out.startswith(expected.replace(" 0 ", " 1 "))
        stopped = gccllm("serve", "--stop")
        assert (stopped.status, stopped.out) == (0, f"process {process.pid} ends\n")
        assert process.wait(SECONDS) == 0
    assert not (own_store / SOCKET).exists()
    assert answers == load(tiny).answers([PROMPT], Sampling(3, seed=2))
    for option in ("--status", "--stop"):
        told = gccllm("serve", option)
        assert told.status == 1
        assert told.out.startswith(f"no server for {own_store}: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tiny: Weights, own_store: Path, number: signal.Signals) -> None:
    with serving(tiny) as process:
        assert (own_store / SOCKET).exists()
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
    assert not (own_store / SOCKET).exists()


def test_idle_it_ends_by_itself(tiny: Weights, own_store: Path) -> None:
    with serving(tiny, "--idle", "1") as process:
        assert process.wait(SECONDS) == 0
    assert not (own_store / SOCKET).exists()


def test_killed_it_leaves_room_for_the_next(tiny: Weights, own_store: Path) -> None:
    with serving(tiny) as process:
        process.kill()
        process.wait(SECONDS)
    assert (own_store / SOCKET).exists()
    with serving(tiny):
        pass


def test_a_second_one_is_refused(tiny: Weights, gccllm: Command) -> None:
    with serving(tiny):
        done = gccllm("serve", "--model", tiny.folder)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("gccllm: error: a server runs already in ")


def test_without_weights_it_says_so(gccllm: Command, tmp_path: Path) -> None:
    done = gccllm("serve", "--model", tmp_path)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"gccllm: error: {tmp_path}: no readable manifest.json")


def test_a_store_that_can_not_be_made(tiny: Weights, gccllm: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = {"GCCLLM_STORE": str(tmp_path / "file" / "store")}
    done = gccllm("serve", "--model", tiny.folder, env=env)
    assert done.status == 1
    assert "no socket in" in done.err


def test_the_doctor_asks_the_model(tiny: Weights, gccllm: Command, tmp_path: Path) -> None:
    def model_line(folder: Path) -> str:
        env = {"GCCLLM_MODEL": f"mini:{folder}", "PATH": os.environ["PATH"]}
        lines = gccllm("doctor", "--no-timer", env=env).out.splitlines()
        return next(x for x in lines if " model: " in x)

    assert " loads and answers in " in model_line(tiny.folder)
    assert model_line(tiny.folder).startswith("ok   model: tiny (")
    with serving(tiny):
        assert model_line(tiny.folder).endswith("; a server keeps it warm")
    assert model_line(tmp_path).startswith("warn model: no weights in ")
    (tmp_path / "model.bin").write_bytes(b"\0")
    assert model_line(tmp_path).startswith(f"warn model: {tmp_path}: no readable manifest")
