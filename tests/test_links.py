"""Notes of links: found by the output's path, and by its contents where a build copies it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gccllm.links import find_link, find_links, note_link


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A program that was linked, and noted."""
    program = tmp_path / "obj" / "prog"
    program.parent.mkdir()
    program.write_bytes(b"first")
    note_link(program, ["-o", "prog", "main.o"], program.parent)
    return program


def test_a_link_is_found_by_its_output(linked: Path) -> None:
    found = find_link(linked)
    assert found is not None
    assert found.argv == ("-o", "prog", "main.o")
    assert found.directory == str(linked.parent)


def test_a_copy_is_known_by_its_contents_and_stays_known(linked: Path, tmp_path: Path) -> None:
    copy = tmp_path / "prog"
    assert find_link(copy) is None
    shutil.copy(linked, copy)
    found = find_link(copy)
    assert found is not None
    assert found.output == str(copy)
    assert found.argv == ("-o", "prog", "main.o", "-o", str(copy))
    copy.write_bytes(b"made faster")
    assert find_link(copy) == found


def test_a_program_that_was_moved_is_known(linked: Path, tmp_path: Path) -> None:
    moved = tmp_path / "prog"
    linked.rename(moved)
    found = find_link(moved)
    assert found is not None
    assert found.output == str(moved)
    assert [x.output for x in find_links()] == [str(moved)]


def test_a_copy_that_was_built_anew_has_the_new_link(linked: Path, tmp_path: Path) -> None:
    copy = tmp_path / "prog"
    shutil.copy(linked, copy)
    find_link(copy)
    linked.write_bytes(b"second")
    note_link(linked, ["-o", "prog", "main.o", "more.o"], linked.parent)
    shutil.copy(linked, copy)
    found = find_link(copy)
    assert found is not None
    assert "more.o" in found.argv
