"""The compilers as the tests of gccllm.asm use them."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from gccllm.process import Completed, run

__all__ = [
    "CORPUS",
    "PROGRAMS",
    "assemble",
    "build",
    "compile_unit",
    "execute",
    "needs_clang",
    "sources",
    "tries_to_assemble",
]

CORPUS = Path(__file__).parent / "corpus"
PROGRAMS = Path(__file__).parent / "programs"
CLANG = "clang-19"

needs_clang = pytest.mark.skipif(shutil.which(CLANG) is None, reason="clang-19 is missing")


def sources() -> list[Path]:
    return sorted(CORPUS.glob("*.c"))


@functools.cache
def compile_unit(source: Path, *options: str, cc: str = "gcc") -> str:
    """The assembly of a C file."""
    done = run([cc, *options, "-S", "-o", "-", str(source)], timeout=60)
    assert done.ok, done.error_line()
    return done.stdout.decode("utf-8", "surrogateescape")


def tries_to_assemble(text: str, target: Path) -> Completed:
    return run(
        ["as", "--64", "-o", str(target), "-"],
        timeout=60,
        stdin=text.encode("utf-8", "surrogateescape"),
    )


def assemble(text: str, target: Path) -> Path:
    done = tries_to_assemble(text, target)
    assert done.ok, done.error_line()
    return target


def build(text: str, target: Path, *options: str) -> Path:
    """Assemble and link one unit into a program."""
    item = assemble(text, target.with_suffix(".o"))
    done = run(["gcc", *options, "-o", str(target), str(item)], timeout=60)
    assert done.ok, done.error_line()
    return target


def execute(program: Path, arguments: Sequence[str] = ()) -> tuple[int, bytes]:
    """(exit status, negative for a signal, and stdout)."""
    done = run([str(program), *arguments], timeout=20)
    assert not done.timed_out
    return done.returncode, done.stdout
