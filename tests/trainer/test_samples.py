"""Samples of the families."""

from __future__ import annotations

from gccllm.families.registry import FAMILIES
from trainer.corpus.levels import LEVELS
from trainer.corpus.samples import OPTIONS, OTHERS, draw_sample, levels_for


def test_a_sample_is_always_the_same() -> None:
    for family in FAMILIES[:5]:
        one, again, other = (draw_sample(family, 3, seed) for seed in (1, 1, 2))
        assert one == again
        assert one != other
        assert draw_sample(family, 3, 1, ["-Og"]).slow == one.slow
        assert draw_sample(family, 3, 1, ["-Og"]).options == ("-Og",)


def test_options_are_drawn_from_all() -> None:
    drawn = {draw_sample(FAMILIES[0], n, 1).options for n in range(300)}
    assert drawn == {*OPTIONS, *OTHERS}


def test_a_rewrite_may_not_be_below_the_code_it_replaces() -> None:
    assert levels_for(["-O3"]) == LEVELS
    assert levels_for(["-O3", "-march=x86-64-v3"]) == ("x86-64-v3", "x86-64-v4")
