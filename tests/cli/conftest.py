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

from gccllm.asm.normalise import fingerprint, unit_key
from gccllm.cli import main
from gccllm.store import Judgement, Rewrite, Store, UnitKey
from gccllm.types import Json, Speedup, Verdict, VerdictKind

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


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The same in this process: quicker, and good enough where stdin does not matter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(
        *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Done:
        assert stdin == b""
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["gccllm", *map(str, arguments)])
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capfd.readouterr()
        status = ended.value.code
        assert status is None or isinstance(status, int)
        return Done(status or 0, out, err)

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


SLOW = """__attribute__((noinline)) int count(unsigned long x) {
    int bits = 0;
    for (int i = 0; i < 64; i++) if (x >> i & 1) bits++;
    return bits;
}
int main(int argc, char **argv) { return count(argc); }
"""


@dataclass(frozen=True)
class Filled:
    """A store in which a program was optimised; ``folder`` is also the test's GCCLLM_STORE."""

    folder: Path
    slow: str
    fast: str


@pytest.fixture(scope="session")
def units() -> tuple[str, str]:
    """gcc's assembly of a slow program, and of the same with popcnt."""
    slow, fast = (
        subprocess.run(
            ["gcc", "-O3", "-S", *options, "-x", "c", "-", "-o", "-"],
            input=code.encode(),
            capture_output=True,
            check=True,
            timeout=SECONDS,
        ).stdout.decode()
        for code, options in (
            (SLOW, ()),
            (SLOW.replace("x >> i & 1) bits++", "!i) bits = __builtin_popcountl(x)"), ["-mpopcnt"]),
        )
    )
    return slow, fast


@pytest.fixture
def filled(own_store: Path, units: tuple[str, str]) -> Filled:
    """A rewrite, three verdicts (one candidate is hostile to terminals) and some events."""
    slow, fast = units
    speedup = Speedup(2.5, 2.4, 2.6, 20)
    key = UnitKey(unit_key(slow), "gcc-12", "target-1")
    rewrite = Rewrite(
        key=key,
        fingerprint=fingerprint(slow.encode()),
        unit="slow.c",
        baseline_sha="0" * 64,
        baseline=slow,
        text=fast,
        functions=("count",),
        proposer="model",
        label="sample 3",
        assurance="tests",
        speedup=speedup,
        evidence={"tests_run": 3},
        program="/build/prog",
    )
    hostile = "sample [red]1[/red] \x1b]0;owned\x07 :0:"
    wrong: dict[str, Json] = {"case": "big", "stream": "stdout", "tests_run": 2}
    judgements = [
        _judgement(hostile, Verdict(VerdictKind.SCREENED, "directive .incbin\x1b[2J"), slow, fast),
        _judgement("sample 2", Verdict(VerdictKind.WRONG_OUTPUT, "case big: stdout differs from "
                   "line 1 on", wrong), slow, slow.replace("ret", "nop\n\tret")),
        _judgement("sample 3", Verdict(VerdictKind.ACCEPTED, "2.50× on 20 pairs", {"tests_run": 3},
                   speedup), slow, fast),
    ]  # fmt: skip
    with Store(own_store) as store:
        store.put(rewrite)
        store.note(judgements)
    (own_store / "events").write_text("outcome:optimized\nreason:no-sandbox\nnew-in-the-future\n")
    return Filled(own_store, slow, fast)


def _judgement(label: str, verdict: Verdict, slow: str, text: str) -> Judgement:
    return Judgement("/build/prog", "slow.c", ("count",), "model", label, verdict, text, slow)
