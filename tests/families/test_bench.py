"""The benchmark of the families: its programs, its rows and its lists."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.families import KINDS, Figure, Job, built, losers, rows, timed
from gccllm.families import find, gcd, prefixsum
from gccllm.families.base import Family
from gccllm.process import run
from gccllm.toolchain import Toolchain

LEVELS = {"x86-64": frozenset[str](), "x86-64-v3": frozenset({"AVX2", "BMI"})}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "family", [find.FAMILY, gcd.FAMILY, prefixsum.FAMILY], ids=lambda x: x.name
)
def test_programs_print_the_same_every_time(family: Family, kind: str, tmp_path: Path) -> None:
    tools = Toolchain()
    job = Job(family.slow(random.Random(2)), kind)
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    assembly = run(argv, timeout=30, stdin=job.slow.source.encode()).stdout.decode()
    program = built(tools, job, assembly, 10, tmp_path / "program")
    first, second = timed(program)[1], timed(program)[1]
    assert first == second
    assert first.strip().isdigit()


def test_a_form_has_a_row_at_every_level_that_has_its_features() -> None:
    figures = [
        Figure("find", "wide", "AVX2 BMI", 0, "random", 4.0),
        Figure("find", "wide", "AVX2 BMI", 1, "random", 2.0),
        Figure("find", "narrow", "", 0, "random", 1.5),
    ]
    made = rows(figures, LEVELS)
    assert [(x["form"], x["level"]) for x in made] == [
        ("wide", "x86-64-v3"),
        ("narrow", "x86-64"),
        ("narrow", "x86-64-v3"),
    ]
    assert (made[0]["worst"], made[0]["median"], made[0]["best"]) == (2.0, 3.0, 4.0)
    assert made[0]["samples"] == 2


def test_one_win_on_one_kind_of_data_keeps_a_form_off_the_list() -> None:
    figures = [
        Figure("a", "loses", "", 0, "random", 0.9),
        Figure("a", "loses", "", 1, "rising", 1.04),
        Figure("a", "wins once", "AVX2", 0, "random", 0.5),
        Figure("a", "wins once", "AVX2", 0, "constant", 1.05),
    ]
    assert losers(figures) == {("a", "loses"): (2, 1.04)}
