"""Words of the command line to proposers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.errors import UsageError
from gccllm.proposers.choose import DEFAULT_PROPOSERS, make
from gccllm.proposers.openai import OpenAIProposer


def names(*args: str, model: str = "none") -> list[str]:
    return [p.name for p in make(args or DEFAULT_PROPOSERS, model)]


def test_the_default_without_a_model_is_what_is_left() -> None:
    assert "compilers" in names()
    assert "model" not in names()


def test_a_model_comes_first_and_its_spec_is_taken_apart() -> None:
    made = make(model="openai:http://host:8000/v1/#org/name")
    assert made[0].name == "model"
    assert isinstance(made[0], OpenAIProposer)
    assert (made[0].url, made[0].model) == ("http://host:8000/v1", "org/name")


def test_a_local_model_is_not_loaded_by_choosing_it() -> None:
    assert names("model", model="local:/no/such/folder") == ["model"]


def test_order_is_kept_and_repeats_are_dropped(tmp_path: Path) -> None:
    words = ("compilers", f"scripted:{tmp_path}", "compilers", " ")
    assert names(*words) == ["compilers", "scripted"]


@pytest.mark.parametrize("word", ["scripted", "scripted:", "clang", "models"])
def test_an_unknown_name_is_refused_with_the_valid_ones(word: str) -> None:
    with pytest.raises(UsageError, match=r"model, compilers, .*scripted:DIR"):
        make((word,), "none")


@pytest.mark.parametrize("spec", ["gpt", "openai", "openai:", "local:", "openai:host#m", ""])
def test_an_unknown_model_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="openai:"):
        make(("model",), spec)


def test_a_chosen_list_that_leaves_nothing_is_said() -> None:
    with pytest.raises(UsageError, match="leaves nothing that proposes"):
        make(("model",), "none")
