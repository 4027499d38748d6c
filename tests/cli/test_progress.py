"""What a person sees of a link: nothing, all lines, or one line on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

import pytest

from gccllm.report.progress import progress, summary
from gccllm.report.record import FunctionRecord, ProgramRecord
from gccllm.types import Outcome, Speedup, VerdictKind

SPEEDUP = Speedup(2.5, 2.4, 2.6, 20)


def record(outcome: Outcome = Outcome.FALLBACK) -> ProgramRecord:
    made = ProgramRecord("prog", "gcc", "target", "none", ("compilers",), outcome=outcome)
    made.reason, made.detail = "nothing-faster", "no candidate passed"
    return made


def test_the_summary_names_what_was_won() -> None:
    made = record(Outcome.OPTIMIZED)
    made.speedup, made.detail = SPEEDUP, "sample 3"
    for name, assurance in (("f", "tests"), ("g", ""), ("f", "tests")):
        made.functions.append(
            FunctionRecord(
                "u.c", name, "model", VerdictKind.ACCEPTED, assurance, SPEEDUP, 3, 1, 0.1
            )
        )
    assert summary(made) == "prog: 2.50× (2.40–2.60) optimized: f; sample 3"


def test_the_summary_of_a_fallback_has_the_reason() -> None:
    assert summary(record()) == "prog: gcc's own result (nothing-faster): no candidate passed"


def test_silence_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    with progress(False) as shown:
        shown.say("something")
        shown.finish(record())
    assert capfd.readouterr() == ("", "")


def test_verbose_is_every_line_and_no_escape_sequence(capfd: pytest.CaptureFixture[str]) -> None:
    with progress(True) as shown:
        shown.say("u.c: model: \x1b[2J[red]x[/red]\nnext")
        shown.finish(record())
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "gcc-llm: u.c: model: \\x1b[2J[red]x[/red]\\nnext",
        f"gcc-llm: {summary(record())}",
    ]


def test_a_closed_stderr_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as broken:
        pass
    monkeypatch.setattr(sys, "stderr", broken)
    with progress(True) as shown:
        shown.say("something")
    monkeypatch.setattr(sys, "stderr", None)
    with progress(False) as shown:
        shown.say("something")


SCRIPT = """
import sys
from gccllm.report.progress import progress
from tests.cli.test_progress import record
with progress(False, quiet_seconds=float(sys.argv[1])) as shown:
    shown.say("first [/nonsense]")
    shown.say("last \\x1b[2J[red]x[/red]" + "y" * 500)
    if sys.argv[2] == "fail":
        raise SystemExit(3)
    shown.finish(record())
"""


def on_a_terminal(quiet_seconds: float, end: str) -> tuple[int, str]:
    """Status and what the terminal was sent."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "60"}
    argv = [sys.executable, "-c", SCRIPT, str(quiet_seconds), end]
    child = subprocess.Popen(argv, stderr=slave, stdout=subprocess.DEVNULL, env=env)
    os.close(slave)
    seen = b""
    try:
        while select.select([master], [], [], 30)[0]:
            piece = os.read(master, 65536)
            if not piece:
                break
            seen += piece
    except OSError:
        pass  # EIO: the other side has closed, which is the end here
    os.close(master)
    return child.wait(30), seen.decode()


def test_a_terminal_shows_one_line_and_the_end() -> None:
    status, seen = on_a_terminal(0.0, "finish")
    assert status == 0
    assert "gcc-llm: last \\x1b[2J[red]x[/red]yyy" in seen
    assert "\x1b[2J" not in seen
    assert "y" * 60 not in seen
    assert seen.rstrip().endswith(f"gcc-llm: {summary(record())}")
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1


def test_a_terminal_is_left_clean_after_a_failure() -> None:
    status, seen = on_a_terminal(0.0, "fail")
    assert status == 3
    assert "\x1b[?25h" in seen  # the cursor is back
    assert "Traceback" not in seen


def test_a_quick_link_says_nothing_on_a_terminal() -> None:
    assert on_a_terminal(60.0, "finish") == (0, "")
