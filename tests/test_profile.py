"""Names of functions for the addresses that the profile samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.process import run
from gccllm.profile import FunctionMap
from tests.asm.tools import build

UNIT = """
    .globl  main
    .type   main, @function
main:
    xorl    %eax, %eax
    ret
    .size   main, .-main
    .type   helper.cold, @function
helper.cold:
    nop
    ret
    .size   helper.cold, .-helper.cold
    .type   nothing, @function
nothing:
"""


def address(program: Path, name: str) -> int:
    """Where a function of a program starts, by nm; relative to 0x400000 in one that isn't PIE."""
    for line in run(["nm", str(program)], timeout=60).stdout.decode().splitlines():
        if line.split()[-1] == name:
            return int(line.split()[0], 16)
    raise AssertionError(f"{name} is not in {program}")


@pytest.mark.parametrize(("option", "start"), [("-pie", 0), ("-no-pie", 0x400000)])
def test_addresses_have_names(tmp_path: Path, option: str, start: int) -> None:
    program = build(UNIT, tmp_path / "program", option)
    names = FunctionMap(program)
    main, cold = (address(program, x) - start for x in ("main", "helper.cold"))
    assert [names.name(main + x) for x in (0, 2)] == ["main", "main"]
    assert names.name(cold) == "helper"
    assert names.name(cold + 2) != "nothing"
    assert names.name(1 << 40) == names.name(0) == ""


def test_dynamic_symbols_do_for_a_stripped_program(tmp_path: Path) -> None:
    program = build(UNIT, tmp_path / "program", "-s", "-rdynamic")
    whole = build(UNIT, tmp_path / "whole", "-rdynamic")
    assert FunctionMap(program).name(address(whole, "main")) == "main"


def test_a_file_that_is_no_program_has_no_names(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    assert FunctionMap(tmp_path / "text").name(0) == ""
    assert FunctionMap(tmp_path / "missing").name(0) == ""
