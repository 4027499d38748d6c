"""The fake keeps the seam's promises, so that what is tested with it holds with the real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import SandboxError
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox
from gccllm.sandbox.fake import FakeSandbox

LIMITS = RunLimits(wall_seconds=1.0, cpu_seconds=1, output_bytes=10)
CASES = [RunInput(("a",)), RunInput(("b",))]


def echo(case: RunInput, count: int) -> RunResult:
    return FakeSandbox.result(f"{case.args[0]}{count}".encode(), files={"f": b"x"})


def test_scripts_and_callables() -> None:
    script = [FakeSandbox.result(b"1", user=0.2), FakeSandbox.result(b"2", code=3)]
    fake = FakeSandbox({"script": script, "echo": echo})
    sandbox: Sandbox = fake
    programs = {"script": Path("x"), "echo": Path("y")}
    with sandbox.open(programs, CASES, limits=LIMITS) as session:
        assert [session.run("script", 0).stdout for _ in range(3)] == [b"1", b"2", b"1"]
        assert session.run("echo", 1).stdout == b"b0"
        assert session.run("echo", 0, collect_files=False).files == {}
        assert session.run("echo", 0).stdout == b"a2"
    runs = [("script", 0)] * 3 + [("echo", 1), ("echo", 0), ("echo", 0)]
    assert fake.sessions[0].runs == runs


def test_times_are_those_of_the_script() -> None:
    result = FakeSandbox.result(user=0.25, system=0.5)
    assert (result.cpu, result.wall) == (0.75, 0.75)
    assert FakeSandbox.result(wall=2.0).wall == 2.0


def test_limits_hold() -> None:
    fine = FakeSandbox.result()
    behaviours = {
        "late": [replace(fine, wall=1.5)],
        "busy": [replace(fine, user=0.6, system=0.6)],
        "loud": [replace(fine, stderr=b"x" * 11)],
        "full": [replace(fine, stdout=b"x" * 10)],
    }
    programs = {name: Path(name) for name in behaviours}
    with FakeSandbox(behaviours).open(programs, CASES, limits=LIMITS) as session:
        endings = {name: session.run(name, 0).ending for name in behaviours}
    assert endings == {
        "late": Ending.TIMED_OUT,
        "busy": Ending.TIMED_OUT,
        "loud": Ending.TOO_MUCH_OUTPUT,
        "full": Ending.EXITED,
    }


def test_programs_by_name_or_path() -> None:
    fake = FakeSandbox({"/build/one": echo, "two": echo})
    with fake.open({"a": Path("/build/one")}, CASES, limits=LIMITS) as session:
        session.add_program("b", Path("/elsewhere/two"))
        assert session.run("a", 0).stdout == session.run("b", 0).stdout == b"a0"
        with pytest.raises(SandboxError, match="no behaviour"):
            session.add_program("c", Path("/elsewhere/three"))
        with pytest.raises(SandboxError, match="no such program"):
            session.run("c", 0)
        with pytest.raises(SandboxError, match="no such case"):
            session.run("a", 2)


def test_profile() -> None:
    script = [FakeSandbox.result(files={"profile": b"samples", "other": b"x"})]
    with FakeSandbox({"p": script}).open({"p": Path("p")}, CASES, limits=LIMITS) as session:
        result, profile = session.profile("p", 0)
    assert (profile, result.files) == (b"samples", {"other": b"x"})
