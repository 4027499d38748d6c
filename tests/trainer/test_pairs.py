"""The contract of a shard: what is written comes back, what breaks it is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import UsageError
from trainer.pairs import COLUMNS, Pair, read_pairs, shards, write_shard

pytest.importorskip("pyarrow")

PAIR = Pair(
    prompt="<|isa|>x86-64\nf:\n<|region|>\n\tincl\t%eax\n<|/region|>\n\tret\n",
    answer="\taddl\t$1, %eax\n",
    family="by-one",
    package="",
    isa="x86-64",
    split="train",
    provenance={"seed": 3, "flags": ["-O3"]},
)


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    other = replace(PAIR, prompt=f"{PAIR.prompt}\tud2\n", answer="keep", split="heldout-family")
    third = replace(PAIR, prompt=f"{PAIR.prompt}\tnop\n", family="", package="zlib")
    assert write_shard(tmp_path / "deep" / "a.parquet", [PAIR, other]) == 2
    assert write_shard(tmp_path / "b.parquet", [third]) == 1
    assert [x.name for x in shards(tmp_path)] == ["b.parquet", "a.parquet"]
    assert list(read_pairs(tmp_path)) == [third, PAIR, other]
    assert list(read_pairs(tmp_path, "heldout-family")) == [other]
    assert other.keeps
    assert not PAIR.keeps


def test_no_prompt_is_in_two_splits(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", [PAIR, replace(PAIR, answer="keep")])
    write_shard(tmp_path / "b.parquet", [replace(PAIR, split="valid")])
    assert list(read_pairs(tmp_path)) == [PAIR]
    assert list(read_pairs(tmp_path, "valid")) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": "test"}, "split 'test' is none of"),
        ({"answer": ""}, "answer is empty"),
        ({"isa": ""}, "isa is empty"),
        ({"answer": "ret<|end|>"}, "answer holds a special token"),
        ({"prompt": PAIR.prompt + "<|answer|>"}, "only training adds"),
        ({"prompt": "\tret\n"}, "exactly one region"),
    ],
)
def test_broken_pairs_are_not_written(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        write_shard(tmp_path / "a.parquet", [PAIR, replace(PAIR, **change)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": ["test"]}, "row 0: split 'test' is none of"),
        ({"provenance": ["{"]}, "row 0: provenance is not JSON"),
        ({"provenance": ["[]"]}, "row 0: provenance is no JSON object"),
        ({"family": [None]}, "row 0: a value is missing|column family holds null"),
        ({"isa": [3]}, "column isa holds int64, not strings"),
        ({"answer": None}, "has no column answer"),
    ],
)
def test_broken_shards_are_named(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_shard(tmp_path / "good.parquet", [PAIR])
    columns = pq.read_table(tmp_path / "good.parquet").to_pydict()
    (tmp_path / "good.parquet").unlink()
    changed = {k: v for k, v in {**columns, **change}.items() if v is not None}
    pq.write_table(pa.table(changed), tmp_path / "bad.parquet")
    with pytest.raises(UsageError, match=rf"bad\.parquet.*({told})"):
        list(read_pairs(tmp_path))


def test_no_shards(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data folder"):
        shards(tmp_path / "none")
    with pytest.raises(UsageError, match=r"no \*\.parquet"):
        shards(tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"PAR?")
    with pytest.raises(UsageError, match="can't be read as parquet"):
        list(read_pairs(tmp_path))


def test_the_columns_are_the_contract() -> None:
    assert COLUMNS == ("prompt", "answer", "family", "package", "isa", "split", "provenance")
