"""The shim between gcc and Python, with a Python that is a script: what it is given, and that
nothing it does wrong changes gcc's result."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from gccllm.asm.normalise import fingerprint
from tests.driver.installed import Installed, clean_environment, write_index

SOURCE = """#include <stdio.h>
int main(void) { puts("gcc"); return 0; }
"""


class Place:
    """A folder with main.c, a store, a fake Python and an empty TMPDIR."""

    def __init__(self, root: Path) -> None:
        self.tree = root / "tree"
        self.store = root / "store"
        self.temporary = root / "tmp"
        self.python = root / "python"
        self.log = root / "log"
        for folder in (self.tree, self.temporary):
            folder.mkdir()
        (self.tree / "main.c").write_text(SOURCE)
        self.script("exit 0")

    def script(self, text: str) -> None:
        """``$mode`` and ``$target`` are the driver's first two words."""
        self.python.write_text(
            f"#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{self.log}'\nmode=$4 target=$5\n{text}\n"
        )
        self.python.chmod(0o755)

    def env(self, **more: str) -> dict[str, str]:
        return {
            "GCCLLM_PYTHON": str(self.python),
            "GCCLLM_STORE": str(self.store),
            "TMPDIR": str(self.temporary),
            **more,
        }

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def events(self) -> list[str]:
        path = self.store / "events"
        return path.read_text().splitlines() if path.exists() else []

    def clean(self) -> bool:
        return list(self.temporary.iterdir()) == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def plain_assembly(place: Place) -> bytes:
    done = subprocess.run(
        ["gcc", "-O2", "-S", "main.c", "-o", "-"],
        cwd=place.tree,
        env=clean_environment(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout


EDIT = """tmp=$target.new; sed 's/"gcc"/"llm"/' "$target" >"$tmp" && mv "$tmp" "$target" """


def test_a_hit_in_the_index_runs_apply(installed: Installed, place: Place) -> None:
    write_index(place.store, [5, fingerprint(plain_assembly(place)), 7])
    place.script(EDIT)
    done = installed.run("-O2", "main.c", "-o", "main", cwd=place.tree, env=place.env())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert subprocess.check_output([place.tree / "main"]) == b"llm\n"
    (call,) = place.calls()
    words = call.split()
    assert words[:4] == ["-I", "-m", "gccllm.driver", "apply"]
    assert words[5] == "--"
    assert words[6].endswith("/cc1")
    assert "libexec/gccllm" not in words[6]
    assert place.clean()


def test_no_hit_starts_no_python(installed: Installed, place: Place) -> None:
    write_index(place.store, [1, 2, 3])
    done = installed.run("-O2", "-S", "main.c", cwd=place.tree, env=place.env())
    assert done.returncode == 0
    assert (place.tree / "main.s").read_bytes() == plain_assembly(place)
    assert place.calls() == []


def test_a_rewrite_reaches_stdout(installed: Installed, place: Place) -> None:
    write_index(place.store, [fingerprint(plain_assembly(place))])
    place.script(EDIT)
    done = installed.run("-O2", "-S", "main.c", "-o", "-", cwd=place.tree, env=place.env())
    assert done.stdout == plain_assembly(place).replace(b'"gcc"', b'"llm"')
    done = installed.run("-O2", "-pipe", "main.c", "-o", "p", cwd=place.tree, env=place.env())
    assert subprocess.check_output([place.tree / "p"]) == b"llm\n"
    assert place.clean()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GCCLLMX1",
        b"GCCLLMX2" + bytes(8),
        b"GCCLLMX1" + bytes(8),
        b"GCCLLMX1" + (2).to_bytes(8, "little") + bytes(8),
        b"GCCLLMX1" + (1 << 61).to_bytes(8, "little") + bytes(8),
        b"GCCLLMX1" + (1).to_bytes(8, "little") + bytes(9),
    ],
)
def test_a_malformed_index_is_none(installed: Installed, place: Place, content: bytes) -> None:
    place.store.mkdir()
    (place.store / "index").write_bytes(content)
    done = installed.run("-O2", "-S", "main.c", cwd=place.tree, env=place.env())
    assert (done.returncode, done.stderr) == (0, b"")
    assert place.calls() == []


def test_recordings_beside_the_source_carry_and_link(either: Installed, place: Place) -> None:
    (place.tree / "main.tests").mkdir()
    place.script(
        "case $mode in "
        'carry) printf "\\t.section .gccllm.asm,\\"e\\"\\n\\t.byte 1\\n" >>"$target";; '
        'link) [ -d "$target" ] && touch "$target/junk";; esac'
    )
    done = either.run("-O3", "main.c", "-o", "main", cwd=place.tree, env=place.env())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    carry, link = (call.split() for call in place.calls())
    assert carry[3] == "carry"
    assert carry[5:7] == ["main.tests", "--"]
    assert link[3] == "link"
    assert link[5] == "--"
    assert link[6].endswith("/collect2")
    assert place.clean()
    assert subprocess.check_output([place.tree / "main"]) == b"gcc\n"


def test_tests_option_reaches_both_steps(either: Installed, place: Place) -> None:
    arguments = ("-O2", "-fllm-tests=my tests", "main.c", "-o", "main")
    done = either.run(*arguments, cwd=place.tree, env=place.env())
    assert (done.returncode, done.stderr) == (0, b"")
    assert [call.split()[3] for call in place.calls()] == ["carry", "link"]
    assert " my tests -- " in place.calls()[0]


@pytest.mark.parametrize("option", ["-shared", "-r"])
def test_only_programs_are_linked_anew(either: Installed, place: Place, option: str) -> None:
    env = place.env(GCCLLM_TESTS="t")
    done = either.run("-O2", "-fPIC", option, "main.c", "-o", "x", cwd=place.tree, env=env)
    assert done.returncode == 0
    assert [call.split()[3] for call in place.calls()] == ["carry"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("-O0", "opt-level"),
        ("-O3 -O1", "opt-level"),
        ("-Ofast", "opt-level"),
        ("-O2 -flto", "lto"),
        ("-O2 --coverage", "coverage"),
        ("-O2 -pg", "profiling"),
        ("-O2 -fprofile-generate", "profiling"),
        ("-O2 -fsanitize=address", "sanitizer"),
    ],
)
def test_what_is_left_to_gcc_is_counted(
    either: Installed, place: Place, options: str, reason: str
) -> None:
    write_index(place.store, [1])
    env = place.env(GCCLLM_TESTS="t")
    done = either.run(*options.split(), "-c", "main.c", cwd=place.tree, env=env)
    assert done.returncode == 0
    assert place.events() == [reason]
    assert place.calls() == []


def test_no_store_folder_is_made(either: Installed, place: Place) -> None:
    either.run("-O0", "-c", "main.c", cwd=place.tree, env=place.env())
    assert not place.store.exists()


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


@pytest.mark.parametrize("kind", ["link", "hardlink", "fifo"])
def test_special_outputs_are_left_alone(installed: Installed, place: Place, kind: str) -> None:
    output = place.tree / "out.s"
    if kind == "link":
        output.symlink_to("target.s")
    elif kind == "hardlink":
        output.touch()
        (place.tree / "twin.s").hardlink_to(output)
    else:
        os.mkfifo(output)
    env = place.env(GCCLLM_TESTS="t")
    command = [str(installed.front), "-O2", "-S", "main.c", "-o", "out.s"]
    with subprocess.Popen(command, cwd=place.tree, env=clean_environment(env)) as child:
        text = output.read_bytes() if kind == "fifo" else b""
        assert child.wait(60) == 0
    assert (text or output.read_bytes()) == plain_assembly(place)
    assert stat.S_ISFIFO(output.lstat().st_mode) == (kind == "fifo")
    assert place.calls() == []


def test_the_interpreter_is_the_console_scripts(
    place: Place, tmp_path: Path, installed: Installed
) -> None:
    prefix = tmp_path / "prefix"
    shutil.copytree(installed.front.parents[1], prefix)
    blank = tmp_path / "a long name"
    blank.mkdir()
    python = blank / "python"
    shutil.copy(place.python, python)
    for head in (f"#!{place.python}\n", f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"):
        (prefix / "bin" / "gccllm").write_text(head + "import sys\n")
        front = Installed(prefix / "bin" / "gcc-llm", installed.shim, True)
        env = place.env(GCCLLM_TESTS="t", GCCLLM_PYTHON="/no/such/python")
        assert front.run("-O2", "-S", "main.c", cwd=place.tree, env=env).returncode == 0
    assert len(place.calls()) == 2


def test_pythons_own_gcc_is_plain(installed: Installed, place: Place) -> None:
    place.script("gcc -O2 -S main.c -o again.s")
    env = place.env(GCCLLM_TESTS="t")
    installed.run("-O2", "-S", "main.c", cwd=place.tree, env=env)
    assert (place.tree / "again.s").read_bytes() == plain_assembly(place)
    assert len(place.calls()) == 1


def test_two_shims_on_the_path_do_not_call_each_other(
    either: Installed, installed: Installed, place: Place
) -> None:
    folder = installed.shim.parent
    env = place.env(COMPILER_PATH=f"{folder}:{folder}:{either.shim.parent}")
    done = either.run("-O2", "main.c", "-o", "main", cwd=place.tree, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert subprocess.check_output([place.tree / "main"]) == b"gcc\n"


def test_fingerprint_agrees_with_python(installed: Installed, tmp_path: Path) -> None:
    samples = {
        "odd": "main:\n\tjmp .L3 # .L4\n.L3:\n\tcall f@PLT \t\n x:\n\n\t.text\n#c: d\na b: c:\n"
        "\tmov $.LC12+.LFB3, %eax\t\n\tlea .LLL77(%rip), %rax\n\tret",
        "empty": "\n",
        "label": ".L",
        "cut": "\tjmp .L",
        "digits": "\tjmp .L12a3.L4",
        "utf8": "größe:\n\tret\n",
    }
    sources = Path(__file__).resolve().parents[2] / "wrapper" / "shim"
    for source in sorted(sources.glob("*.c")):
        for flags in (["-O2"], ["-O3", "-g"], ["-O3", "-fverbose-asm"]):
            text = subprocess.check_output(
                ["gcc", *flags, "-S", str(source), "-o", "-"], env=clean_environment(), text=True
            )
            samples[f"{source.name} {flags}"] = text
    for name, text in samples.items():
        path = tmp_path / "unit.s"
        path.write_text(text)
        found = subprocess.check_output([installed.shim, "--gccllm-fingerprint", path])
        assert int(found, 16) == fingerprint(text.encode()), name


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_broken_objects_do_not_break_the_link(installed: Installed, place: Place, cut: int) -> None:
    installed.run("-O2", "-c", "main.c", cwd=place.tree, env=place.env())
    good = (place.tree / "main.o").read_bytes()
    bad = bytearray(good)
    rng = random.Random(cut)
    for _ in range(4):
        bad[rng.choice([40, 41, 46, 47, 58, 60, 61, 62, 63])] = rng.randrange(256)
    (place.tree / "bad.o").write_bytes(bytes(bad)[: len(bad) - cut])
    env = place.env()
    expected = subprocess.run(
        ["gcc", "main.o", "bad.o", "-o", "x"],
        cwd=place.tree,
        env=clean_environment(env),
        capture_output=True,
        timeout=60,
    )
    found = installed.run("main.o", "bad.o", "-o", "x", cwd=place.tree, env=env)
    assert found.returncode == expected.returncode
    assert found.stderr.splitlines()[-1:] == expected.stderr.splitlines()[-1:]
