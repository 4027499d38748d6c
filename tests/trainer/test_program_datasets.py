"""Folders of programs and published datasets: rows there and back, by command and by call."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.prompts import answer_text, parse_answer
from gccllm.recordings import load
from trainer.cli import app
from trainer.corpus.hub import load_rows, make_hub, rebuild_hub
from trainer.corpus.program_folders import programs_in, unfold
from trainer.corpus.program_rows import (
    CaseExtra,
    ProgramRow,
    baseline_kind,
    read_program_rows,
    row_of,
    write_program_rows,
)
from trainer.corpus.program_trial import Demands

pq = pytest.importorskip("pyarrow.parquet")
EXAMPLES = Path(__file__).parents[2] / "examples"
PUBLISHED = ("data_source", "prompt", "ability", "reward_model", "extra_info")
OPTIMISED = "\t.text\n\t.p2align 4\n\t.globl\tmain\nmain:\n\tret\n"
UNOPTIMISED = "main:\n\tpushq\t%rbp\n\tmovl\t-4(%rbp), %eax\n\tret\n"
ECHO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'


def row(name: str = "one", **changes: Any) -> ProgramRow:
    fields = {"c_code": ECHO, "assembly": OPTIMISED, "inputs": ("1\n",), "outputs": ("hello\n",)}
    return ProgramRow(name, **{**fields, **changes})


def test_a_row_comes_back_and_has_the_published_columns(tmp_path: Path) -> None:
    full = row(
        extras=(CaseExtra(("-x", "y"), 3),),
        origin="test", problem="p1", group="g", compiler="gcc 12", flags="-O3", baseline="O3",
        ratio=4.5, compiled=b"\x7fELF", split="val",
    )  # fmt: skip
    path = tmp_path / "val.parquet"
    write_program_rows(path, [full])
    assert list(read_program_rows(tmp_path)) == [full]
    assert list(read_program_rows(path, "train")) == []
    table = pq.read_table(path)
    assert table.schema.names[:5] == list(PUBLISHED)
    info = table.to_pylist()[0]["extra_info"]
    assert (
        list(info)
        == (
            "split index c_code question c_only_question answer inputs outputs"
            " unoptimized_assembly unoptimized_compiled"
        ).split()
    )
    assert info["question"].startswith("Given the following C code and assembly code, your task")
    assert OPTIMISED not in info["c_only_question"]
    assert parse_answer(info["answer"]) == OPTIMISED
    assert info["answer"] == answer_text(OPTIMISED)


def test_published_columns_alone_are_enough(tmp_path: Path) -> None:
    record = {k: v for k, v in row(split="val").record(7).items() if k in PUBLISHED}
    found = row_of(record, name="val-7")
    assert (found.name, found.split, found.baseline) == ("val-7", "val", "looks-optimised")
    assert (found.flags, found.compiler, found.extras) == ("", "", (CaseExtra(),))
    with pytest.raises(KeyError):
        row_of({"extra_info": {}})
    pq.write_table(pq.read_table(_written(tmp_path)).select(["ability"]), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="no column data_source"):
        list(read_program_rows(tmp_path / "x.parquet"))


def _written(folder: Path) -> Path:
    path = folder / "train.parquet"
    write_program_rows(path, [row(), row("two", split="val", assembly=UNOPTIMISED)])
    return path


def test_what_a_baseline_looks_like() -> None:
    assert baseline_kind(OPTIMISED) == "looks-optimised"
    assert baseline_kind(UNOPTIMISED) == "looks-unoptimised"
    assert baseline_kind("f:\n\tret\n") == "unknown"


def test_tests_have_to_fit_together() -> None:
    with pytest.raises(UsageError, match="differ in number"):
        row(outputs=("a", "b"))


def test_a_row_becomes_a_program_with_a_recording(tmp_path: Path) -> None:
    program = unfold(row(extras=(CaseExtra(("a b",), 2),), flags="-O2 -g"), tmp_path)
    assert program.options == ("-O2", "-g")
    (case,) = load(program.tests).cases
    assert case.given.args == ("a b",)
    assert (case.expected.stdout, case.expected.exit_status) == (b"hello\n", 2)
    again = unfold(row(), tmp_path)
    assert again.options == ("-O3",)
    assert load(again.tests).cases[0].given.args == ()
    with pytest.raises(UsageError, match="no name"):
        unfold(row("../one"), tmp_path)


def test_examples_by_command(tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    for name in ("popcount", "bubble"):
        (folder / "sub" / f"{name}.tests").mkdir(parents=True)
        (folder / "sub" / f"{name}.c").write_text((EXAMPLES / f"{name}.c").read_text())
        for part in (EXAMPLES / f"{name}.tests").iterdir():
            (folder / "sub" / f"{name}.tests" / part.name).write_bytes(part.read_bytes())
    assert [x.name for x in programs_in(folder)] == ["sub-bubble", "sub-popcount"]
    out = tmp_path / "out"
    arguments = ["data", "programs", str(folder), "--out", str(out), "--held", "1", "--jobs", "1"]
    done = CliRunner().invoke(app, [*arguments, "--most-tests", "12"])
    assert done.exit_code == 0, done.output
    assert "| val | 1 |" in done.stdout
    rows = {x.name: x for x in read_program_rows(out)}
    assert {x.split for x in rows.values()} == {"train", "val"}
    assert 1 in {x.exit_status for x in rows["sub-bubble"].extras}
    assert rows["sub-popcount"].ratio == 0.0  # not asked for, not measured
    with pytest.raises(UsageError, match=r"no NAME\.c"):
        programs_in(tmp_path / "none")


def test_a_published_dataset_is_taken_over(tmp_path: Path) -> None:
    said: list[str] = []
    table = make_hub(str(_written(tmp_path)), tmp_path / "out", said.append)
    assert "| val | 1 |" in table
    assert "1 programs of val are in train too" in table
    assert said == ["2 programs; baselines: looks-optimised, looks-unoptimised"]
    assert {x.name: x.split for x in read_program_rows(tmp_path / "out")} == {
        "one": "train",
        "two": "val",
    }


def test_a_rebuilt_one_has_our_baseline(tmp_path: Path) -> None:
    write_program_rows(
        tmp_path / "in.parquet",
        [row(), row("two", split="val", outputs=("no\n",)), row("three", split="val")],
    )
    out = tmp_path / "out"
    table = rebuild_hub(str(tmp_path / "in.parquet"), Demands(0.0), out, jobs=1)
    assert table is not None
    rows = {x.name: x for x in read_program_rows(out)}
    assert {x: rows[x].split for x in rows} == {"one": "train", "three": "val"}
    assert rows["one"].baseline == "O3"
    assert "puts" in rows["one"].assembly
    assert "1 no test that it passes alike, always" in table


def test_a_dataset_of_the_hub_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    record = {k: v for k, v in row().record(0).items() if k in PUBLISHED}
    record["extra_info"]["split"] = ""
    fake = SimpleNamespace(items=lambda: [("fewshot", [record])])
    monkeypatch.setattr(datasets, "load_dataset", lambda name: fake)
    (found,) = load_rows("someone/something")
    assert (found.name, found.split) == ("fewshot-00000", "fewshot")

    def offline(name: str) -> None:
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(UsageError, match="someone/else is no file here, and as a dataset: no net"):
        list(load_rows("someone/else"))
