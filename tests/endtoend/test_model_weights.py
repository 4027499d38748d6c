"""The embedded model missing, damaged or badly served: the build goes on without it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gccllm.proposers.weights import Weights
from gccllm.store import Store
from tests.endtoend.project import FAST, Project
from tests.tiny_model import make


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, shared_cache: object) -> Weights:
    return make(tmp_path_factory.mktemp("tiny") / "model")


def broken(tiny: Weights, folder: Path, how: str) -> str:
    """The spec of a model that can't be used."""
    place = folder / "weights"
    if how != "missing":
        shutil.copytree(tiny.folder, place)
    if how == "damaged":
        (place / "model.bin").write_bytes(b"\0" * 64)
    elif how == "half":
        (place / "tokenizer.json").unlink()
    return f"mini:{place}"


def counted(project: Project, event: str) -> int:
    with Store(project.store) as store:
        return store.counters().get(f"shim:{event}", 0)


@pytest.mark.parametrize("how", ["missing", "damaged", "half"])
def test_alone_it_leaves_gcc_s_result(
    tiny: Weights, project: Project, tmp_path: Path, how: str
) -> None:
    project.build(GCCLLM_PROPOSERS="model", GCCLLM_MODEL=broken(tiny, tmp_path, how))
    record = project.record()
    assert (record["outcome"], record["reason"]) == ("fallback", "proposer-unusable")
    assert str(tmp_path / "weights") in record["detail"]
    assert project.built == project.expected
    assert project.left_behind() == []
    assert counted(project, "model-unusable") == 1


def test_the_other_proposers_go_on(tiny: Weights, project: Project, tmp_path: Path) -> None:
    project.propose(project.unit(FAST))
    names = f"model,scripted:{project.scripts}"
    project.build(GCCLLM_PROPOSERS=names, GCCLLM_MODEL=broken(tiny, tmp_path, "damaged"))
    assert project.record()["outcome"] == "optimized"
    assert counted(project, "model-unusable") == 1


def test_a_server_that_does_not_answer(tiny: Weights, project: Project) -> None:
    """Stopped in the middle, it holds the socket and says nothing."""
    project.store.mkdir()
    argv = [sys.executable, "-m", "gccllm.cli", "serve", "--model", str(tiny.folder)]
    env = {**project.environment(), "GCCLLM_STORE": str(project.store)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=env) as server:
        try:
            assert server.stdout is not None
            assert b"is served from" in server.stdout.readline()
            server.send_signal(signal.SIGSTOP)
            names = f"model,scripted:{project.scripts}"
            project.propose(project.unit(FAST))
            model = f"mini:{tiny.folder}"
            project.build(GCCLLM_PROPOSERS=names, GCCLLM_MODEL=model, GCCLLM_SAMPLES="1")
        finally:
            server.kill()
    assert project.record()["outcome"] == "optimized"
    assert counted(project, "model-unusable") == 0
