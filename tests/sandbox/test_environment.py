"""Variables of a case reach its runs, and no other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.errors import SandboxError
from gccllm.sandbox.base import RunInput, Trial
from gccllm.sandbox.bwrap import BwrapSandbox
from gccllm.sandbox.landlock import LandlockSandbox
from tests.sandbox.conftest import LIMITS, Compile, RunnerSandbox

SHOW = r"""
#include <stdio.h>
extern char **environ;
int main(void) { for (char **e = environ; *e; e++) puts(*e); return 0; }
"""
STANDARD = {"LC_ALL=C", "PATH=/nonexistent"}


@pytest.fixture
def program(compile_c: Compile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.getbasetemp() / "environment.c"
    source.write_text(SHOW)
    return compile_c(source)


def variables(text: bytes) -> set[str]:
    return {x for x in text.decode().splitlines() if not x.startswith("HOME=")}


@pytest.mark.parametrize("kind", [BwrapSandbox, LandlockSandbox])
def test_each_case_has_its_own(kind: type[RunnerSandbox], program: Path) -> None:
    cases = [
        RunInput(environment=(("MODE", "fast"), ("EMPTY", ""), ("TEXT", "a=b ä\n\tc"))),
        RunInput(),
    ]
    with kind().open({"p": program}, cases, limits=LIMITS) as session:
        own = session.run("p", 0).stdout
        assert b"TEXT=a=b \xc3\xa4\n\tc\n" in own
        assert {"MODE=fast", "EMPTY="} | STANDARD <= variables(own)
        assert variables(session.run("p", 1).stdout) == STANDARD
        trials = [Trial(case=0), Trial(case=1), Trial()]
        shown = [variables(x.stdout) for x in session.run_many("p", trials)]
    assert "MODE=fast" in shown[0]
    assert shown[1:] == [STANDARD, STANDARD]


def test_a_case_may_say_otherwise_than_what_all_have(program: Path) -> None:
    given = [RunInput(environment=(("LC_ALL", "C.UTF-8"),))]
    with BwrapSandbox().open({"p": program}, given, limits=LIMITS) as session:
        first = session.run("p", 0).stdout.splitlines()[0]
    assert first == b"LC_ALL=C.UTF-8", "the first of a name is the one that getenv finds"


@pytest.mark.parametrize(
    "environment", [(("A", "x\0y"),), (("", "x"),), (("A=B", "x"),), (("A", "x" * (1 << 18)),)]
)
def test_what_no_environment_can_hold_is_refused(
    environment: tuple[tuple[str, str], ...], program: Path
) -> None:
    opened = BwrapSandbox().open({"p": program}, [RunInput(environment=environment)], limits=LIMITS)
    with pytest.raises(SandboxError, match="variable"), opened:
        pass
