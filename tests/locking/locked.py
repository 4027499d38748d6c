"""A unit, another compilation of it, and what locking functions of that gives."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from pathlib import Path

from gccllm.asm.carry import Frame
from gccllm.asm.normalise import fingerprint, unit_key
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.locking.restoring import Restorer
from gccllm.program import one_unit
from gccllm.store import Rewrite, UnitKey
from gccllm.toolchain import Toolchain
from gccllm.types import Speedup

__all__ = ["SOURCE", "emit", "restorer", "rewrite", "toolchain"]

SOURCE = """
#include <string.h>
static const double table[4] = {1.5, 2.5, 3.5, 4.5};
static int calls;
static int hidden[64];
__attribute__((noinline)) static int helper(int x) { calls++; return x * 7 + calls; }
int sum(const int *v, int n) { int s = 0; for (int i = 0; i < n; i++) s += v[i] * 3; return s; }
double pick(int n) { double s = 0.1; for (int i = 0; i < n; i++) s += table[i & 3]; return s; }
void fill(int n) { for (int i = 0; i < 64; i++) hidden[i] += n * i; }
int choose(int x) {
    switch (x) {
    case 0: return helper(3); case 1: return 17; case 2: return helper(x + 5);
    case 3: return hidden[x]; case 4: return 99; case 5: return -x;
    }
    return 0;
}
"""


@functools.lru_cache
def toolchain() -> Toolchain:
    return Toolchain()


@functools.lru_cache
def emit(*options: str, source: str = SOURCE) -> str:
    """gcc's assembly of a source."""
    argv = ["gcc", "-S", *options, "-x", "c", "-", "-o", "-"]
    return subprocess.run(
        argv, input=source.encode(), capture_output=True, check=True
    ).stdout.decode()


def rewrite(base: str, *donors: tuple[str, tuple[str, ...]], isa: str = "native") -> Rewrite:
    """As the store keeps it: functions of each donor in the unit, one donor after the other."""
    unit, names = parse(base), list[str]()
    for text, functions in donors:
        tag = hashlib.sha256(text.encode()).hexdigest()[:8]
        done = splice(unit, parse(text), functions, tag=tag, foreign=True)
        assert isinstance(done, Spliced), done
        unit = parse(done.text)
        names += functions
    key = UnitKey(unit_key(base), toolchain().identity.digest, f"{isa}-01234567")
    return Rewrite(
        key=key,
        fingerprint=fingerprint(base.encode()),
        unit="unit",
        baseline_sha=hashlib.sha256(base.encode()).hexdigest(),
        baseline=base,
        text=unit.text,
        functions=tuple(names),
        proposer="scripted",
        label="other.s",
        assurance="fuzzed",
        speedup=Speedup(2.0, 1.9, 2.1, 20),
        evidence={"control": 1.001, "tests_run": 3},
        program="/somewhere/of/mine/prog",
    )


def restorer(base: str, scratch: Path, *options: str) -> Restorer:
    frame = Frame("unit", base, "", "", "", options, "", "")
    return Restorer(one_unit(toolchain(), frame, scratch), scratch)
