"""Pairs from the rewrite families: real gcc, real harness, few samples."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.toolchain import Toolchain
from trainer.corpus.commands import app
from trainer.corpus.families import (
    SHARD_SAMPLES,
    Plan,
    Teacher,
    families_named,
    make_sample,
    make_shards,
)
from trainer.corpus.samples import HELD_OUT
from trainer.pairs import Pair, read_pairs

needs_parquet = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="[train] is missing: pyarrow"
)


def sample(family: str, number: int) -> list[Pair]:
    tools = Toolchain()
    with Harness(toolchain=tools) as harness:
        teacher = Teacher(tools, harness, families_named([family])[0])
        return list(make_sample(tools, teacher, number, 1))


@pytest.fixture(scope="module")
def popcounts(shared_cache: Path) -> list[Pair]:
    """The pairs of a few samples."""
    return [pair for number in range(3) for pair in sample("popcount", number)]


def test_a_sample_gives_rewrites_and_keeps(popcounts: list[Pair]) -> None:
    rewrites = [x for x in popcounts if not x.keeps]
    assert rewrites
    assert any("popcnt" in x.answer or "0x55555555" in x.answer for x in rewrites)
    for pair in popcounts:
        assert pair.family == "popcount"
        assert pair.prompt.startswith(f"<|isa|>{pair.isa}\n<|live_in|>")
        assert pair.prompt.count("<|region|>\nL0:\n") == 1
        assert re.search(r"^\s+\.", pair.prompt, re.MULTILINE) is None, "no directives"
        assert pair.provenance["sample"] in (0, 1, 2)
    for prompt in {x.prompt for x in rewrites}:
        assert len({x.answer for x in popcounts if x.prompt == prompt}) == 1


def test_a_sample_is_the_same_each_time(popcounts: list[Pair]) -> None:
    assert sample("popcount", 1) == [x for x in popcounts if x.provenance["sample"] == 1]


def test_held_out_families_are_families_and_give_no_training_pair(shared_cache: Path) -> None:
    assert set(HELD_OUT) <= {x.name for x in FAMILIES}
    assert {x.split for x in sample(HELD_OUT[0], 3)} == {"heldout-family"}


def test_an_unknown_family_is_said() -> None:
    with pytest.raises(UsageError, match="popcount"):
        families_named(["nonsense"])


@needs_parquet
def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    plan = Plan(tmp_path, SHARD_SAMPLES + 3, 5, ("ctz",))
    first, second = plan.shards()
    first.write_bytes(b"made before")
    made = dict(make_shards(plan, 1))
    assert list(made) == [second]
    assert first.read_bytes() == b"made before"
    first.unlink()
    assert made[second] > 0
    pairs = list(read_pairs(tmp_path))
    assert {x.provenance["sample"] for x in pairs} <= set(range(SHARD_SAMPLES, SHARD_SAMPLES + 3))


@needs_parquet
def test_the_command_makes_shards_and_says_so(tmp_path: Path) -> None:
    arguments = ["families", "--out", str(tmp_path), "--count", "2", "--jobs", "1"]
    done = CliRunner().invoke(app, [*arguments, "--family", "popcount"])
    assert done.exit_code == 0, done.output
    assert "1/1 popcount-1-000000.parquet" in done.stderr
    assert list(read_pairs(tmp_path))
