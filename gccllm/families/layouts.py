"""The layouts of a function in which its regions are sought, and what is known at their entries.

gcc's own layout scatters loops; straightened (:mod:`gccllm.families.straighten`) they are regions.
Whoever rewrites regions sees the same ones: the proposers, the training data, the evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.asm.region_model import Region, Shape
from gccllm.asm.regions import regions
from gccllm.asm.unit import Unit
from gccllm.families.constants import known_constants
from gccllm.families.straighten import straighten
from gccllm.toolchain import Toolchain

__all__ = ["Layout", "layouts"]

MOST_REGIONS = 24


@dataclass(frozen=True)
class Layout:
    """A unit that does what the baseline does, and regions of one of its functions."""

    unit: Unit
    code: ObjectCode
    regions: tuple[Region, ...]

    def constants(self, region: Region) -> Mapping[str, int]:
        """Live-in registers that hold a known number whenever ``region`` is entered."""
        return known_constants(self.unit, self.code, region)


def layouts(tools: Toolchain, unit: Unit, name: str, scratch: Path) -> Iterator[Layout]:
    """Function ``name`` straightened and its regions; then the same with one return, and those
    regions that only this layout has. What can't be assembled (at the path ``scratch``) is left
    out. Raises KeyError for a name that the unit lacks."""
    straight = straighten(unit, name)
    whole = straighten(unit, name, one_return=True)
    for layout, is_whole in [(straight, False)] + ([(whole, True)] if whole is not unit else []):
        code = _assembled(tools, layout, scratch)
        if code is None:
            continue
        found = regions(layout, name, code)
        if is_whole:
            found = [x for x in found if x.shape is Shape.BLOCKS]
        yield Layout(layout, code, tuple(found[:MOST_REGIONS]))


def _assembled(tools: Toolchain, unit: Unit, path: Path) -> ObjectCode | None:
    """The decoded object of a unit; None where it can't be assembled or read."""
    if not tools.assemble(unit.text, path).ok:
        return None
    try:
        return functions_of(path)
    except (OSError, ValueError):
        return None
