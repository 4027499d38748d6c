"""What is locked comes back as it was judged; what somebody else wrote passes every gate first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.asm.normalise import same_code, unit_key
from gccllm.assurance.levels import Assurance
from gccllm.errors import LockError
from gccllm.lockfile import Locked, LockFile, render, understand
from gccllm.locking.glance import names_unit
from gccllm.locking.making import lock_rewrite
from gccllm.locking.matching import match
from gccllm.store import Rewrite
from tests.locking.locked import emit, restorer, rewrite, toolchain

ALL = ("sum", "pick", "fill", "choose")


def locked(tmp_path: Path, *options: str) -> tuple[str, tuple[Locked, ...]]:
    """The baseline, and the blocks for ``sum`` compiled otherwise."""
    base = emit("-O3")
    return base, lock_rewrite(
        rewrite(base, (emit("-O3", *options), ("sum",))), toolchain(), tmp_path
    )


@pytest.mark.parametrize(
    "base_options", [("-O3",), ("-O2", "-fPIC"), ("-O3", "-ffunction-sections")]
)
@pytest.mark.parametrize("options", [("-O2",), ("-O3", "-mavx2"), ("-O3", "-funroll-loops")])
def test_the_code_that_was_judged_comes_back(
    base_options: tuple[str, ...], options: tuple[str, ...], tmp_path: Path
) -> None:
    base = emit(*base_options)
    stored = rewrite(base, (emit(*options, *base_options[1:]), ALL))
    blocks = lock_rewrite(stored, toolchain(), tmp_path)
    text = render(blocks)
    read = understand(text)
    assert read.damaged == ()
    assert render(read.rewrites) == text
    place = restorer(base, tmp_path)
    restored = place.restore("unit", read.rewrites)
    assert same_code(restored, stored.text)
    assert not same_code(restored, base)
    place.check("unit", restored, read.rewrites, "native")
    assert place.assembled("unit", restored).read_bytes() == (
        place.assembled("unit", stored.text).read_bytes()
    )


def test_functions_of_several_candidates_make_a_block_each(tmp_path: Path) -> None:
    base = emit("-O3")
    one, other = emit("-O3", "-mavx2"), emit("-O3", "-mavx512f", "-mavx512vl", "-mavx512dq")
    stored = rewrite(base, (one, ("sum", "fill")), (other, ("pick", "choose")))
    blocks = lock_rewrite(stored, toolchain(), tmp_path)
    assert [x.functions for x in blocks] == [("sum", "fill"), ("pick", "choose")]
    assert same_code(restorer(base, tmp_path).restore("unit", blocks), stored.text)


def test_what_is_written_names_no_place_and_no_time(tmp_path: Path) -> None:
    _, blocks = locked(tmp_path, "-mavx2")
    text = render(blocks)
    assert "/somewhere" not in text
    assert str(tmp_path) not in text
    assert "program    prog\n" in text
    assert "AVX2" in blocks[0].needs
    assert render(lock_rewrite(_stored("-mavx2"), toolchain(), tmp_path)) == text


def _stored(*options: str) -> Rewrite:
    return rewrite(emit("-O3"), (emit("-O3", *options), ("sum",)))


def test_debug_information_makes_no_difference(tmp_path: Path) -> None:
    _, blocks = locked(tmp_path, "-mavx2")
    debug = emit("-O3", "-g")
    assert unit_key(debug) == blocks[0].baseline
    place = restorer(debug, tmp_path)
    restored = place.restore("unit", blocks)
    place.check("unit", restored, blocks, "native")
    assert "vpmulld" in restored or "vpaddd" in restored
    assert ".debug_info" in restored


def test_a_target_rewrite_needs_what_the_user_allows(tmp_path: Path) -> None:
    base, blocks = locked(tmp_path, "-mavx2")
    target = [replace(x, isa="target") for x in blocks]
    place = restorer(base, tmp_path)
    text = place.restore("unit", target)
    with pytest.raises(LockError, match="cpu-feature"):
        place.check("unit", text, target, "target")
    restorer(base, tmp_path, "-mavx2").check("unit", text, target, "target")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: t.replace("\tret", "\tsyscall\n\tret", 1), "system-call"),
        (lambda t: f'{t}\n\t.section .init_array,"aw"\n\t.quad sum', "screened"),
        (lambda t: f'{t}\n\t.incbin "/etc/passwd"', "screened"),
        (lambda t: t.replace("\tret", "\tcall system\n\tret", 1), "new-symbol"),
        (lambda t: t.replace("\tret", "\tmovl $1, calls(%rip)\n\tmovq $0, %rbx\n\tret", 1), "rbx"),
        (lambda t: t.replace("\tret", "\tjmp .Lnowhere", 1), "undefined-label"),
        (lambda t: t.replace("sum", "fill"), "not-in-donor"),
        (lambda t: t.replace("\tret", "\tretsum", 1), "not-assembled"),
        (lambda t: "", "malformed"),
        (lambda t: "\x00\x1b" + t, "character"),
    ],
)
def test_a_hostile_block_is_refused(change: Callable[[str], str], why: str, tmp_path: Path) -> None:
    base, blocks = locked(tmp_path, "-funroll-loops")
    sly = [replace(blocks[0], assembly=change(blocks[0].assembly))]
    place = restorer(base, tmp_path)
    with pytest.raises(LockError, match=why):
        place.check("unit", place.restore("unit", sly), sly, "native")


def test_only_what_is_named_is_replaced(tmp_path: Path) -> None:
    """A donor may define more: nothing of that takes the place of the unit's own."""
    base, blocks = locked(tmp_path, "-funroll-loops")
    more = "\n\t.globl fill\n\t.type fill, @function\nfill:\n\tud2\n\t.size fill, .-fill"
    sly = replace(blocks[0], assembly=blocks[0].assembly + more)
    assert "\tud2" not in restorer(base, tmp_path).restore("unit", [sly])


def test_a_rewrite_that_does_not_come_back_is_not_locked(tmp_path: Path) -> None:
    stored = rewrite(emit("-O3"), (emit("-O3", "-mavx2"), ("sum", "fill")))
    with pytest.raises(LockError, match="not what was judged"):
        lock_rewrite(replace(stored, functions=("sum",)), toolchain(), tmp_path)
    with pytest.raises(LockError, match="lacks its functions"):
        lock_rewrite(replace(stored, functions=("sum", "none")), toolchain(), tmp_path)


def test_matching_says_why_not(tmp_path: Path) -> None:
    _, blocks = locked(tmp_path, "-mavx2")
    file, key, version = LockFile(blocks), blocks[0].baseline, blocks[0].compiler
    least = Assurance.TESTS
    assert match(file, "unit", key, version, least).blocks == blocks
    assert match(file, "renamed", key, version, least).reason == "no-entry"
    assert match(file, "unit", key, "gcc 99", least).reason == "other-compiler"
    assert match(file, "unit", "0" * 64, version, least).reason == "stale"
    assert match(file, "else", "0" * 64, version, least).reason == "no-entry"
    assert match(file, "unit", key, version, Assurance.PROVED).reason == "too-weak"
    assert "sum" in match(file, "unit", "0" * 64, version, least).detail


def test_a_glance_tells_units_that_are_not_named(tmp_path: Path) -> None:
    _, blocks = locked(tmp_path, "-mavx2")
    path = tmp_path / "x.lock"
    path.write_text(render(blocks))
    assert names_unit(str(path), ["cc1", "-quiet", "/src/unit.c", "-o", "unit.s"])
    assert names_unit(str(path), ["cc1", "-dumpbase", "unit.c", "/tmp/else.i"])
    assert not names_unit(str(path), ["cc1", "-quiet", "units.c", "-dumpbase", "units.c"])
    assert names_unit(str(tmp_path / "none"), ["cc1", "units.c"])
    path.write_bytes(b"")
    assert names_unit(str(path), ["cc1", "units.c"])
