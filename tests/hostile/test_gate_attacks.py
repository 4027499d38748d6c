"""Every attack is caught by the gate and the rule that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gccllm.judge.screen import RULES, check_object, check_text
from gccllm.process import run
from gccllm.types import Isa

from .attacks import ATTACKS, DYNAMIC, Attack

VICTIM = Path(__file__).with_name("victim.c")
PLAIN = Isa("target", "x86-64", frozenset(("MMX", "SSE", "SSE2", "FXSR")))


def assembly_of(source: Path, *options: str) -> str:
    done = run(["gcc", *options, "-S", "-o", "-", str(source)], timeout=60)
    assert done.ok, done.error_line()
    return done.stdout.decode()


def assemble(text: str, target: Path) -> Path:
    done = run(["as", "-o", str(target), "-"], timeout=60, stdin=text.encode())
    assert done.ok, done.error_line()
    return target


@pytest.fixture(scope="module")
def baseline() -> str:
    return assembly_of(VICTIM, "-O3")


@pytest.fixture(scope="module")
def baseline_object(baseline: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(baseline, tmp_path_factory.mktemp("baseline") / "unit.o")


def plant(attack: Attack, baseline: str) -> str:
    if attack.where == "start":
        return attack.text + baseline
    if attack.where == "end":
        return baseline + attack.text
    if attack.where == "inside":
        return inside(attack.text, baseline)
    assert attack.where in baseline, f"{attack.name}: gcc writes {attack.where!r} otherwise"
    return baseline.replace(attack.where, attack.text, 1)


def inside(text: str, baseline: str) -> str:
    return re.sub(
        r"(?m)^hot:\n(?:\.LFB\d+:\n)?\t\.cfi_startproc\n", lambda m: m[0] + text, baseline
    )


@pytest.mark.parametrize(
    "attack", [one for one in ATTACKS if one.by_text], ids=lambda attack: attack.name
)
def test_text_gate_stops(attack: Attack, baseline: str) -> None:
    text = plant(attack, baseline)
    assert text != baseline
    assert attack.by_text in {one.rule for one in check_text(text, baseline)}


@pytest.mark.parametrize(
    "attack", [one for one in ATTACKS if one.by_object], ids=lambda attack: attack.name
)
def test_object_gate_stops(
    attack: Attack, baseline: str, baseline_object: Path, tmp_path: Path
) -> None:
    made = assemble(plant(attack, baseline), tmp_path / "unit.o")
    found = check_object(made, baseline_object, PLAIN, program_imports=frozenset(("puts",)))
    assert attack.by_object in {one.rule for one in found}


@pytest.mark.parametrize("text", DYNAMIC)
def test_what_is_left_to_the_sandbox(
    text: str, baseline: str, baseline_object: Path, tmp_path: Path
) -> None:
    attacked = inside(text, baseline)
    assert attacked != baseline
    made = assemble(attacked, tmp_path / "unit.o")
    assert check_text(attacked, baseline) == []
    assert check_object(made, baseline_object, PLAIN, program_imports=frozenset()) == []


def test_the_list_itself() -> None:
    names = [one.name for one in ATTACKS]
    assert len(names) == len(set(names))
    assert all(one.by_text or one.by_object for one in ATTACKS)
    assert {x for one in ATTACKS for x in (one.by_text, one.by_object) if x} <= set(RULES)
