"""Layouts change, results do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.region_model import Shape
from gccllm.asm.regions import regions
from gccllm.asm.unit import Unit, parse
from gccllm.families.straighten import straighten
from gccllm.toolchain import Toolchain

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def unit_of(source: Path, options: tuple[str, ...] = ("-O3",)) -> Unit:
    done = subprocess.run(
        ["gcc", *options, "-S", str(source), "-o", "-"], check=True, capture_output=True, text=True
    )
    return parse(done.stdout)


def loops_of(unit: Unit, name: str, folder: Path) -> int:
    assert Toolchain().assemble(unit.text, folder / "unit.o").ok
    found = regions(unit, name, functions_of(folder / "unit.o"))
    return sum(x.shape is Shape.LOOP for x in found)


@pytest.mark.parametrize(
    ("example", "function"), [("collatz", "chain_length"), ("binsearch", "lower_bound")]
)
def test_a_loop_around_a_return_becomes_a_region(
    example: str, function: str, tmp_path: Path
) -> None:
    unit = unit_of(EXAMPLES / f"{example}.c")
    assert loops_of(unit, function, tmp_path) == 0
    assert loops_of(straighten(unit, function), function, tmp_path) == 1


@pytest.mark.parametrize("source", sorted(EXAMPLES.glob("*.c")), ids=lambda x: x.stem)
@pytest.mark.parametrize("options", [("-O3",), ("-O2", "-fPIC")], ids=" ".join)
def test_programs_with_all_functions_straightened_pass_their_recordings(
    source: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    unit = unit_of(source, options)
    for name in list(unit.functions):
        unit = straighten(unit, name)
    text, program = tmp_path / "unit.s", tmp_path / "program"
    text.write_text(unit.text)
    subprocess.run(["gcc", str(text), "-lm", "-o", str(program)], check=True)
    cases = sorted((EXAMPLES / f"{source.stem}.tests").glob("*.in"))
    assert cases
    for case in cases:
        given = case.read_bytes()
        done = subprocess.run([str(program)], input=given, capture_output=True, check=False)
        assert done.stdout == case.with_suffix(".out").read_bytes()


def test_straightening_twice_changes_nothing_more() -> None:
    once = straighten(unit_of(EXAMPLES / "collatz.c"), "chain_length")
    assert straighten(once, "chain_length").text == once.text


def test_the_unwind_state_stays_right(tmp_path: Path) -> None:
    """Every CFI directive is still there, and as accepts the order."""
    unit = unit_of(EXAMPLES / "collatz.c")
    moved = straighten(unit, "main")
    assert moved.text != unit.text
    assert sorted(x for x in moved.lines if ".cfi_" in x) == sorted(
        x for x in unit.lines if ".cfi_" in x
    )
    assert Toolchain().assemble(moved.text, tmp_path / "unit.o").ok
