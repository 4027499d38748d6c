"""A fault at every step of the link: the user has gcc's result, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gccllm.store import Store
from tests.endtoend.injected import Injected
from tests.endtoend.project import FAST, INPUTS, Project

STEPS = {
    "start": "gccllm.linking:load",
    "sandbox": "gccllm.linking:choose",
    "store opened": "gccllm.linking:Store",
    "baseline": "gccllm.judge.judge:establish",
    "profile": "gccllm.optimize:profile",
    "source compiled again": "gccllm.optimize:recompile",
    "proposing": "gccllm.search.search:ahead",
    "text gate": "gccllm.judge.judge:Judge.screen",
    "splice": "gccllm.judge.judge:Judge.splice",
    "recordings": "gccllm.judge.judge:Judge.admit",
    "glance": "gccllm.judge.clock:Clock.glance",
    "confirming": "gccllm.judge.clock:Clock.confirm",
    "fuzzing": "gccllm.assurance.ladder.rungs:ProgramRungs.fuzz",
    "counting blocks": "gccllm.assurance.ladder.rungs:ProgramRungs.accounts",
    "calls": "gccllm.assurance.ladder.rungs:ProgramRungs.differential",
    "storing": "gccllm.store:Store.put",
    "installing": "gccllm.linking:replace_file",
    "reporting": "gccllm.linking:write",
}

GCCS = [
    *((step, "killed") for step in STEPS if step != "reporting"),
    ("baseline", "disk full"),
    ("confirming", "disk full"),
    ("installing", "disk full"),
    ("start", "out of memory"),
    ("splice", "out of memory"),
    ("baseline", "address space"),
    ("recordings", "no descriptors"),
    ("recordings", "clock ahead"),
]
"""(step, fault) after which nothing but gcc's own program will do"""

RIGHT = [
    ("glance", "sandbox gone"),
    ("calls", "out of memory"),
    ("counting blocks", "disk full"),
    ("storing", "disk full"),
    ("start", "clock back"),
    ("store opened", "store locked"),
    ("reporting", "out of memory"),
]
"""(step, fault) that can be got over: the program may be optimised, and has to be right"""

ENDED = [("baseline", "interrupted"), ("fuzzing", "terminated"), ("storing", "interrupted")]
"""(step, fault) that end the build as they would end gcc"""

QUICK = {
    ("confirming", "killed"),
    ("fuzzing", "killed"),
    ("storing", "killed"),
    ("installing", "disk full"),
    ("splice", "out of memory"),
    ("counting blocks", "disk full"),
    ("fuzzing", "terminated"),
}


def assert_clean(project: Project, injected: Injected) -> None:
    assert project.left_behind() == []
    assert injected.running() == []
    if (project.store / "store.sqlite").exists():
        with Store(project.store) as store:
            # What could not be written for want of space is a shortcut, and can be made anew.
            assert [x for x in store.verify() if "rebuilds it" not in x] == []


def _cases(chosen: Sequence[tuple[str, str]]) -> list[object]:
    """Each takes a whole link: few of them run every time."""
    marks = {x: [] if x in QUICK else [pytest.mark.long] for x in chosen}
    return [pytest.param(*x, marks=marks[x]) for x in chosen]


@pytest.mark.parametrize(("step", "fault"), _cases(GCCS))
def test_gccs_program_remains(project: Project, step: str, fault: str) -> None:
    project.propose(project.unit(FAST))
    injected = Injected(project, STEPS[step], fault)
    done = injected.build()
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    assert project.built == project.expected
    assert_clean(project, injected)


@pytest.mark.parametrize(("step", "fault"), _cases(RIGHT))
def test_the_program_is_right(project: Project, step: str, fault: str) -> None:
    project.propose(project.unit(FAST))
    injected = Injected(project, STEPS[step], fault)
    done = injected.build()
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    for name, text in INPUTS.items():
        expected = (project.tests / f"{name}.out").read_bytes()
        assert project.run_program(project.tree / "slow", text) == expected
    assert_clean(project, injected)


@pytest.mark.parametrize(("step", "fault"), _cases(ENDED))
def test_what_ends_the_build_leaves_nothing(project: Project, step: str, fault: str) -> None:
    project.propose(project.unit(FAST))
    injected = Injected(project, STEPS[step], fault)
    done = injected.build()
    assert done.returncode != 0
    if (project.tree / "slow").exists():
        assert project.built == project.expected
    assert_clean(project, injected)
