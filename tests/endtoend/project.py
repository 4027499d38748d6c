"""A program with a slow function, its recordings, and rewrites of it for the scripted proposer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.driver.installed import Installed, clean_environment

__all__ = ["Project"]

PROGRAM = """#include <stdio.h>
#include <stdlib.h>
%s
int main(void) {
    unsigned long n = 0, x = 88172645463325252ul;
    long total = 0;
    if (scanf("%%lu", &n) != 1) return 2;
    for (unsigned long i = 0; i < n; i++) {
        x ^= x << 13; x ^= x >> 7; x ^= x << 17;
        total += count(x);
    }
    printf("%%ld\\n", total);
    return 0;
}
"""
SLOW = """__attribute__((noinline)) int count(unsigned long x) {
    int bits = 0;
    for (int i = 0; i < 64; i++) if (x >> i & 1) bits++;
    return bits;
}"""
FAST = """__attribute__((noinline)) int count(unsigned long x) {
    x = x - (x >> 1 & 0x5555555555555555ul);
    x = (x & 0x3333333333333333ul) + (x >> 2 & 0x3333333333333333ul);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0ful;
    return x * 0x0101010101010101ul >> 56;
}"""
INPUTS = {"none": "0\n", "few": "3\n", "many": "400000\n"}


class Project:
    """``slow.c`` in ``tree``, ``slow.tests`` beside it; ``expected`` is what gcc makes of it."""

    def __init__(
        self,
        root: Path,
        gcc_llm: Installed,
        *,
        program: str = PROGRAM,
        slow: str = SLOW,
        inputs: Mapping[str, str] = INPUTS,
    ) -> None:
        """``program`` has one ``%s``, for the function that ``slow`` is a version of."""
        self.gcc_llm = gcc_llm
        self.program = program
        self.tree = root / "tree"
        self.store = root / "store"
        self.scripts = root / "scripts"
        self.temporary = root / "tmp"
        self.report = root / "report.json"
        for folder in (self.tree, self.scripts, self.temporary):
            folder.mkdir()
        self.source = self.tree / "slow.c"
        self.source.write_text(program % slow)
        subprocess.run(["gcc", "-O3", "slow.c", "-o", "gcc"], cwd=self.tree, check=True)
        self.expected = (self.tree / "gcc").read_bytes()
        self.tests = self.tree / "slow.tests"
        self.tests.mkdir()
        for name, text in inputs.items():
            (self.tests / f"{name}.in").write_text(text)
            (self.tests / f"{name}.out").write_bytes(self.run_program(self.tree / "gcc", text))

    @staticmethod
    def run_program(program: Path, text: str) -> bytes:
        return subprocess.run(
            [str(program)], input=text.encode(), capture_output=True, check=True, timeout=30
        ).stdout

    def unit(self, function: str, *options: str) -> str:
        """gcc's assembly of the program with that version of the function."""
        argv = ["gcc", "-O3", "-S", *options, "-x", "c", "-", "-o", "-"]
        text = (self.program % function).encode()
        done = subprocess.run(argv, input=text, capture_output=True, check=True)
        return done.stdout.decode().replace('"<stdin>"', '"slow.c"')

    def propose(self, assembly: str, name: str = "slow.s") -> None:
        """Lay out a candidate for the scripted proposer."""
        (self.scripts / name).write_text(assembly)

    def environment(self, **more: str) -> dict[str, str]:
        return clean_environment(
            {
                "GCCLLM_PYTHON": sys.executable,
                "GCCLLM_STORE": str(self.store),
                "GCCLLM_PROPOSERS": f"scripted:{self.scripts}",
                "GCCLLM_REPORT": str(self.report),
                "GCCLLM_BUDGET": "30",
                "TMPDIR": str(self.temporary),
                **more,
            }
        )

    def build(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        """``gcc-llm -O3 slow.c -o slow`` (or other arguments); must succeed as gcc does."""
        command = arguments or ("-O3", "slow.c", "-o", "slow")
        done = subprocess.run(
            [str(self.gcc_llm.front), *command],
            cwd=self.tree,
            env=self.environment(**more),
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done

    @property
    def built(self) -> bytes:
        return (self.tree / "slow").read_bytes()

    def record(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.report.read_text())
        return loaded

    def left_behind(self) -> list[str]:
        """Files in TMPDIR, and temporary files beside the program."""
        beside = [x.name for x in self.tree.iterdir() if ".gccllm" in x.name]
        return [*(x.name for x in self.temporary.iterdir()), *beside]
