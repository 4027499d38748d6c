"""The format: it says what was put in, and nothing that is put in makes it fall over."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import LockError
from gccllm.lockfile import Locked, read_lock, render, understand
from gccllm.types import Speedup

ONE = Locked(
    unit="some unit",
    functions=("count", "total.part.0"),
    program="prog",
    compiler="gcc (Debian) 12.2.0 [x86_64-linux-gnu]",
    isa="native",
    needs=frozenset({"BMI2", "AVX2"}),
    imports=frozenset({"memcpy"}),
    baseline="ab" * 32,
    assurance="fuzzed",
    speedup=Speedup(2.0, 1.9, 2.125, 20),
    proposer="idioms: popcount (POPCNT)",
    evidence=("count: ABI check: passed", "recordings: 3, all right"),
    tag="0123abcd",
    assembly="\t.text\ncount:\n\n\tret",
)
TWO = replace(ONE, unit="z", baseline="cd" * 32, needs=frozenset(), imports=frozenset())


def test_what_is_written_is_read() -> None:
    text = render([ONE, TWO])
    assert understand(text).rewrites == (ONE, TWO)
    assert understand(text).damaged == ()
    assert render(understand(text).rewrites) == text
    assert "  needs      AVX2 BMI2\n" in text
    assert "  speedup    2.000 (1.900–2.125), 20 pairs\n" in text
    assert not any(x.endswith((" ", "\t")) for x in text.splitlines())


def test_other_line_ends_and_comments_change_nothing() -> None:
    text = render([ONE, TWO]).replace("\n", "\r\n").replace("rewrite z", "# mine\r\nrewrite z")
    assert understand(text).rewrites == (ONE, TWO)


def test_a_block_may_be_deleted() -> None:
    text = render([ONE, TWO])
    start, end = text.index("rewrite some"), text.index("rewrite z")
    assert understand(text[:start] + text[end:]).rewrites == (TWO,)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("|\tret", "", ""),
        ("| \tret", "| \tnop", "digest differs"),
        ("| \tret", "\tret", "does not begin"),
        ("  isa        native", "  isa        all", "'isa' is none of"),
        ("  tag        0123abcd", "  tag        ../../x", "'tag' makes no sense"),
        ("  tag        0123abcd\n", "", "'tag' is missing"),
        ("  needs      AVX2 BMI2", "  needs      avx2;", "'needs' makes no sense"),
        ("  functions  count", "  functions  count count", "'functions' makes no sense"),
        ("  speedup    2.000", "  speedup    fast", "'speedup' makes no sense"),
        ("20 pairs", f"{'9' * 5000} pairs", "'speedup' makes no sense"),
        ("  program    prog", "  program    prog\n  program    prog", "there twice"),
        ("  program", "  colour", "'colour' is unknown"),
        ("end\n", "<<<<<<< ours\n", "no whole block"),
        ("assembly\n", "", "no whole block"),
        (f"  baseline   {'ab' * 32}", "  baseline   ab", "'baseline' makes no sense"),
    ],
)
def test_a_broken_block_is_left_out_and_told(old: str, new: str, why: str) -> None:
    text = render([ONE, TWO])
    found = understand(text.replace(old, new, 1))
    if not why:
        assert found.rewrites == (ONE, TWO)
        return
    assert found.rewrites == (TWO,)
    assert len(found.damaged) == 1
    assert why in found.damaged[0]
    assert found.damaged[0].startswith("line 6: ")


def test_a_function_is_replaced_once() -> None:
    again = replace(ONE, functions=("count",), tag="ffffffff")
    found = understand(render([ONE, again, TWO]))
    assert found.rewrites == (ONE, TWO)
    assert "earlier block" in found.damaged[0]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "hello", "version", "version 2\n"])
def test_what_is_no_lock_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text(text)
    with pytest.raises(LockError, match=r"x\.lock"):
        read_lock(path)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="can't read"):
        read_lock(tmp_path / "none")
    with pytest.raises(LockError, match="can't read"):
        read_lock(tmp_path)
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(LockError, match="no lock file"):
        read_lock(tmp_path / "noise")


def test_noise_never_makes_it_fall_over() -> None:
    rng = random.Random(5)
    text = render([ONE, TWO])
    pieces = ["\n", "|", "end", "assembly", "rewrite ", "\0", "\udcff", "9" * 40, " ", "x", ""]
    for _ in range(3000):
        at = rng.randrange(len(text))
        broken = text[:at] + rng.choice(pieces) + text[at + rng.randrange(40) :]
        try:
            found = understand(broken)
        except LockError:
            continue
        assert all(x.assembly == ONE.assembly for x in found.rewrites)


def test_nothing_of_a_label_can_begin_a_line() -> None:
    sly = replace(ONE, proposer="x\nend\nversion 1\x1b[2J", unit="a\nb")
    text = render([sly])
    assert "\x1b" not in text
    assert understand(text).rewrites == (replace(sly, proposer="x end version 1 [2J", unit="a b"),)
