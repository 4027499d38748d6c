"""Nothing that Python, cc1 or a signal does leaves anything but gcc's own result, and no litter."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.driver.installed import Installed, clean_environment
from tests.driver.place import Place, plain_assembly

FAULTS = {
    "exit 3": "driver-crashed",
    "echo noise; echo noise >&2; exit 1": "driver-crashed",
    "kill -SEGV $$": "driver-killed",
    "kill -KILL $$": "driver-killed",
    "sleep 1000": "driver-killed",
    "trap '' TERM; sleep 1000; sleep 1000": "driver-killed",
    "sleep 1000 & exit 0": None,
    'cat >"$target.half"; exit 1': "driver-crashed",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_python_leaves_gccs_assembly(either: Installed, place: Place, fault: str) -> None:
    place.store.mkdir()
    place.script(fault)
    env = place.env(GCCLLM_TESTS="t", GCCLLM_DRIVER_TIMEOUT="1")
    done = either.run("-O2", "-S", "main.c", cwd=place.tree, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (place.tree / "main.s").read_bytes() == plain_assembly(place)
    assert len(place.calls()) == 1
    expected = FAULTS[fault]
    assert place.events() == ([expected] if expected else [])


def test_a_missing_python_leaves_gccs_program(either: Installed, place: Place) -> None:
    place.store.mkdir()
    env = place.env(GCCLLM_TESTS="t", GCCLLM_PYTHON="/no/such/python")
    done = either.run("-O2", "main.c", "-o", "main", cwd=place.tree, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert subprocess.check_output([place.tree / "main"]) == b"gcc\n"
    assert place.events() == ["no-python", "no-python"]
    assert place.clean()


def test_the_link_leaves_no_process_and_no_file(installed: Installed, place: Place) -> None:
    marker = f"{random.randrange(10**6, 10**7)}.25"
    place.script(
        f'[ "$mode" = link ] || exit 0; mkdir -p "$target/a/b"; touch "$target/a/b/c"; '
        f'chmod 0 "$target/a"; setsid sleep {marker} & (setsid setsid sleep {marker} &) ; exit 1'
    )
    env = place.env(GCCLLM_TESTS="t")
    done = installed.run("-O2", "main.c", "-o", "main", cwd=place.tree, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert place.clean()
    assert not running(marker)


def running(word: str) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_link_cleans_up(
    installed: Installed, place: Place, number: signal.Signals
) -> None:
    marker = f"{random.randrange(10**6, 10**7)}.5"
    place.script(f'[ "$mode" = link ] || exit 0; touch "{place.log}.on"; sleep {marker}')
    child = subprocess.Popen(
        [str(installed.front), "-O2", "main.c", "-o", "main"],
        cwd=place.tree,
        env=clean_environment(place.env(GCCLLM_TESTS="t")),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(Path(f"{place.log}.on"))
    os.killpg(child.pid, number)
    child.communicate(timeout=30)
    assert child.returncode != 0
    assert place.clean()
    assert not running(marker)
    assert not (place.tree / "main").exists() or os.access(place.tree / "main", os.X_OK)


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never appeared")


def fake_cc1(place: Place, text: str) -> dict[str, str]:
    """An environment whose next cc1 after the shim is a script."""
    folder = place.tree.parent / "tools"
    folder.mkdir()
    tool = folder / "cc1"
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)
    return place.env(COMPILER_PATH=str(folder), GCCLLM_TESTS="t")


@pytest.mark.parametrize(
    "fault",
    [
        "kill -KILL $$",
        "kill -SEGV $$",
        "kill -INT $$",
        "kill -TERM $$",
        "echo 'main.c:1:1: internal compiler error: in f, at g.c:1' >&2; exit 4",
        "echo 'main.c:1:1: error: x' >&2; exit 1",
        "echo 'cc1: all wrong' >&2; exit 33",
    ],
)
def test_a_failing_cc1_fails_as_under_gcc(either: Installed, place: Place, fault: str) -> None:
    env = fake_cc1(place, fault)
    expected = subprocess.run(
        ["gcc", "-O2", "-c", "main.c"],
        cwd=place.tree,
        env=clean_environment(env),
        capture_output=True,
        timeout=60,
    )
    found = either.run("-O2", "-c", "main.c", cwd=place.tree, env=env)
    assert found.returncode == expected.returncode != 0
    assert found.stdout == expected.stdout
    assert found.stderr == expected.stderr
    assert not (place.tree / "main.o").exists()
    assert place.calls() == []


def test_sigint_to_the_group_ends_as_under_gcc(installed: Installed, place: Place) -> None:
    env = fake_cc1(place, f"touch '{place.log}.on'; exec sleep 1000")
    endings = []
    for compiler in ("gcc", str(installed.front)):
        child = subprocess.Popen(
            [compiler, "-O2", "-c", "main.c"],
            cwd=place.tree,
            env=clean_environment(env),
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        wait_for(Path(f"{place.log}.on"))
        Path(f"{place.log}.on").unlink()
        os.killpg(child.pid, signal.SIGINT)
        _, stderr = child.communicate(timeout=30)
        endings.append((child.returncode, stderr))
    assert endings[0] == endings[1]
    assert not (place.tree / "main.o").exists()


def test_kill_9_of_the_shim_ends_the_compiler(installed: Installed, place: Place) -> None:
    marker = f"{random.randrange(10**6, 10**7)}.75"
    env = fake_cc1(
        place,
        f"echo $PPID >'{place.log}.pid'; mv '{place.log}.pid' '{place.log}.on'; "
        f"exec sleep {marker}",
    )
    child = subprocess.Popen(
        [str(installed.front), "-O2", "-c", "main.c"],
        cwd=place.tree,
        env=clean_environment(env),
        stderr=subprocess.PIPE,
    )
    wait_for(Path(f"{place.log}.on"))
    os.kill(int(Path(f"{place.log}.on").read_text()), signal.SIGKILL)
    _, stderr = child.communicate(timeout=30)
    assert b"Killed signal terminated program cc1" in stderr
    for _ in range(100):
        if not running(marker):
            break
        time.sleep(0.05)
    assert not running(marker)
