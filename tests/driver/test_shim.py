"""The shim between gcc and Python: when Python is started, with what, and when it is not."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from gccllm.asm.normalise import fingerprint
from tests.driver.installed import Installed, clean_environment, write_index
from tests.driver.place import Place, plain_assembly

EDIT = """tmp=$target.new; sed 's/"gcc"/"llm"/' "$target" >"$tmp" && mv "$tmp" "$target" """


def test_a_hit_in_the_index_runs_apply(installed: Installed, place: Place) -> None:
    write_index(place.store, [5, fingerprint(plain_assembly(place)), 7])
    place.script(EDIT)
    done = installed.run("-O2", "main.c", "-o", "main", cwd=place.tree, env=place.env())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert subprocess.check_output([place.tree / "main"]) == b"llm\n"
    (call,) = place.calls()
    words = call.split()
    assert words[0] == "apply"
    assert words[2] == f"{fingerprint(plain_assembly(place)):016x}"
    assert words[3] == "--"
    assert words[4].endswith("/cc1")
    assert "libexec/gccllm" not in words[4]
    assert place.clean()


@pytest.mark.parametrize("cache", ["relative", "."])
def test_a_relative_cache_folder_is_ignored(installed: Installed, place: Place, cache: str) -> None:
    """As the XDG base directory specification has it, and as the Python side does."""
    write_index(place.tree / cache / "gccllm", [fingerprint(plain_assembly(place))])
    home = place.tree.parent / "home"
    write_index(home / ".cache/gccllm", [1])
    place.script(EDIT)
    env = place.env(XDG_CACHE_HOME=cache, HOME=str(home))
    del env["GCCLLM_STORE"]
    done = installed.run("-O2", "-S", "main.c", cwd=place.tree, env=env)
    assert done.returncode == 0
    assert place.calls() == []
    write_index(home / ".cache/gccllm", [fingerprint(plain_assembly(place))])
    installed.run("-O2", "-S", "main.c", cwd=place.tree, env=env)
    assert len(place.calls()) == 1


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
    assert carry[0] == "carry"
    assert carry[2:4] == ["main.tests", "--"]
    assert link[0] == "link"
    assert link[2] == "--"
    assert link[3].endswith("/collect2")
    assert place.clean()
    assert subprocess.check_output([place.tree / "main"]) == b"gcc\n"


def test_tests_option_reaches_both_steps(either: Installed, place: Place) -> None:
    arguments = ("-O2", "-fllm-tests=my tests", "main.c", "-o", "main")
    done = either.run(*arguments, cwd=place.tree, env=place.env())
    assert (done.returncode, done.stderr) == (0, b"")
    assert [call.split()[0] for call in place.calls()] == ["carry", "link"]
    assert " my tests -- " in place.calls()[0]


@pytest.mark.parametrize("option", ["-shared", "-r"])
def test_only_programs_are_linked_anew(either: Installed, place: Place, option: str) -> None:
    env = place.env(GCCLLM_TESTS="t")
    done = either.run("-O2", "-fPIC", option, "main.c", "-o", "x", cwd=place.tree, env=env)
    assert done.returncode == 0
    assert [call.split()[0] for call in place.calls()] == ["carry"]


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
