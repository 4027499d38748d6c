"""What ships of a unit where it has to run everywhere: its new code behind checks, gated anew.

The candidate was gated as it is, and may not ask for the processor. What asks is our own code, and
the same in the unit that a placed one is compared with: gcc's, with that code added.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from gccllm.asm.carry import Frame
from gccllm.asm.elf import ElfError, read_elf
from gccllm.asm.splice import Refusal
from gccllm.asm.unit import Unit, parse
from gccllm.dispatching.placing import Placed, place
from gccllm.judge.code_gate import Code, needs_by_symbol
from gccllm.judge.finding import Finding
from gccllm.judge.object_gate import check_object
from gccllm.program import BuildStep, Program, one_unit
from gccllm.toolchain import Toolchain
from gccllm.types import Isa

__all__ = ["check_placed", "place_unit", "placed_alone"]

_FAR = "-mcmodel=large"


def place_unit(
    program: Program, unit: str, base: Unit, text: str, isa: Isa
) -> Placed | Refusal | BuildStep:
    """``text``, a splice into ``base``, as it ships: the same where ``isa`` checks nothing or the
    new code needs nothing that has to be checked."""
    if not isa.checked:
        return Placed(text, base.text, frozenset())
    if _FAR in program.units[unit].options:
        return Refusal("dispatch-code-model", f"{_FAR}: the flags may be out of reach")
    made = program.assemble(unit, text)
    if isinstance(made, BuildStep):
        return made
    try:
        code = Code.of(read_elf(made), thread_local=True)
    except ElfError as error:
        return BuildStep("assemble", f"as left an object that can't be read: {error}")
    return place(base, parse(text), needs_by_symbol(code, isa.features - isa.checked))


def placed_alone(toolchain: Toolchain, frame: Frame, text: str, isa: Isa) -> str | None:
    """``text``, a rewrite of the frame's unit that was judged, as it ships; None where it can't be
    made, which an object other than the judged one may bring about (debug information)."""
    with tempfile.TemporaryDirectory(prefix="gccllm-") as folder:
        program = one_unit(toolchain, frame, Path(folder))
        done = place_unit(program, frame.unit, parse(frame.assembly), text, isa)
    return done.text if isinstance(done, Placed) else None


def check_placed(
    program: Program, unit: str, placed: Placed, isa: Isa, *, imports: frozenset[str]
) -> Sequence[Finding] | BuildStep:
    """The object gate on a unit as it ships."""
    if not placed.checked:
        return ()
    objects: list[Path] = []
    for text in (placed.text, placed.reference):
        made = program.assemble(unit, text)
        if isinstance(made, BuildStep):
            return made
        objects.append(made)
    return check_object(objects[0], objects[1], isa, program_imports=imports)
