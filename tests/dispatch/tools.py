"""Units with a part that needs a newer processor, and processors that lack it (qemu-user)."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.elf import read_elf
from gccllm.asm.rules import check
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.dispatching.placing import Placed, place
from gccllm.judge.code_gate import Code, needs_by_symbol
from gccllm.process import run
from gccllm.toolchain import features_of_macros
from tests.asm.tools import assemble

__all__ = ["V3", "emulated", "features", "needs_qemu", "needs_v3", "placed", "widened"]

V3 = ("-march=x86-64-v3", "-ffp-contract=off")
QEMU = shutil.which("qemu-x86_64")
needs_qemu = pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 (qemu-user) is missing")


def features(*options: str) -> frozenset[str]:
    """What gcc with those options may use."""
    done = run(["gcc", *options, "-dM", "-E", "-x", "c", "/dev/null"], timeout=60)
    return features_of_macros(done.stdout.decode())


def _has_v3() -> bool:
    wanted = features("-march=x86-64-v3") - features()
    return wanted <= features("-march=native")


needs_v3 = pytest.mark.skipif(not _has_v3(), reason="the processor is older than x86-64-v3")


def widened(base: str, donor: str, folder: Path) -> str:
    """``base`` with every function of ``donor`` that the splice and its rules let through."""
    original, other, now = parse(base), parse(donor), parse(base)
    before = functions_of(assemble(base, folder / "base.o"))
    own = functions_of(assemble(donor, folder / "donor.o"))
    for name in original.functions:
        tag = hashlib.sha256(name.encode()).hexdigest()[:8]
        done = splice(now, other, [name], tag=tag, foreign=True)
        if isinstance(done, Spliced):
            after = functions_of(assemble(done.text, folder / "after.o"))
            if not check(before, after, done, donor=own):
                now = parse(done.text)
    return now.text


def placed(base: str, unit: str, folder: Path) -> Placed:
    """``unit`` with what x86-64 does not promise behind checks."""
    code = Code.of(read_elf(assemble(unit, folder / "unit.o")), thread_local=True)
    done = place(parse(base), parse(unit), needs_by_symbol(code, features()))
    assert isinstance(done, Placed), done
    return done


def emulated(program: Path, processor: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """(exit status, stdout) on another processor; 132 and -4 are both SIGILL."""
    done = run([str(QEMU), "-cpu", processor, str(program)], timeout=60, stdin=stdin)
    assert not done.timed_out
    return done.returncode, done.stdout
