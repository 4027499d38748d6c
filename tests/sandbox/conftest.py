"""Real sandboxes and freshly compiled programs for the tests of gccllm.sandbox."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from gccllm.sandbox import selftest
from gccllm.sandbox.base import RunLimits
from gccllm.sandbox.bwrap import BwrapSandbox
from gccllm.sandbox.landlock import LandlockSandbox, UnconfinedSandbox

RunnerSandbox = BwrapSandbox | LandlockSandbox | UnconfinedSandbox
Compile = Callable[[Path], Path]

LIMITS = RunLimits(wall_seconds=5.0, cpu_seconds=5, address_space=512 << 20, output_bytes=1 << 20)

GOOD = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int c, sum = 0;
    while ((c = getchar()) != EOF)
        sum += c;
    FILE *file = fopen("sum", "w");
    fprintf(file, "%d", sum);
    fclose(file);
    for (int i = 1; i < argc; i++)
        printf("[%s]", argv[i]);
    printf("%d\n", sum);
    fputs("done\n", stderr);
    return 7;
}
"""


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compile a C file once in a session of pytest."""
    folder = tmp_path_factory.mktemp("programs")

    @cache
    def compiled(source: Path) -> Path:
        target = folder / source.stem
        command = ["gcc", "-O2", "-w", "-pthread", "-o", str(target), str(source)]
        subprocess.run(command, check=True, timeout=60)
        return target

    return compiled


@pytest.fixture(scope="session")
def good(compile_c: Compile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adds up the bytes of stdin, prints its arguments and the sum, writes ``sum``, exits 7."""
    source = tmp_path_factory.mktemp("sources") / "good.c"
    source.write_text(GOOD)
    return compile_c(source)


CONFINED: dict[str, Callable[[Path], RunnerSandbox]] = {
    "bwrap": BwrapSandbox,
    "bwrap-alone": lambda cache_folder: BwrapSandbox(cache_folder, landlock=False),
    "landlock": LandlockSandbox,
}


@pytest.fixture(scope="session", params=list(CONFINED))
def confined(request: pytest.FixtureRequest, cache_folder: Path) -> RunnerSandbox:
    """Each sandbox that is meant to hold; skipped where this machine can't run it at all."""
    sandbox = CONFINED[request.param](cache_folder)
    first = selftest.run(sandbox, cache_folder)[0]
    if first.name == "open":
        pytest.skip(f"{sandbox.name}: {first.detail}")
    return sandbox
