"""Recordings on disk, and bringing in other layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.errors import RecordingError
from gccllm.recordings import Expected, import_folder, load, save_case


def test_a_saved_case_is_loaded_as_it_was(tmp_path: Path) -> None:
    expected = Expected(b"out\x00\n", -6, b"err", {"sub/file": b"content"})
    save_case(tmp_path, "abort", b"in", ("-x", "a b", "", "x\x0cy\udc80"), expected)
    (case,) = load(tmp_path).cases
    assert case.name == "abort"
    assert case.given.stdin is not None
    assert case.given.stdin.read_bytes() == b"in"
    assert case.given.args == ("-x", "a b", "", "x\x0cy\udc80")
    assert case.expected == expected


def test_only_the_output_is_needed(tmp_path: Path) -> None:
    (tmp_path / "a.out").write_bytes(b"")
    (case,) = load(tmp_path).cases
    assert (case.given.stdin, case.given.args, case.given.files) == (None, (), None)
    assert (case.expected.exit_status, case.expected.stderr, case.expected.written) == (0, None, {})


def test_cases_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "case2", "case10"):
        (tmp_path / f"{name}.out").write_bytes(b"")
    assert [x.name for x in load(tmp_path).cases] == ["9", "10", "case2", "case10"]


def test_the_digest_sees_every_part(tmp_path: Path) -> None:
    save_case(tmp_path, "a", b"in", ("x",), Expected(b"out", 1, b"err", {"f": b"1"}))
    digests = {load(tmp_path).digest()}
    for change in ("a.in", "a.out", "a.args", "a.err", "a.written/f"):
        (tmp_path / change).write_bytes((tmp_path / change).read_bytes() + b"0")
        digests.add(load(tmp_path).digest())
    (tmp_path / "a.exit").write_text("2\n")
    digests.add(load(tmp_path).digest())
    (tmp_path / "a.files").mkdir()
    (tmp_path / "a.files" / "given").write_text("1")
    digests.add(load(tmp_path).digest())
    assert len(digests) == 8


@pytest.mark.parametrize(
    ("name", "message"), [("missing", "no folder"), ("empty", "no case"), ("bad", "one number")]
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.out").write_bytes(b"")
    (tmp_path / "bad" / "a.exit").write_text("zero")
    with pytest.raises(RecordingError, match=message):
        load(tmp_path / name)


def test_contest_layouts_are_imported(tmp_path: Path) -> None:
    source, folder = tmp_path / "tests", tmp_path / "prog.tests"
    source.mkdir()
    for name, content in {
        "input.1.txt": "1",
        "output.1.txt": "one",
        "input.2.txt": "no output",
        "s.in": "2",
        "s.out": "two",
        "t.in": "3",
        "t.ans": "three",
    }.items():
        (source / name).write_text(content)
    assert import_folder(source, folder) == ["1", "s", "t"]
    assert [x.expected.stdout for x in load(folder).cases] == [b"one", b"two", b"three"]


def test_importing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="neither"):
        import_folder(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("name", ["a/b", "", "a b", "../x"])
def test_a_case_needs_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="no good name"):
        save_case(tmp_path, name, b"", (), Expected(b""))


def test_an_argument_with_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="line break"):
        save_case(tmp_path, "a", b"", ("x\ny",), Expected(b""))
