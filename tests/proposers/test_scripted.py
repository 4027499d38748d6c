"""Which file belongs to which function, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.errors import ProposerError
from gccllm.proposers.base import Task
from gccllm.proposers.scripted import ScriptedProposer
from gccllm.types import HotFunction, Isa

ISA = Isa("target", "x86-64", frozenset({"SSE2"}))


def task(scratch: Path, unit: str, *functions: str) -> Task:
    hot = tuple(HotFunction(name, 0.5) for name in functions)
    return Task(unit, "", hot, ISA, scratch, deadline=float("inf"))


def offered(folder: Path, unit: str, *functions: str) -> list[tuple[str, tuple[str, ...]]]:
    found = ScriptedProposer(folder).propose(task(folder, unit, *functions))
    return [(c.label, c.functions) for c in found]


def test_units_first_then_functions_as_the_task_orders_them_by_number(tmp_path: Path) -> None:
    for name in ("u.b.s", "u.a.10.s", "u.a.2.s", "u.a.s", "u.1.s", "u.s", "v.s", "u.c.s", "u.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
    assert offered(tmp_path, "u", "b", "a") == [
        ("u.s", ()),
        ("u.1.s", ()),
        ("u.b.s", ("b",)),
        ("u.a.s", ("a",)),
        ("u.a.2.s", ("a",)),
        ("u.a.10.s", ("a",)),
    ]


def test_a_clone_with_dots_wins_over_its_stem_with_a_number(tmp_path: Path) -> None:
    for name in ("u.f.isra.0.s", "u.f.isra.0.1.s", "u.f.0.s"):
        (tmp_path / name).write_text("")
    assert offered(tmp_path, "u", "f", "f.isra.0") == [
        ("u.f.0.s", ("f",)),
        ("u.f.isra.0.s", ("f.isra.0",)),
        ("u.f.isra.0.1.s", ("f.isra.0",)),
    ]


def test_the_unit_may_be_named_as_its_source(tmp_path: Path) -> None:
    (tmp_path / "foo.s").write_text("text\n")
    (tmp_path / "foo.c.f.s").write_text("")
    assert offered(tmp_path, "src/foo.c", "f") == [("foo.s", ()), ("foo.c.f.s", ("f",))]
    first = next(ScriptedProposer(tmp_path).propose(task(tmp_path, "src/foo.c", "f")))
    assert (first.proposer, first.unit, first.text) == ("scripted", "src/foo.c", "text\n")


def test_a_missing_folder_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ProposerError, match="No such file"):
        next(ScriptedProposer(tmp_path / "none").propose(task(tmp_path, "u")))
