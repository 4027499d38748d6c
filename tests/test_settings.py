"""What the user asked for, from the environment."""

from __future__ import annotations

import pytest

from gccllm.applying import context
from gccllm.errors import UsageError
from gccllm.settings import ASSURANCES, Settings


def test_without_a_word_a_rewrite_has_to_be_fuzzed() -> None:
    assert Settings.from_environment({}).assurance == "fuzzed"


@pytest.mark.parametrize("level", ASSURANCES)
def test_every_level_can_be_asked_for(level: str) -> None:
    assert Settings.from_environment({"GCCLLM_ASSURANCE": level}).assurance == level


@pytest.mark.parametrize("level", ["proof", "Fuzzed", "fuzzed,proved", "0"])
def test_another_word_is_refused_with_those_it_takes(level: str) -> None:
    with pytest.raises(UsageError, match="tests, fuzzed, differential, proved"):
        Settings.from_environment({"GCCLLM_ASSURANCE": level})


def test_what_lies_ready_for_one_level_is_not_there_for_another() -> None:
    contexts = {context({"GCCLLM_ASSURANCE": x}, ["cc1"]) for x in ASSURANCES}
    assert len(contexts) == len(ASSURANCES)
    assert context({}, ["cc1"]) == context({"GCCLLM_ASSURANCE": "fuzzed"}, ["cc1"])
