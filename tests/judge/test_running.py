"""What counts as the recorded behaviour."""

from __future__ import annotations

import pytest

from gccllm.judge.running import compare
from gccllm.recordings import Case, Expected
from gccllm.sandbox.base import Ending, RunInput, RunResult
from gccllm.sandbox.fake import FakeSandbox
from gccllm.types import VerdictKind

CASE = Case("one", RunInput(), Expected(b"1\n2\n3\n", 3, b"note", {"out.txt": b"x"}))
GOOD = FakeSandbox.result(b"1\n2\n3\n", code=3, stderr=b"note", files={"out.txt": b"x"})


def test_the_same_passes() -> None:
    assert compare(CASE, GOOD) is None


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (FakeSandbox.result(b"1\n2\n4\n", code=3, stderr=b"note"), VerdictKind.WRONG_OUTPUT),
        (FakeSandbox.result(b"1\n2\n3\n\n", code=3, stderr=b"note"), VerdictKind.WRONG_OUTPUT),
        (FakeSandbox.result(b"", code=3, stderr=b"note"), VerdictKind.WRONG_OUTPUT),
        (FakeSandbox.result(b"1\n2\n3\n", code=0, stderr=b"note"), VerdictKind.WRONG_EXIT),
        (FakeSandbox.result(b"1\n2\n3\n", code=3, stderr=b"other"), VerdictKind.WRONG_OUTPUT),
        (
            FakeSandbox.result(b"1\n2\n3\n", code=3, stderr=b"note", files={"out.txt": b"y"}),
            VerdictKind.WRONG_OUTPUT,
        ),
        (
            FakeSandbox.result(
                b"1\n2\n3\n", code=3, stderr=b"note", files={"out.txt": b"x", "more": b""}
            ),
            VerdictKind.WRONG_OUTPUT,
        ),
        (FakeSandbox.result(ending=Ending.SIGNALLED, code=11), VerdictKind.CRASHED),
        (FakeSandbox.result(ending=Ending.FORBIDDEN, code=31), VerdictKind.CRASHED),
        (FakeSandbox.result(ending=Ending.TIMED_OUT, code=9), VerdictKind.TIMED_OUT),
        (FakeSandbox.result(ending=Ending.TOO_MUCH_OUTPUT, code=9), VerdictKind.WRONG_OUTPUT),
    ],
)
def test_anything_else_has_its_verdict(result: RunResult, kind: VerdictKind) -> None:
    verdict = compare(CASE, result)
    assert verdict is not None
    assert verdict.kind is kind
    assert "one" in verdict.detail
    assert verdict.evidence["case"] == "one"


def test_a_recorded_signal_is_expected() -> None:
    case = Case("abort", RunInput(), Expected(b"", -6))
    assert compare(case, FakeSandbox.result(ending=Ending.SIGNALLED, code=6)) is None
    assert compare(case, FakeSandbox.result()) is not None


def test_the_evidence_shows_where_the_output_differs() -> None:
    result = FakeSandbox.result(b"1\n2\n4\n", code=3, stderr=b"note")
    verdict = compare(CASE, result)
    assert verdict is not None
    assert verdict.evidence["line"] == 3
    assert verdict.evidence["actual"] == "1\n2\n4\n"
