"""The command line as a whole: help, version, statuses, completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gccllm as package
from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ("record",),
    ("explain",),
    ("stats",),
    ("lock",),
    ("doctor",),
    ("serve",),
    ("optimize",),
    ("lane",),
    ("store", "list"),
    ("store", "show"),
    ("store", "verify"),
    ("store", "gc"),
]


def test_the_version_is_the_packages(inside: Command) -> None:
    assert inside("--version").out == f"gccllm {package.__version__}\n"


def test_help_lists_the_commands_in_the_order_of_use(inside: Command) -> None:
    done = inside("--help", env={"COLUMNS": "80"})
    assert done.status == 0
    listed = done.out[done.out.index("Commands:") :].splitlines()[1:]
    assert [x.split()[0] for x in listed] == [
        "record",
        "optimize",
        "explain",
        "stats",
        "lock",
        "doctor",
        "serve",
        "lane",
        "store",
    ]
    assert not any(x.endswith("...") for x in listed)
    assert "gccllm record -- ./prog 10 < input" in done.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_has_an_example(inside: Command, command: tuple[str, ...]) -> None:
    done = inside(*command, "--help", env={"COLUMNS": "80"})
    assert done.status == 0
    at = done.out.index("Example")
    assert f"\n    gccllm {' '.join(command)}" in done.out[at:]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such",),
        ("no-such",),
        ("stats", "--no-such"),
        ("explain",),
        ("explain", "x", "--most", "none"),
        ("store", "gc", "--days", "-1"),
    ],
    ids=" ".join,
)
def test_what_is_unknown_is_status_2(inside: Command, arguments: tuple[str, ...]) -> None:
    done = inside(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "Error" in done.err


def test_completion_files_are_those_that_typer_makes(tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    if not (bin_folder / "gccllm").exists():
        pytest.skip("gccllm is not installed beside this Python")
    script = [str(ROOT / "scripts" / "make-completions"), str(tmp_path)]
    subprocess.run(script, check=True, env={**os.environ, "VENV": str(bin_folder.parent)})
    made = {x.name: x.read_text() for x in tmp_path.iterdir()}
    assert made == {x.name: x.read_text() for x in (ROOT / "completions").iterdir()}
    # compinit looks no further than the first line
    assert made["_gccllm"].startswith("#compdef gccllm\n")


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    if shutil.which("bash") is None or not (bin_folder / "gccllm").exists():
        pytest.skip("needs bash, and gccllm beside this Python")
    script = """
        . "$1"; COMP_CWORD=1 COMP_WORDS=(gccllm st); _gccllm_completion gccllm
        echo "${COMPREPLY[@]}"; COMP_CWORD=2 COMP_WORDS=(gccllm record --im)
        _gccllm_completion gccllm; echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(ROOT / "completions" / "gccllm")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
    )
    assert done.stdout == "stats store\n--import\n"
