"""The real command line as a child process, and small programs compiled once in a session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

SECONDS = 60


@dataclass(frozen=True)
class Done:
    """A command that ended; what it said is decoded."""

    status: int
    out: str
    err: str


class Command(Protocol):
    def __call__(
        self, *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Done: ...


Compile = Callable[[str], Path]


@pytest.fixture
def gccllm(tmp_path: Path) -> Command:
    """``gccllm ARGUMENTS`` in ``tmp_path``, with the test's own store."""

    def call(
        *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Done:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "gccllm.cli", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
            timeout=SECONDS,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """A program from the body of its ``main`` (or a whole file, where it has one)."""

    @cache
    def make(code: str) -> Path:
        folder = tmp_path_factory.mktemp("program")
        source = code if "main(" in code else f"int main(int argc, char **argv) {{ {code} }}"
        headers = "stdio stdlib string time unistd signal sys/socket"
        text = "".join(f"#include <{x}.h>\n" for x in headers.split()) + source
        (folder / "prog.c").write_text(text)
        argv = ["gcc", "-O1", "-w", "prog.c", "-o", "prog"]
        subprocess.run(argv, cwd=folder, check=True, timeout=SECONDS)
        return folder / "prog"

    return make
