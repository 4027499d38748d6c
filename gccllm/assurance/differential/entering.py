"""Which basic blocks of both versions the harness's calls enter: versions that count, linked and
run once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.unit import parse
from gccllm.assurance.coverage import Instrumented, instrument
from gccllm.assurance.coverage.measure import compile_counters
from gccllm.assurance.differential.versions import CANDIDATE, Versions
from gccllm.toolchain import Toolchain

__all__ = ["Counting", "Entered", "counting"]


@dataclass(frozen=True)
class Entered:
    """Per block in the order of the text, whether a call that was compared entered it.
    ``baseline``: of gcc's function; ``candidate``: by name, of the candidate's and of the helpers
    that come along with it."""

    baseline: tuple[bool, ...]
    candidate: Mapping[str, tuple[bool, ...]]


@dataclass(frozen=True)
class Counting:
    """Versions whose blocks count, and the object that they are linked with."""

    made: Instrumented
    counters: Path
    function: str

    def entered(self, notes: bytes) -> Entered | None:
        """``notes``: what a run left behind. None where it left nothing."""
        if len(notes) < len(self.made.blocks):
            return None
        found: dict[str, list[bool]] = {}
        for number, block in enumerate(self.made.blocks):
            found.setdefault(block.function, []).append(bool(notes[number]))
        baseline = tuple(found.pop(self.function, ()))
        named = {
            self.function if name == CANDIDATE else name.removesuffix(f".{CANDIDATE}"): tuple(x)
            for name, x in found.items()
        }
        return Entered(baseline, named)


def counting(tools: Toolchain, versions: Versions, function: str, scratch: Path) -> Counting | None:
    """None where the blocks can't be counted. ``scratch``: a folder for the object."""
    helpers = [x for x in parse(versions.text).functions if x.endswith(f".{CANDIDATE}")]
    made = instrument(versions.text, [function, CANDIDATE, *helpers])
    counters = scratch / f"called-{len(made.blocks)}.o"
    if made.left_out or compile_counters(tools, counters, len(made.blocks)) is not None:
        return None
    return Counting(made, counters, function)
