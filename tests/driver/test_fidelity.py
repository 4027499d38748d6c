"""gcc-llm with nothing to do is gcc: exit status, stdout, stderr, each file's bytes and mode.

Both compilers run in the same folder one after the other, so that debug information agrees. Where
they differ, plain gcc runs again: a difference counts as gcc's own only when gcc shows it too, and
nothing but the names of temporary files may be in it.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.driver.installed import Installed, clean_environment, write_index
from tests.driver.matrix import COMMANDS, NEEDS, TREE, UNSTABLE

TEMPORARY = re.compile(rb"\bcc[A-Za-z0-9]{6}\b")


@dataclass(frozen=True)
class Result:
    """All that a user or a build system can see of a command."""

    status: int
    stdout: bytes
    stderr: bytes
    files: dict[str, tuple[int, bytes]]
    leftovers: tuple[str, ...]


def observe(command: str, compiler: str, place: Path, store: Path) -> Result:
    tree, temporary = place / "tree", place / "tmp"
    for folder in (tree, temporary):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name, text in TREE.items():
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tree,
        env=clean_environment(
            {
                "CC": compiler,
                "TMPDIR": str(temporary),
                "GCCLLM_STORE": str(store),
                "GCCLLM_PYTHON": "/bin/false",
            }
        ),
        stdin=subprocess.DEVNULL if "<" not in command else None,
        capture_output=True,
        timeout=120,
    )
    files = {}
    for path in sorted(tree.rglob("*")):
        name, status = str(path.relative_to(tree)), path.lstat()
        if stat.S_ISLNK(status.st_mode):
            files[name] = (status.st_mode, str(path.readlink()).encode())
        elif stat.S_ISREG(status.st_mode):
            unstable = name in UNSTABLE
            files[name] = (status.st_mode, b"" if unstable else path.read_bytes())
    leftovers = tuple(sorted(path.name for path in temporary.iterdir()))
    return Result(done.returncode, done.stdout, done.stderr, files, leftovers)


def plain(text: bytes) -> bytes:
    return TEMPORARY.sub(b"ccXXXXXX", text)


def normalised(result: Result) -> Result:
    return Result(
        result.status,
        plain(result.stdout),
        plain(result.stderr),
        {name: (mode, plain(text)) for name, (mode, text) in result.files.items()},
        tuple("ccXXXXXX" if TEMPORARY.match(x.encode()) else x for x in result.leftovers),
    )


def check(command: str, installed: Installed, place: Path, store: Path) -> None:
    for word, tool in NEEDS.items():
        if word in command and shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    expected = observe(command, "gcc", place, store)
    found = observe(command, str(installed.front), place, store)
    if found != expected:
        again = observe(command, "gcc", place, store)
        assert again != expected or found == expected, difference(expected, found)
        assert normalised(found) == normalised(expected), difference(expected, found)


def difference(expected: Result, found: Result) -> str:
    names = sorted(expected.files.keys() | found.files.keys())
    unlike = [name for name in names if expected.files.get(name) != found.files.get(name)]
    return (
        f"status {expected.status} / {found.status}\n"
        f"stdout {expected.stdout[-2000:]!r} /\n       {found.stdout[-2000:]!r}\n"
        f"stderr {expected.stderr[-2000:]!r} /\n       {found.stderr[-2000:]!r}\n"
        f"files that differ: {unlike}; left over: {expected.leftovers} / {found.leftovers}"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_same_as_gcc_with_an_empty_store(
    command: str, installed: Installed, tmp_path: Path
) -> None:
    check(command, installed, tmp_path, tmp_path / "no store")


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if "-O3" in c or "-S" in c or "-pipe" in c]
)
def test_same_as_gcc_with_an_index_that_has_no_hit(
    command: str, installed: Installed, tmp_path: Path
) -> None:
    write_index(tmp_path / "store", [1, 2, 3])
    check(command, installed, tmp_path, tmp_path / "store")


def test_the_matrix_is_large_and_has_no_command_twice() -> None:
    assert len(COMMANDS) >= 110
    assert len(set(COMMANDS)) == len(COMMANDS)
