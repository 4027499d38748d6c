"""What -fllm-isa=dispatch means to settings, keys and lock files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.applying import context
from gccllm.assurance.levels import Assurance
from gccllm.errors import UsageError
from gccllm.lockfile import LockFile
from gccllm.locking.making import lock_rewrite
from gccllm.locking.matching import match
from gccllm.settings import ISA_MODES, Settings
from gccllm.toolchain import Toolchain
from tests.locking.locked import emit, rewrite, toolchain


@pytest.mark.parametrize("mode", ISA_MODES)
def test_every_mode_can_be_asked_for(mode: str) -> None:
    assert Settings.from_environment({"GCCLLM_ISA": mode}).isa == mode


def test_another_word_is_refused_with_those_it_takes() -> None:
    with pytest.raises(UsageError, match="target, native, dispatch"):
        Settings.from_environment({"GCCLLM_ISA": "everywhere"})


def test_it_searches_with_this_machines_instructions_and_ships_the_targets() -> None:
    tools = Toolchain()
    native, target = tools.isa("native", ()), tools.isa("target", ())
    found = tools.isa("dispatch", ())
    assert found.options == native.options
    assert found.features == native.features | target.features
    assert found.checked == found.features - target.features
    assert not native.checked
    assert not target.checked


def test_rewrites_of_another_target_have_another_key() -> None:
    tools = Toolchain()
    names = {tools.isa("dispatch", x).name for x in ((), ("-msse4.2",), ("-mpopcnt",))}
    assert len(names) == 3
    assert tools.isa("dispatch", ("-march=native",)).checked == frozenset()


def test_what_lies_ready_for_one_mode_is_not_there_for_another() -> None:
    assert len({context({"GCCLLM_ISA": x}, ["cc1"]) for x in ISA_MODES}) == len(ISA_MODES)


def test_a_block_that_needs_more_than_is_promised_is_left_out(tmp_path: Path) -> None:
    stored = rewrite(emit("-O3"), (emit("-O3", "-mavx2"), ("sum",)))
    blocks = lock_rewrite(stored, toolchain(), tmp_path)
    key, version = blocks[0].baseline, blocks[0].compiler

    def reason(*promised: str) -> str:
        least, file = Assurance.TESTS, LockFile(blocks)
        return match(file, "unit", key, version, least, lambda: frozenset(promised)).reason

    assert reason() == "other-isa"
    assert reason("AVX") == "other-isa"
    assert reason(*blocks[0].needs) == ""
