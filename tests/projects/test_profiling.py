"""Profiles of short runs are put together."""

from __future__ import annotations

import pytest

from gccllm.projects.profiling import ENOUGH_SAMPLES, Profile, patient_profile
from gccllm.types import HotFunction


def test_profiles_are_added_up_until_there_are_enough_samples() -> None:
    given: list[Profile] = [
        ([HotFunction("a", 0.5), HotFunction("b", 0.5)], 100),
        ([HotFunction("a", 1.0)], 300),
        ([HotFunction("c", 1.0)], ENOUGH_SAMPLES),
    ]
    hot, samples = patient_profile(lambda: given.pop(0), 60.0)
    assert samples == 400
    assert {x.name: x.share for x in hot} == pytest.approx({"a": 350 / 400, "b": 50 / 400})
    assert len(given) == 1


def test_what_has_too_small_a_share_of_all_is_not_hot() -> None:
    given: list[Profile] = [
        ([HotFunction("a", 0.5), HotFunction("b", 0.5)], 2),
        ([HotFunction("a", 1.0)], 500),
    ]
    assert [x.name for x in patient_profile(lambda: given.pop(0), 60.0)[0]] == ["a"]


def test_time_and_programs_without_samples_end_it() -> None:
    assert patient_profile(lambda: ([HotFunction("a", 1.0)], 3), 0.0)[1] == 3
    assert patient_profile(lambda: ([], 0), 60.0) == ([], 0)
