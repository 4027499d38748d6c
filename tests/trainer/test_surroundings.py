"""A family's function inside another one."""

from __future__ import annotations

import random

import pytest

from gccllm.families.base import SlowForm
from gccllm.families.registry import FAMILIES
from gccllm.process import run
from gccllm.toolchain import Toolchain
from trainer.corpus.samples import draw_sample
from trainer.corpus.surroundings import surrounded


@pytest.mark.parametrize("family", FAMILIES[::7], ids=lambda x: x.name)
def test_gcc_takes_it_and_inlines_the_function(family: object) -> None:
    tools = Toolchain()
    chosen = next(x for x in FAMILIES if x is family)
    for number in range(3):
        slow = draw_sample(chosen, number, 4).slow
        made = surrounded(slow, random.Random(number))
        assert made is not None
        assert made.function != slow.function
        argv = [tools.cc, "-S", "-w", "-O2", "-x", "c", "-", "-o", "-"]
        done = run(argv, stdin=made.source.encode(), timeout=30.0)
        assert done.ok, done.stderr
        assert f"{made.function}:" in done.stdout.decode()
        assert f"{slow.function}:" not in done.stdout.decode()


def test_the_same_draw_gives_the_same_caller() -> None:
    slow = draw_sample(FAMILIES[0], 1, 4).slow
    one, again, other = (surrounded(slow, random.Random(x)) for x in (1, 1, 2))
    assert one == again != other


def test_types_without_values_are_left_alone() -> None:
    slow = SlowForm("none", "f", "struct s;\nint f(struct s *p)\n{\n    return p != 0;\n}\n")
    assert surrounded(slow, random.Random(0)) is None
