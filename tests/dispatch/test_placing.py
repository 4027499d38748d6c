"""A placed unit runs everywhere, as gcc's does, and uses the newer code where it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asm.tools import build, compile_unit, execute, sources
from tests.dispatch.tools import V3, emulated, needs_qemu, needs_v3, placed, widened

KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plain": ((), ()),
    "debug": (("-g",), ()),
    "pie": (("-fPIE",), ("-pie",)),
    "pic": (("-fPIC",), ()),
    "static": ((), ("-static",)),
    "static-pie": (("-fPIE",), ("-static-pie",)),
    "sections": (("-ffunction-sections", "-fdata-sections", "-g"), ("-Wl,--gc-sections",)),
    "hardened": (("-fcf-protection=full", "-fstack-protector-all"), ()),
    "no-unwinding": (("-fno-asynchronous-unwind-tables",), ()),
}


@needs_v3
@needs_qemu
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_with_and_without_what_it_checks_for(kind: str, tmp_path: Path) -> None:
    options, linking = KINDS[kind]
    checked = 0
    for source in sources():
        base = compile_unit(source, "-O3", *options)
        unit = widened(base, compile_unit(source, "-O3", *options, *V3), tmp_path)
        done = placed(base, unit, tmp_path)
        want = execute(build(base, tmp_path / "old", *linking))
        new = build(done.text, tmp_path / "new", *linking)
        assert execute(new) == want, source.name
        assert emulated(new, "Nehalem") == want, source.name
        checked += bool(done.checked)
    assert checked >= 5
